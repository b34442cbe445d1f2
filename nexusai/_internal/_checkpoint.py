"""What a batch has done so far, in a file: one line for each call, so that a crash loses at most one."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import import_module
from typing import IO, Any, Dict, Mapping, Optional, Union

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

Place = Union[str, "os.PathLike[str]"]


def fingerprint(method: str, arguments: Mapping[str, Any]) -> str:
    """What a call is known by: the same method with the same arguments."""
    text = json.dumps([method, arguments], sort_keys=True, ensure_ascii=False, default=_stable)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Checkpoint:
    """Results by the number and the fingerprint of their call."""

    def __init__(self, path: Place) -> None:
        """Reads what is there. A last line that was cut off is forgotten.

        Raises:
            ValueError: the file is no checkpoint.
        """
        self._path = path
        self._results: Dict[str, Any] = {}
        self._whole = 0
        if os.path.exists(path):
            self._load()
        self._file: Optional[IO[bytes]] = None

    def get(self, index: int, key: str) -> Any:
        """The result of that call, in a list of one; None where it has none yet."""
        return self._results.get(f"{index} {key}")

    def put(self, index: int, key: str, result: Any) -> None:
        """Keep a result: when this returns, it is on the disk."""
        if self._file is None:
            self._file = open(self._path, "ab")  # noqa: SIM115 - kept open, see `close`
            self._file.truncate(self._whole)
        row = {"index": index, "key": key, **_written(result)}
        self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _load(self) -> None:
        with open(self._path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._add(line)
                self._whole += len(line)

    def _add(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            self._results[f"{row['index']} {row['key']}"] = [_read(row)]
        except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            raise ValueError(
                f"{os.fspath(self._path)} is no checkpoint of a batch: choose another file, or delete it."
            ) from error


def _written(result: Any) -> Dict[str, Any]:
    if isinstance(result, BaseModel):
        cls = type(result)
        facts = to_jsonable_python(result.model_dump(by_alias=False), bytes_mode="base64")
        return {"model": f"{cls.__module__}:{cls.__qualname__}", "result": facts}
    return {"result": to_jsonable_python(result)}


def _read(row: Mapping[str, Any]) -> Any:
    name = row.get("model")
    if name is None:
        return row["result"]
    module, _, cls = name.partition(":")
    if not module.startswith("nexusai."):
        raise ValueError(f"not a model of ours: {name}")
    return getattr(import_module(module), cls).model_validate(row["result"])


def _stable(value: Any) -> Any:
    """Arguments that are no JSON, as something that is the same the next time."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"A batch with a checkpoint cannot tell one {type(value).__name__} from another.")
