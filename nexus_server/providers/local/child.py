"""The process that holds one model: `python -m nexus_server.providers.local.child`.

Its parent writes one line of JSON to its standard input (a `ChildConfig`) and reads one line from
its standard output: `{"address": …, "seconds": …}` once the model answers, or `{"error": …}`.
After that llama.cpp's own HTTP server does the work, on a loopback port that wants the parent's
key. The end of standard input is the end of the process, so it cannot outlive its parent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class ChildConfig:
    """What the child must know. `context_length` is in tokens, and for each of the slots."""

    path: str
    context_length: int
    slots: int
    threads: int
    api_key: str = field(repr=False)

    def to_line(self) -> bytes:
        """As it is written to the child's standard input."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ChildConfig:
        """As the child reads it."""
        return cls(**json.loads(line))


def main() -> None:
    """Load the model, say where it is, and stay until standard input ends."""
    answers = _private_stdout()
    config = ChildConfig.from_line(sys.stdin.buffer.readline())
    watcher = threading.Thread(target=_exit_with_parent, daemon=True)
    watcher.start()  # before loading: a parent may go away during that, too
    started = time.monotonic()
    try:
        server = _serve(config)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        _say(answers, {"error": _explain(error, config)})
        os._exit(1)
    seconds = round(time.monotonic() - started, 3)
    _say(answers, {"address": str(server.listening_address), "seconds": seconds})
    watcher.join()


def _private_stdout() -> IO[bytes]:
    """Keep standard output for our lines; what llama.cpp prints there goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _exit_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    # Not sys.exit: llama.cpp's destructors can dead-lock, and nobody needs them.
    os._exit(0)


def _say(answers: IO[bytes], message: dict[str, object]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def _serve(config: ChildConfig) -> Any:
    import xllamacpp  # type: ignore[import-untyped]

    server = xllamacpp.Server(_parameters(xllamacpp, config))
    # Without a first token, tearing it down again may hang; and the first caller would pay for it.
    hello = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    answer = server.handle_chat_completions(hello)
    if "error" in answer:
        raise RuntimeError(answer["error"].get("message", "the first token failed"))
    return server


def _parameters(xllamacpp: Any, config: ChildConfig) -> Any:
    _require_gguf(config.path)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = config.path
    # llama.cpp divides the context among the slots.
    parameters.n_ctx = config.context_length * config.slots
    parameters.n_parallel = config.slots
    parameters.kv_unified = False
    parameters.cpuparams.n_threads = config.threads
    parameters.cpuparams_batch.n_threads = config.threads
    # Reading the file, and not mapping it, takes a third less memory.
    parameters.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    parameters.cache_ram_mib = 0  # llama.cpp would keep old prompts in up to 8 GB
    parameters.warmup = False  # ours also goes through the chat template
    parameters.fit_params = False  # it would load the model twice
    parameters.ui = False
    parameters.verbosity = 1  # errors, to standard error
    parameters.api_keys = [config.api_key]
    return parameters


def _require_gguf(path: str) -> None:
    """Say it ourselves, because llama.cpp only says that it could not load the model."""
    with Path(path).open("rb") as file:
        magic = file.read(4)
    if magic != b"GGUF":
        raise ValueError(f"it is not a GGUF file: it begins with {magic!r}, expected b'GGUF'")


def _explain(error: Exception, config: ChildConfig) -> str:
    if isinstance(error, ImportError):
        return f"xllamacpp is not installed ({error}): pip install 'nexus-ai-sdk[local]'"
    text = str(error) or type(error).__name__
    return text.replace(config.api_key, "***")


if __name__ == "__main__":
    main()
