"""What a batch keeps on disk, and how it is carried to where its calls are made."""

from __future__ import annotations

import hashlib
import json
import pickle
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from faults.server import FaultServer, completed, reply
from pydantic import BaseModel

from nexusai._internal._carried import Carried
from nexusai._internal._checkpoint import Checkpoint, fingerprint
from nexusai.models import File, TextResponse, TTSResponse, Usage


class Wish(BaseModel):
    """Something that a caller may give as an argument."""

    count: int
    until: Optional[datetime] = None


def test_the_same_call_is_known_by_the_same_fingerprint_tomorrow() -> None:
    """In whatever order its arguments are written; files are kept for longer than a version lasts."""
    mark = fingerprint("text.generate", {"prompt": "你好", "seed": 7})
    assert mark == fingerprint("text.generate", {"seed": 7, "prompt": "你好"})
    written = '["text.generate", {"prompt": "你好", "seed": 7}]'
    assert mark == hashlib.sha256(written.encode()).hexdigest()
    assert fingerprint("x", {"prompt": "\ud800"}) != fingerprint("x", {"prompt": "\ud801"})


def test_other_calls_have_other_fingerprints() -> None:
    """By method, argument, content, path, type or model."""
    arguments: List[Any] = [
        1,
        "1",
        b"1",
        b"2",
        Path("1"),
        Path("2"),
        Wish,
        Usage,
        Wish(count=1),
        Wish(count=2),
    ]
    calls = [("a", {}), ("b", {}), *[("a", {"x": argument}) for argument in arguments]]
    marks = [fingerprint(method, given) for method, given in calls]
    same = [("a", {"x": "1"}), ("a", {"x": Path("1")})]
    assert len(set(marks)) == len(marks) - 1, "only a path and its text are the same"
    assert fingerprint(*same[0]) == fingerprint(*same[1])
    assert fingerprint("a", {"x": b"1"}) == fingerprint("a", {"x": bytearray(b"1")})
    assert fingerprint("a", {"x": Wish(count=1)}) == fingerprint("a", {"x": {"count": 1, "until": None}})
    dated = {"count": 1, "until": "2026-01-02T03:04:05"}
    assert fingerprint("a", {"x": Wish.model_validate(dated)}) == fingerprint("a", {"x": dated})
    assert fingerprint("a", {"x": Wish}) == fingerprint("a", {"x": f"{__name__}.Wish"})


def test_what_cannot_be_told_apart_is_refused() -> None:
    """Its type is named."""
    told = "^A batch with a checkpoint cannot tell one object from another.$"
    with pytest.raises(TypeError, match=told):
        fingerprint("a", {"x": object()})


def kept(path: Path, *results: Any) -> List[Any]:
    """Results that were written, and read by another checkpoint."""
    checkpoint = Checkpoint(path)
    for index, result in enumerate(results):
        checkpoint.put(index, "k", result)
    checkpoint.close()
    again = Checkpoint(path)
    return [again.get(index, "k") for index in range(len(results))]


def test_every_kind_of_result_comes_back(tmp_path: Path) -> None:
    """A model as the same model, with what it did not name and with its content; else as JSON."""
    text = TextResponse.model_validate({"text": "\ud800你", "later": [1]})
    file = File.model_validate({"file_id": "f", "mime_type": "text/plain"})
    results = [text, file, {"a": None}, 7, None]
    assert kept(tmp_path / "c", *results) == [[result] for result in results]
    first = json.loads((tmp_path / "c").read_text(encoding="utf-8", errors="surrogatepass").splitlines()[0])
    assert (first["index"], first["key"], first["model"]) == (0, "k", "nexusai.models:TextResponse")
    assert "你" in (tmp_path / "c").read_text(encoding="utf-8", errors="surrogatepass")


def test_content_is_kept(tmp_path: Path) -> None:
    """Bytes, too."""
    sound = TTSResponse.model_validate({"audio_url": "/f", "raw": b"\xff\x00"})
    ((again,),) = kept(tmp_path / "c", sound)
    assert isinstance(again, TTSResponse)
    assert again.raw == "_wA="  # type: ignore[attr-defined]  # base64: a model reads it by its field's type


