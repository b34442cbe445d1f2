"""Recording: what a platform has once answered, again and again."""

from __future__ import annotations

import base64
import json
import os
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from nexusai._internal._bodies import masked
from nexusai._internal._runtime import CLOCK, Clock
from nexusai._internal._sse import EventDecoder
from nexusai._internal._transport import AsyncTransport, Transport, TransportError
from nexusai._internal._wire import Wire
from nexusai.aio._internal._wire import AsyncWire
from nexusai.config import config
from nexusai.testing._calls import Call
from nexusai.testing._script import UnexpectedCallError
from nexusai.testing._wire import (
    TEST_KEY,
    AsyncScriptedResponse,
    AsyncScriptedWire,
    Reply,
    ScriptedResponse,
    ScriptedWire,
    Stage,
    Trouble,
    VirtualClock,
    seen,
)
from nexusai.types import JSONObject

MODES = ("replay", "record", "auto")
_VERSION = 1
_ASKED_WITH = ("last-event-id", "range")
_ANSWERED_WITH = (
    "content-disposition",
    "content-range",
    "content-type",
    "etag",
    "idempotent-replayed",
    "preference-applied",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-task-id",
)
"""Of headers only these are kept: what is not known may be a secret."""

Redact = Callable[[str], str]


class Recording(Stage):
    """A platform that repeats from a file what another one has answered.

        with Recording("rivers.json", "auto") as recording:
            print(recording.client().text.generate("Name a river.").text)

    `replay` never uses the network: a call that is not in the file fails with `UnexpectedCallError`.
    `record` asks the platform that the settings name, and writes a new file. `auto` asks it only for what
    the file does not hold, and adds that. The file is written when the `with` ends well.

    A call is known by its method, path, query and body; time and place, keys, and request ids are not kept.
    Calls that are alike are answered in their order; further looks (GET) with the last answer.

    Args:
        path: of the file.
        mode: `replay`, `record` or `auto`.
        redact: is given every text before it is kept or compared, and returns what may be kept of it.
    """

    def __init__(
        self, path: Union[str, os.PathLike[str]], mode: str = "replay", *, redact: Optional[Redact] = None
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, not {mode!r}")
        super().__init__()
        self.path: Path = Path(path)
        self.mode = mode
        self._redact = redact
        self._rows = [] if mode == "record" else _read(self.path, must_exist=mode == "replay")
        self._used = [False] * len(self._rows)  # of those that were in the file
        self._changed = mode == "record"
        self._lock = RLock()
        self.calls: List[Call] = []
        replays = mode == "replay"
        self.clock: Clock = VirtualClock() if replays else CLOCK
        self.transport: Transport = ScriptedWire(self) if replays else _RecordingWire(self)
        self.async_transport: AsyncTransport = (
            AsyncScriptedWire(self) if replays else _AsyncRecordingWire(self)
        )

    def _options(self, options: Dict[str, Any]) -> Dict[str, Any]:
        if self.mode == "replay":
            return super()._options(options)
        fallback = {} if config.api_key or self.mode == "record" else {"api_key": TEST_KEY}
        return {**fallback, **options, "http_client": self}

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        if error is None:
            self.save()

    def save(self) -> None:
        """Write the file, if anything was recorded."""
        if not self._changed:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = json.dumps({"version": _VERSION, "calls": self._rows}, ensure_ascii=False, indent=2)
        partial = self.path.with_name(f".{self.path.name}.part")
        partial.write_text(told + "\n", encoding="utf-8")
        os.replace(partial, self.path)
        self._changed = False

    def _answer_to(self, call: Call) -> Reply:
        """What was answered to a call.

        Raises:
            UnexpectedCallError: it was not recorded.
        """
        with self._lock:
            reply = self._find(call)
        if reply is None:
            raise UnexpectedCallError(self._complaint(call))
        return reply

    def _find(self, call: Call) -> Optional[Reply]:
        """The next answer to such a call; None where there is none."""
        self.calls.append(call)
        asked = self._asked(call)
        alike = [n for n in range(len(self._used)) if self._rows[n]["request"] == asked]
        place = next((n for n in alike if not self._used[n]), None)
        if place is None and alike and call.method == "GET":
            place = alike[-1]
        if place is None:
            return None
        self._used[place] = True
        return _reply(self._rows[place]["response"])

    def _keep(self, call: Call, secret: str, told: JSONObject) -> None:
        """Add a call and its answer."""
        row = {"request": self._asked(call), "response": told}
        clean: JSONObject = _mapped(row, lambda text: self._cleaned(text, secret))
        with self._lock:
            self._rows.append(clean)
            self._changed = True

    def _asked(self, call: Call) -> JSONObject:
        facts: JSONObject = {"method": call.method, "path": call.path}
        if call.query:
            facts["query"] = call.query
        headers = {name: call.headers[name] for name in _ASKED_WITH if name in call.headers}
        if call.prefers("respond-async"):
            headers["prefer"] = "respond-async"
        if headers:
            facts["headers"] = headers
        upload = call.upload
        if call.json is not None:
            facts["json"] = call.json
        elif upload is not None:
            form = {"filename": upload.filename, "content_type": upload.content_type}
            facts["file"] = {**form, **_content(upload.content, upload.content_type)}
        elif call.content:
            facts.update(_content(call.content, call.headers.get("content-type", "")))
        redacted: JSONObject = _mapped(facts, lambda text: self._cleaned(text, ""))
        return redacted

    def _cleaned(self, text: str, secret: str) -> str:
        plain = masked(text, secret)
        return plain if self._redact is None else self._redact(plain)

    def _complaint(self, call: Call) -> str:
        rows = [f"  {row['request']['method']} {row['request']['path']}" for row in self._rows]
        often = sum(row["request"] == self._asked(call) for row in self._rows)
        what = f"It was recorded {often} times, and all are used up." if often else "Recorded are:"
        return "\n".join(
            [
                f"{self.path} has no answer to {call}.",
                what,
                *([] if often else rows or ["  nothing"]),
                "Record it anew: mode 'record', or `pytest --nexus-record=record`.",
            ]
        )


class _RecordingWire:
    """Asks the platform, and keeps what it answers. Each request has a connection of its own."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def send(self, request: Any) -> Any:
        content = request.body
        if content is not None and not isinstance(content, bytes):
            content = b"".join(content)
        call = seen(request, content)
        known = self._recording._find(call)
        if known is not None:
            return ScriptedResponse(known)
        transport = Wire(request.url)
        note = _Note(self._recording, call, request)
        try:
            return _Noted(transport.send(request._replace(body=content)), transport, note)
        except TransportError as error:
            transport.close()
            note.broke(error)
            note.done()
            raise

    def hasten(self, seconds: float) -> bool:
        return False

    def close(self) -> None:
        pass


class _AsyncRecordingWire:
    """The same, awaited."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def send(self, request: Any) -> Any:
        content = request.body
        if content is not None and not isinstance(content, bytes):
            content = b"".join([block async for block in content])
        call = seen(request, content)
        known = self._recording._find(call)
        if known is not None:
            return AsyncScriptedResponse(known)
        transport = AsyncWire(request.url)
        note = _Note(self._recording, call, request)
        try:
            return _AsyncNoted(await transport.send(request._replace(body=content)), transport, note)
        except TransportError as error:
            await transport.aclose()
            note.broke(error)
            note.done()
            raise

    def hasten(self, seconds: float) -> bool:
        return False

    async def aclose(self) -> None:
        pass


class _Note:
    """What comes back, until it is kept."""

    def __init__(self, recording: Recording, call: Call, request: Any) -> None:
        self._recording = recording
        self._call = call
        told = dict(request.headers).get(b"authorization", b"").decode("latin-1")
        self._secret = told.partition(" ")[2]
        self._head: Tuple[int, Mapping[str, str]] = (0, {})
        self._content = bytearray()
        self._trouble: Optional[JSONObject] = None
        self._kept = False

    def began(self, response: Any) -> None:
        self._head = (response.status, response.headers)

    def add(self, piece: bytes) -> None:
        self._content += piece

    def broke(self, error: TransportError) -> None:
        self._trouble = {"message": str(error), "timed_out": error.timed_out, "sent": error.sent}

    def done(self) -> None:
        if self._kept:
            return
        self._kept = True
        told = _told(*self._head, bytes(self._content))
        if self._trouble is not None:
            told["broke"] = self._trouble
        self._recording._keep(self._call, self._secret, told)


class _Noted:
    def __init__(self, response: Any, transport: Any, note: _Note) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._transport = transport
        self._note = note
        note.began(response)

    def chunks(self) -> Iterator[bytes]:
        try:
            for piece in self._response.chunks():
                self._note.add(piece)
                yield piece
        except TransportError as error:
            self._note.broke(error)
            raise
        self.close()

    def close(self) -> None:
        self._note.done()
        self._response.close()
        self._transport.close()


class _AsyncNoted:
    def __init__(self, response: Any, transport: Any, note: _Note) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._transport = transport
        self._note = note
        note.began(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.chunks():
                self._note.add(piece)
                yield piece
        except TransportError as error:
            self._note.broke(error)
            raise
        await self.aclose()

    async def aclose(self) -> None:
        self._note.done()
        await self._response.aclose()
        await self._transport.aclose()


def _told(status: int, headers: Mapping[str, str], content: bytes) -> JSONObject:
    """An answer as it stands in the file."""
    kept = {name: headers[name] for name in _ANSWERED_WITH if name in headers}
    told: JSONObject = {"status": status, "headers": kept}
    kind = kept.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return {**told, "events": [_event(event) for event in EventDecoder().feed(content)]}
    return {**told, **_content(content, kind)}


def _event(event: Any) -> JSONObject:
    facts: JSONObject = {}
    if event.id:
        facts["id"] = event.id
    if event.event != "message":
        facts["event"] = event.event
    text = event.data.decode("utf-8", "replace")
    if text.startswith(("{", "[{")):
        with suppress(ValueError, RecursionError):  # what is broken is kept as it came
            return {**facts, "json": json.loads(text)}
    return {**facts, "text": text}


def _content(content: bytes, kind: str) -> JSONObject:
    """Bytes as readable as they can be."""
    if not content:
        return {}
    plain = kind.partition(";")[0].strip()
    try:
        if plain == "application/json":
            return {"json": json.loads(content)}
        if plain.startswith("text/"):
            return {"text": content.decode()}
    except ValueError:
        pass
    return {"base64": base64.b64encode(content).decode("ascii")}


def _reply(told: JSONObject) -> Reply:
    """An answer from the file."""
    broke = told.get("broke")
    trouble = None if broke is None else Trouble(**broke)
    if "events" in told:
        pieces = [_wire_event(event) for event in told["events"]]
        return Reply(told["status"], told["headers"], pieces, trouble=trouble)
    content = b""
    if "json" in told:
        content = json.dumps(told["json"], ensure_ascii=False).encode()
    elif "text" in told:
        content = told["text"].encode()
    elif "base64" in told:
        content = base64.b64decode(told["base64"])
    headers = dict(told["headers"])
    if trouble is None:
        headers["content-length"] = str(len(content))
    return Reply(told["status"], headers, [content] if content else [], trouble=trouble)


def _wire_event(event: JSONObject) -> bytes:
    data = event["text"] if "text" in event else json.dumps(event["json"], ensure_ascii=False)
    lines = [f"{name}: {event[name]}" for name in ("id", "event") if name in event]
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()


def _read(path: Path, *, must_exist: bool) -> List[JSONObject]:
    if not path.exists():
        if must_exist:
            raise FileNotFoundError(
                f"{path}: there is no recording yet. Make it with the mode 'record', or "
                "`pytest --nexus-record=record`, while a platform can be reached."
            )
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(told, dict) or told.get("version") != _VERSION:
        raise ValueError(f"{path}: expected a recording of version {_VERSION}")
    rows: List[JSONObject] = told["calls"]
    return rows


def _mapped(value: Any, change: Redact) -> Any:
    """`value` with each text in it changed; not what is base64."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {name: each if name == "base64" else _mapped(each, change) for name, each in value.items()}
    return value
