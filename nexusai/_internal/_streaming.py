# Generated from nexusai/aio/_internal/_streaming.py by scripts/unasync.py: edit that file.

"""Event streams: bytes → chunks, and the text they carry."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, cast

from pydantic_core import from_json

from nexusai import error as errors
from nexusai._internal import _bodies, _retry
from nexusai._internal._exchange import Call, Exchange
from nexusai._internal._poller import TaskPoller
from nexusai._internal._runtime import finish, following
from nexusai._internal._sse import EventDecoder, ServerSentEvent
from nexusai._internal._transport import TransportError
from nexusai.models import TaskFailure, TextResponse
from nexusai.types import JSONObject, TextChunk

if TYPE_CHECKING:
    from nexusai._internal._client import InternalClient
    from nexusai._internal._observing import StreamObservation

_DONE = b"[DONE]"
_FACTS = ("usage", "finish_reason", "model", "task_id")
_CANCEL_TIMEOUT = 1.0


class StreamProcessor:
    """Reads one event stream of the API, and knows whether it came to its end.

    One that is cut is taken up again where it was: before its first piece by asking anew, then by
    `Last-Event-ID` where the platform can, else by what its task has come to. What was told once is
    not told again.
    """

    def __init__(self, client: InternalClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._watch: Optional[StreamObservation] = None
        self._exchange: Optional[Exchange] = None
        self._decoder = EventDecoder()
        self._last_content = 0.0
        self._last_id = ""
        self._task_id: Optional[str] = None
        self._resumable = False
        self._trouble: Optional[errors.APIError] = None
        self._failures = 0
        self._parts_at_failure = 0
        self.parts: List[str] = []
        """The text so far, in pieces: joining them at each one would be quadratic."""
        self.facts: Dict[str, Any] = {}
        """What the chunks told besides text: usage, finish reason, model."""
        self.ended = False
        """Whether the announced end has come."""

    @property
    def task_id(self) -> Optional[str]:
        """The stream's task, where the platform tells it."""
        told = self.facts.get("task_id") or self._task_id
        return str(told) if told else None

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators."""
        return self._header("x-request-id")

    def chunks(self) -> Iterator[JSONObject]:
        """The chunks, up to the announced end.

        Raises:
            StreamError: the platform reported an error.
            StreamInterruptedError: the stream broke off, or ended unannounced, for good.
            APITimeoutError: it fell silent, or sent only heartbeats for `content_timeout`.
        """
        return self._watched() if self._client.observer.watches_streams else self._read()

    def _watched(self) -> Iterator[JSONObject]:
        """The same, told to the log and to OpenTelemetry."""
        watch = self._watch = self._client.observer.stream(self._call)
        chunks: Any = self._read()
        how, trouble = "left", None
        try:
            while True:
                with watch.active():
                    chunk = following(chunks)
                if chunk is None:
                    break
                watch.came()
                yield chunk
            how = "read"
        except GeneratorExit:
            with watch.active():
                finish(chunks.close)
            raise
        except BaseException as error:
            how, trouble = "failed" if isinstance(error, Exception) else "cancelled", error
            raise
        finally:
            facts = {**self.facts, "task_id": self.task_id, "text": "".join(self.parts)}
            watch.ended(how, trouble, facts, self.request_id)

    def _read(self) -> Iterator[JSONObject]:
        exchange = self._open(self._call)
        try:
            while True:
                trouble = None
                try:
                    for data in exchange.chunks():
                        for chunk in self._accept(data):
                            yield chunk
                        if self.ended and not exchange.hasten():
                            return
                    exchange.complete()
                except TransportError as error:
                    trouble = error
                resumed = self._resume(trouble)
                if resumed is None:
                    break
                exchange = resumed
            for chunk in self._rest_of_task():
                yield chunk
        except Exception:
            raise
        except BaseException:  # the reader leaves
            finish(self._leave)
            raise
        finally:
            self.close()

    def _open(self, call: Call) -> Exchange:
        exchange = self._exchange = self._client.open(call, streaming=True)
        self._decoder = EventDecoder()
        self._last_content = self._call.clock.monotonic()
        self._task_id = self._header("x-task-id") or self._task_id
        self._resumable = bool(self._task_id) and "resumable" in (self._header("preference-applied") or "")
        return exchange

    def _resume(self, cause: Optional[TransportError]) -> Optional[Exchange]:
        """The stream from where it was; None where it has ended, or only its task is left to ask.

        Raises:
            APIError: this client has no more attempts, or no time.
        """
        if self.ended:
            return None
        trouble = self._trouble = self._broken(cause)
        self.close()
        self._failures = 1 if len(self.parts) > self._parts_at_failure else self._failures + 1
        self._parts_at_failure = len(self.parts)
        client = self._client
        pause = _retry.pause(self._failures - 1, None) if self._failures > 1 else 0.0
        out_of_time = self._call.clock.monotonic() + (pause or 0.0) >= self._call.deadline
        if not client.resume_streams or self._failures > client.max_retries or out_of_time:
            raise trouble
        if self._watch is not None:
            self._watch.resumed(trouble)
        call = self._call
        if self._resumable:
            headers = {**_bodies.RESUMABLE, "last-event-id": self._last_id or "0"}
            path = _bodies.path("tasks", self._task_id or "", "events")
            call = client.call("GET", path, headers=headers)._replace(deadline=call.deadline)
        elif self.parts:
            return None
        self._call.clock.sleep(pause or 0.0)
        try:
            return self._open(call)
        except errors.APIError:
            return None

    def _rest_of_task(self) -> List[JSONObject]:
        """What the stream would still have told, by the output of its task.

        Raises:
            StreamError: the task has failed.
            APIError: what ended the stream, where there is no such output.
        """
        trouble = self._trouble
        if trouble is None or self.ended:
            return []
        if self.task_id is None:
            raise trouble
        try:
            poller = TaskPoller(self._client, poll_timeout=self._client.timeout)
            task = poller.wait(self.task_id)
        except errors.APIError:
            raise trouble from trouble.__cause__
        if task.status == "failed":
            failure = task.error or TaskFailure()
            raise errors.StreamError(failure.message, error_code=failure.code, **self._so_far())
        output = task.output or {}
        text, known = output.get("text"), "".join(self.parts)
        if task.status != "completed" or not isinstance(text, str) or not text.startswith(known):
            raise trouble
        self.ended = True
        facts = {name: output[name] for name in _FACTS if output.get(name) is not None}
        self.facts.update(facts)
        if text == known:
            return [facts] if facts else []
        self.parts.append(text[len(known) :])
        return [{"delta": {"content": self.parts[-1]}}, facts]

    def _leave(self) -> None:
        """Stop what nobody will read: the platform cannot know that this is no broken connection."""
        self.close()
        if not self._resumable or self.ended:
            return
        call = self._client.call("POST", _bodies.path("tasks", self._task_id or "", "cancel"))
        with suppress(errors.APIError):
            self._client.open(call._replace(timeout=_CANCEL_TIMEOUT), retries=0)

    def close(self) -> None:
        """Give the connection back. An answer that was not read to its end stops at the platform."""
        if self._exchange is not None:
            self._exchange.close()

    def _header(self, name: str) -> Optional[str]:
        return self._exchange.headers.get(name) if self._exchange is not None else None

    def _accept(self, data: bytes) -> Iterator[JSONObject]:
        """The chunks that these bytes complete; what follows the announced end is of no interest."""
        events = [] if self.ended else self._decode(data)
        now = self._call.clock.monotonic()
        if events:
            self._last_content = now
        elif now - self._last_content > self._client.content_timeout:
            raise self._stalled()
        for event in events:
            if event.data == _DONE:
                self.ended = True
                return
            chunk = self._chunk(event)
            self._last_id = event.id
            yield chunk

    def _decode(self, data: bytes) -> List[ServerSentEvent]:
        try:
            return self._decoder.feed(data)
        except ValueError as error:
            raise errors.InvalidResponseError(
                f"The stream breaks its grammar: {error}.", request_id=self.request_id
            ) from error

    def _chunk(self, event: ServerSentEvent) -> JSONObject:
        try:
            chunk = from_json(event.data)
        except ValueError as error:
            raise self._not_a_chunk(event) from error
        if not isinstance(chunk, dict):
            raise self._not_a_chunk(event)
        if "error" in chunk or event.event == "error":
            raise self._reported(chunk)
        delta = chunk.get("delta")
        if delta and delta.get("content"):
            self.parts.append(delta["content"])
            if len(chunk) == 1:
                return chunk  # most hold nothing else
        for name in _FACTS:
            if chunk.get(name) is not None:
                self.facts[name] = chunk[name]
        return chunk

    def _not_a_chunk(self, event: ServerSentEvent) -> errors.InvalidResponseError:
        return errors.InvalidResponseError(
            f"Expected a JSON object in an event of the stream, but found {event.data[:200]!r}.",
            request_id=self.request_id,
        )

    def _reported(self, chunk: JSONObject) -> errors.StreamError:
        inner = chunk.get("error")
        facts: JSONObject = inner if isinstance(inner, dict) else {"message": inner or chunk}
        code = facts.get("code")
        return errors.StreamError(
            str(facts.get("message") or "The platform reported an error in the stream."),
            error_code=str(code) if code is not None else None,
            response_body=chunk,
            **self._so_far(),
        )

    def _interrupted(self, why: str) -> errors.StreamInterruptedError:
        return errors.StreamInterruptedError(
            f"The stream was cut before its end ({why}): the text so far is in `partial_text`.",
            **self._so_far(),
        )

    def _broken(self, error: Optional[TransportError]) -> errors.APIError:
        if error is None:
            return self._interrupted("it ended without [DONE]")
        if not error.timed_out or self._exchange is None:
            failure: errors.APIError = self._interrupted(str(error))
        else:
            failure = self._exchange.failure(error)
            failure.__dict__.update(self._so_far())
        failure.__cause__ = error
        return failure

    def _stalled(self) -> errors.APITimeoutError:
        return errors.APITimeoutError(
            f"Only heartbeats came for {self._client.content_timeout:g} s (`content_timeout`).",
            **self._so_far(),
        )

    def _so_far(self) -> Dict[str, Any]:
        return {
            "partial_text": "".join(self.parts),
            "task_id": self.task_id,
            "request_id": self.request_id,
        }


class TextStream:
    """Text as it is generated. Iterating gives the chunks, as dicts.

        stream = client.text.stream("Tell me a story")
        for text in stream.text_deltas:
            print(text, end="")
        print(stream.response.usage)

    The request is sent when iteration begins. A connection that breaks is not the end: the stream is
    taken up where it was, `max_retries` times without a new piece (`resume_streams=False` turns it
    off). Leaving a loop early closes the connection, which stops
    the generation, as soon as nothing refers to the stream any more; `with` and `close()` do so at
    once.
    """

    def __init__(self, client: InternalClient, call: Call) -> None:
        self._processor = StreamProcessor(client, call)
        # The generator must not refer to this object: what nobody refers to any more is closed at
        # once, without waiting for the garbage collector to find a cycle.
        self._chunks = self._processor.chunks()

    def __iter__(self) -> TextStream:
        return self

    def __next__(self) -> TextChunk:
        return cast("TextChunk", self._chunks.__next__())

    @property
    def text_deltas(self) -> Iterator[str]:
        """The same stream, as pieces of text."""
        return _text_of(self)

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return "".join(self._processor.parts)

    @property
    def task_id(self) -> Optional[str]:
        """The stream's task at the platform, where it tells."""
        return self._processor.task_id

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators."""
        return self._processor.request_id

    @property
    def response(self) -> TextResponse:
        """The whole answer, with usage and finish reason, once the stream has been read.

        Raises:
            StreamError: its end has not come; `read()` goes there.
        """
        if not self._processor.ended:
            raise errors.StreamError(
                "The stream has not been read to its end: iterate over it, or call `read()`.",
                partial_text=self.text,
                task_id=self.task_id,
                request_id=self.request_id,
            )
        facts = {name: fact for name, fact in self._processor.facts.items() if name != "task_id"}
        result = TextResponse.model_validate({"text": self.text, **facts})
        result._request_id = self.request_id
        return result

    def read(self) -> TextResponse:
        """Read what is left, and return the whole answer."""
        for _ in self:
            pass
        return self.response

    def close(self) -> None:
        """Close the connection; the platform stops generating."""
        self._chunks.close()  # type: ignore[attr-defined]  # it is a generator
        self._processor.close()

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _text_of(stream: TextStream) -> Iterator[str]:
    for chunk in stream:
        text = chunk.get("delta", {}).get("content")
        if text:
            yield text
