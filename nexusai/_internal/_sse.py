"""Bytes → server-sent events.

The whole grammar of the WHATWG HTML standard, section 9.2: lines end in LF, CRLF or CR, however
they are cut; one BOM may come first; comments and unknown fields are skipped; an event without data
is not dispatched; what is left when the stream ends is dropped. The work is linear in the input.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_MANY_DIGITS = 12
_FOREVER = 10**_MANY_DIGITS


class ServerSentEvent(NamedTuple):
    """One event. `data` is UTF-8, with its lines joined by LF."""

    data: bytes
    event: str = "message"
    id: str = ""


class EventDecoder:
    """Feed it chunks as they come; it gives the events that they complete.

    Attributes:
        retry: milliseconds after which the server wants a lost stream to be asked for again.
        last_event_id: of the last event that had one; it stays until another comes.
        comments: comment lines seen so far (heartbeats).
    """

    def __init__(self, max_event_bytes: int = 8 * 1024 * 1024) -> None:
        self.retry: Optional[int] = None
        self.last_event_id = ""
        self.comments = 0
        self._max_event_bytes = max_event_bytes
        self._partial = bytearray()  # a line whose end has not come
        self._pending = 0  # bytes of an event whose end has not come
        self._data: List[bytes] = []
        self._event = ""
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> List[ServerSentEvent]:
        """The events that end in this chunk.

        Raises:
            ValueError: an event is longer than `max_event_bytes`.
        """
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]  # the second half of a CRLF
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = _LINE_END.split(chunk) if b"\r" in chunk else chunk.split(b"\n")
        rest = lines.pop()
        is_going_on = bool(self._data)
        events: List[ServerSentEvent] = []
        for line in lines:
            event = self._line(self._complete(line) if self._partial else line)
            if event is not None:
                events.append(event)
        if rest:
            self._partial += rest
        if self._partial or self._data:
            self._bound(len(chunk), fresh=bool(events) or not is_going_on)
        else:
            self._pending = 0
        return events

    def _complete(self, line: bytes) -> bytes:
        whole = bytes(self._partial + line)
        self._partial.clear()
        return whole

    def _bound(self, arrived: int, *, fresh: bool) -> None:
        """Count what has come of an unfinished event; `fresh` when it began in this chunk."""
        if fresh:
            self._pending = len(self._partial) + sum(map(len, self._data))
        else:
            self._pending += arrived
        if self._pending > self._max_event_bytes:
            raise ValueError(f"an event of the stream is longer than {self._max_event_bytes} bytes")

    def _line(self, line: bytes) -> Optional[ServerSentEvent]:
        if self._at_start:
            self._at_start = False
            line = line[3:] if line.startswith(_BOM) else line
        if not line:
            return self._dispatch()
        if line.startswith(b"data: "):
            self._data.append(line[6:])
        elif line.startswith(b":"):
            self.comments += 1
        else:
            name, _, value = line.partition(b":")
            self._field(name, value[1:] if value.startswith(b" ") else value)
        return None

    def _field(self, name: bytes, value: bytes) -> None:
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self.last_event_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry = int(value) if len(value) < _MANY_DIGITS else _FOREVER

    def _dispatch(self) -> Optional[ServerSentEvent]:
        event = None
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            event = ServerSentEvent(data, self._event or "message", self.last_event_id)
            self._data.clear()
        self._event = ""
        return event