def test_a_result_belongs_to_its_call(tmp_path: Path) -> None:
    """To its number and its fingerprint; None stands for nothing yet, and [None] for None."""
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.put(1, "k", None)
    checkpoint.close()
    again = Checkpoint(tmp_path / "c")
    assert (again.get(1, "k"), again.get(1, "other"), again.get(2, "k")) == ([None], None, None)


def test_a_line_that_was_cut_is_written_anew(tmp_path: Path) -> None:
    """A crash loses one result at most, and breaks nothing."""
    path = tmp_path / "c"
    assert kept(path, "a", "b") == [["a"], ["b"]]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    checkpoint = Checkpoint(path)
    assert (checkpoint.get(0, "k"), checkpoint.get(1, "k")) == (["a"], None)
    checkpoint.put(1, "k", "b")
    checkpoint.put(2, "k", "c")
    checkpoint.close()
    assert path.read_bytes()[: len(whole)] == whole
    assert Checkpoint(path).get(2, "k") == ["c"]


def test_a_result_is_on_the_disk_at_once(tmp_path: Path) -> None:
    """Not when the file is closed."""
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.close()
    assert not (tmp_path / "c").exists(), "nothing was written yet"
    checkpoint.put(0, "k", "a")
    assert Checkpoint(tmp_path / "c").get(0, "k") == ["a"]
    checkpoint.close()


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "7",
        '{"index": 0, "key": "k"}',
        '{"key": "k", "result": 1}',
        '{"index": 0, "result": 1}',
        '{"index": 0, "key": "k", "model": "os:system", "result": "x"}',
        '{"index": 0, "key": "k", "model": "nexusai.nothing:X", "result": {}}',
        '{"index": 0, "key": "k", "model": "nexusai.models:Nothing", "result": {}}',
        '{"index": 0, "key": "k", "model": "nexusai.models:Task", "result": {}}',
        '{"index": 0, "key": "k", "model": 7, "result": {}}',
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, line: str) -> None:
    """It is refused as a whole, and nothing that it names is run."""
    path = tmp_path / "c"
    path.write_text(f"{line}\n", encoding="utf-8")
    told = f"^{path} is no checkpoint of a batch: choose another file, or delete it.$"
    with pytest.raises(ValueError, match=told):
        Checkpoint(path)


def options(faults: FaultServer, **more: Any) -> Dict[str, Any]:
    return {"api_key": "nxs_k", "base_url": faults.base_url, "default_headers": {"X-Team": "a"}, **more}


def test_a_call_can_be_carried(faults: FaultServer) -> None:
    """Pickled and unpickled, it goes to the same platform, as the same caller; one client makes them all."""
    faults.plays(reply(200, completed("one")), reply(200, completed("two")))
    carried = Carried(options(faults, timeout=4))
    for text in ("one", "two"):
        there = pickle.loads(pickle.dumps(carried))
        assert there("text.generate", {"prompt": "hi"}).text == text
    first, second = faults.requests
    assert first.headers["x-team"] == "a"
    assert first.headers["prefer"] == "wait=3"
    assert first.headers["authorization"] == "Bearer nxs_k"
    assert second.json["input"] == {"prompt": "hi"}


def test_a_client_without_headers_of_its_own_can_be_carried(faults: FaultServer) -> None:
    """Most have none."""
    faults.plays(reply(200, completed("one")))
    carried = Carried(options(faults, default_headers=None))
    assert carried("text.generate", {"prompt": "hi"}).text == "one"


def test_connections_of_the_caller_s_own_cannot_be_carried(faults: FaultServer) -> None:
    """They are open here."""
    told = "^A client with an `http_client` of your own cannot be carried by an executor.$"
    with pytest.raises(ValueError, match=told):
        Carried(options(faults, http_client=object()))
    assert Carried(options(faults, http_client=None)) is not None
