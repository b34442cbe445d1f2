"""Event streams: bytes → chunks, and the text they carry."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, AsyncIterator, Deque, Dict, Iterator, List, Optional, cast

import pydantic
from pydantic_core import from_json, to_json

from nexusai import error as errors
from nexusai._internal import _bodies, _responses, _retry
from nexusai._internal._frames import forget_locals
from nexusai._internal._runtime import async_finish, async_following, process
from nexusai._internal._sse import EventDecoder, ServerSentEvent
from nexusai._internal._transport import TransportError
from nexusai.aio._internal._exchange import AsyncExchange, Call
from nexusai.aio._internal._poller import AsyncTaskPoller
from nexusai.models import Route, TaskFailure, TextResponse
from nexusai.types import JSONObject, TextChunk

if TYPE_CHECKING:
    from nexusai._internal._observing import StreamObservation
    from nexusai.aio._internal._client import AsyncInternalClient

_DONE = b"[DONE]"
_EVENT_STREAM = "text/event-stream"
_FACTS = ("usage", "finish_reason", "model", "task_id")
_NO_ERROR = (None, False)
"""What some upstreams write into every chunk."""

_NO_PIECE = ("content", "role")
"""Of a delta: text is counted by itself, and who speaks is known from the start."""
_MOST_NOTES = 16
_LONGEST_NOTE = 64 * 1024

_EXCERPT = 500
_CANCEL_TIMEOUT = 1.0


class AsyncStreamProcessor:
    """Reads one event stream of the API, and knows whether it came to its end.

    One that is cut is taken up again where it was: by `Last-Event-ID` where the platform can; else before
    its first piece by asking anew, and then by what its task has come to. What was told once is not told
    again.

    A piece is text, or what else adds to the answer: a tool's call, reasoning. Of a task only the text is
    known, so that a stream with other pieces is not completed by it. All else is a note: who speaks, facts.
    """

    _stopped = False  # of the class: one that begins anew with another model has not forgotten it

    def __init__(self, client: AsyncInternalClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._watch: Optional[StreamObservation] = None
        self._exchange: Optional[AsyncExchange] = None
        self._opening: Optional[AsyncExchange] = None
        self._decoder = EventDecoder()
        self._last_content = 0.0
        self._last_id = ""
        self._placed = True  # whether the last id is that of the last piece, and of no other
        self._pieces = 0
        self._only_text = True
        self._notes: Deque[bytes] = deque(maxlen=_MOST_NOTES)
        self._again: List[JSONObject] = []  # notes that a stream which was taken up may tell once more
        self._known = ""  # of a stream that was taken up: the last id before
        self._task_id: Optional[str] = None
        self._resumable = False
        self._process = process()
        self._trouble: Optional[errors.APIError] = None
        self._failures = 0
        self._pieces_at_failure = 0
        self.parts: List[str] = []
        """The text so far, in pieces: joining them at each one would be quadratic."""
        self.facts: Dict[str, Any] = {}
        """What the chunks told besides text: usage, finish reason, model."""
        self.ended: bool = False
        """Whether the announced end has come."""
        self.route: Optional[Route] = None
        """Who answers, of those that a call with fallbacks named."""

    @property
    def has_begun(self) -> bool:
        """Whether a piece of the answer was told."""
        return self._pieces > 0

    @property
    def task_id(self) -> Optional[str]:
        """The stream's task, where the platform tells it."""
        told = self.facts.get("task_id") or self._task_id
        return str(told) if told else None

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators."""
        return self._header("x-request-id")

    def chunks(self) -> AsyncIterator[JSONObject]:
        """The chunks, up to the announced end.

        Raises:
            StreamError: the platform reported an error.
            StreamInterruptedError: the stream broke off, or ended unannounced, for good.
            APITimeoutError: it fell silent, or told nothing but heartbeats for `content_timeout`.
        """
        return self._watched() if self._client.observer.watches_streams else self._read()

    async def _watched(self) -> AsyncIterator[JSONObject]:
        """The same, told to the log and to OpenTelemetry."""
        watch = self._watch = self._client.observer.stream(self._call)
        chunks: Any = self._read()
        how, trouble = "left", None
        try:
            while True:
                with watch.active():
                    chunk = await async_following(chunks)
                if chunk is None:
                    break
                watch.came()
                yield chunk
            how = "read"
        except GeneratorExit:
            with watch.active():
                await async_finish(chunks.aclose)
            raise
        except BaseException as error:
            how, trouble = "failed" if isinstance(error, Exception) else "cancelled", error
            raise
        finally:
            facts = {**self.facts, "task_id": self.task_id, "text": "".join(self.parts)}
            watch.ended(how, trouble, facts, self.request_id)

    async def _read(self) -> AsyncIterator[JSONObject]:
        try:
            exchange = await self._open(self._call)
            while True:
                trouble = None
                try:
                    async for data in exchange.chunks():
                        for chunk in self._accept(data):
                            yield chunk
                        if self.ended and not exchange.hasten():
                            return
                    exchange.complete()
                except TransportError as error:
                    trouble = error
                resumed = await self._resume(trouble)
                if resumed is None:
                    break
                exchange = resumed
            for chunk in await self._rest_of_task():
                yield chunk
        except BaseException as error:
            data = b""  # what the platform sent is not shown by tracebacks: it may quote the key
            await self._part(error)
            raise
        finally:
            await self.aclose()

    async def _part(self, error: BaseException) -> None:
        """What is to be done before `error` goes on; nobody reads the rest if it is the reader's or ours."""
        if isinstance(error, Exception):
            forget_locals(error)
        if not isinstance(error, Exception) or isinstance(error, errors.InvalidResponseError):
            await async_finish(self._leave)

    async def _open(self, call: Call) -> AsyncExchange:
        try:
            exchange = await self._client.open(call, streaming=True, on_attempt=self._begins)
        except errors.APIError:
            self._heed_stop()
            raise
        finally:
            self._opening = None
        self._exchange = exchange
        if self._stopped:
            await self.aclose()
        self._heed_stop()
        kind = exchange.headers.get("content-type", _EVENT_STREAM)
        if kind.partition(";")[0].strip().lower() != _EVENT_STREAM:
            error = await self._no_stream(kind)
            await self.aclose()
            raise error
        self._decoder = EventDecoder()
        self._last_content = self._call.clock.monotonic()
        self._task_id = self._header("x-task-id") or self._task_id
        self._resumable = bool(self._task_id) and "resumable" in (self._header("preference-applied") or "")
        return exchange

    def _begins(self, attempt: AsyncExchange) -> None:
        self._opening = attempt
        self._heed_stop()

    async def _resume(self, cause: Optional[TransportError]) -> Optional[AsyncExchange]:
        """The stream from where it was; None where it has ended, or only its task is left to ask.

        Raises:
            APIError: this client has no more attempts, or no time.
        """
        if self.ended:
            return None
        self._heed_stop()
        trouble = self._trouble = self._broken(cause)
        await self.aclose()
        self._failures = 1 if self._pieces > self._pieces_at_failure else self._failures + 1
        self._pieces_at_failure = self._pieces
        client = self._client
        pause = self._pause()
        until = self._call.deadline if self.has_begun else min(self._call.deadline, self._call.retry_until)
        out_of_time = pause is None or self._call.clock.monotonic() + pause >= until
        if not client.resume_streams or self._failures > client.max_retries or out_of_time:
            raise trouble
        moves_on = self._failures == 1 and self.has_begun  # then it is no storm
        if not moves_on and not client.may_ask_again():
            trouble.message += " It was not asked for again: too many of this client's calls fail."
            raise trouble
        if self._watch is not None:
            self._watch.resumed(trouble)
        by_id = self._resumable and self._placed
        if self.has_begun and not by_id:
            return None
        await self._call.clock.async_sleep(pause or 0.0)
        self._heed_stop()
        try:
            self._again = [from_json(note.decode("utf-8", "replace")) for note in self._notes]
            self._known = self._last_id if by_id else ""
            return await self._open(self._further() if by_id else self._call)
        except (errors.APIError, ValueError) as error:
            self._heed_stop()
            trouble.message += f" It could not be taken up again: {error}"
            return None

    def _heed_stop(self) -> None:
        if self._stopped:
            raise self._interrupted("it was closed while it was read")

    def _further(self) -> Call:
        """Asks for what follows the last event.

        Raises:
            ValueError: a header cannot hold its id.
        """
        headers = {**_bodies.RESUMABLE, "last-event-id": _bodies.event_id(self._last_id)}
        path = _bodies.path("tasks", self._task_id or "", "events")
        return self._client.call("GET", path, headers=headers)._replace(deadline=self._call.deadline)

    def _pause(self) -> Optional[float]:
        """Seconds before the stream is asked for again; None where the platform wants too many."""
        wanted = self._decoder.retry
        usual = _retry.pause(self._failures - 1, None) if self._failures > 1 else 0.0
        asked = _retry.pause(1, wanted / 1000.0) if wanted is not None else 0.0
        return None if asked is None or usual is None else max(asked, usual)

    async def _rest_of_task(self) -> List[JSONObject]:
        """What the stream would still have told, by the output of its task.

        Raises:
            StreamError: the task has failed.
            APIError: what ended the stream, where there is no such output.
        """
        trouble = self._trouble
        if trouble is None or self.ended:
            return []
        if not self._only_text:
            trouble.message += " It has told more than text, and of its task only the text is known."
            raise trouble
        if self.task_id is None:
            raise trouble
        try:
            poller = AsyncTaskPoller(
                self._client, poll_timeout=self._client.timeout, deadline=self._call.deadline
            )
            task = await poller.wait(self.task_id)
        except errors.APIError:
            raise trouble from trouble.__cause__
        self._heed_stop()
        if task.status == "failed":
            failure = task.error or TaskFailure()
            raise errors.StreamError(failure.message, error_code=failure.code, **self._so_far())
        output = task.output or {}
        text, known = output.get("text"), "".join(self.parts)
        if task.status != "completed" or not isinstance(text, str) or not text.startswith(known):
            raise trouble
        self.ended = True
        facts = {
            name: output[name] for name in _FACTS if output.get(name) not in (None, self.facts.get(name))
        }
        self.facts.update(facts)
        rest: List[JSONObject] = []
        if text != known:
            self.parts.append(text[len(known) :])
            rest.append({"delta": {"content": self.parts[-1]}})
        return [*rest, facts] if facts else rest

    async def stop(self) -> None:
        """Leave, while another task or thread waits for the next chunk: it is told."""
        self._stopped = True
        exchange = self._opening or self._exchange
        if exchange is not None:
            await exchange.interrupt()
        await self._cancel()

    async def _leave(self) -> None:
        """Stop what nobody will read."""
        await self.aclose()
        await self._cancel()

    async def _cancel(self) -> None:
        """Tell the platform, which cannot know that this is no broken connection."""
        if not self._resumable or self.ended or self._process is not process():
            return  # in a forked child it is the parent's stream, who may read on
        call = self._client.call("POST", _bodies.path("tasks", self._task_id or "", "cancel"))
        with suppress(errors.APIError):
            await self._client.open(call._replace(timeout=_CANCEL_TIMEOUT), retries=0)

    async def aclose(self) -> None:
        """Give the connection back. An answer that was not read to its end stops at the platform."""
        if self._exchange is not None:
            await self._exchange.aclose()

    def _header(self, name: str) -> Optional[str]:
        return self._exchange.headers.get(name) if self._exchange is not None else None

    def _accept(self, data: bytes) -> Iterator[JSONObject]:
        """The chunks that these bytes complete; what follows the announced end is of no interest."""
        events = [] if self.ended else self._decode(data)
        now = self._call.clock.monotonic()
        for event in events:
            if event.data == _DONE:
                self.ended = True
                return
            chunk = self._chunk(event)
            if chunk is None:
                return
            if self._failures and self._was_told(event, chunk):
                continue
            if self._learn(event, chunk):
                self._last_content = now
            yield chunk
        if now - self._last_content > self._client.content_timeout:
            raise self._stalled()

    def _was_told(self, event: ServerSentEvent, chunk: JSONObject) -> bool:
        """Whether it had come before the connection broke.

        Pieces are known by their ids. A note may share that of the last piece, as the facts at the end do on
        our platform, whose ids count the characters of the text.
        """
        if _is_at_most(event.id, self._known) and (event.id != self._known or _has_piece(chunk)):
            return True
        if chunk not in self._again:
            return False
        self._again.remove(chunk)
        return True

    def _decode(self, data: bytes) -> List[ServerSentEvent]:
        try:
            return self._decoder.feed(data)
        except ValueError as error:
            raise errors.InvalidResponseError(
                f"The stream breaks its grammar: {error}.", request_id=self.request_id
            ) from error

    def _chunk(self, event: ServerSentEvent) -> Optional[JSONObject]:
        """What an event tells; None where it is the announced end, oddly written."""
        try:
            chunk = from_json(event.data, allow_inf_nan=False)
        except ValueError as error:
            chunk = self._salvaged(event, error)
            if chunk is None:
                return None
        if not isinstance(chunk, dict):
            raise self._not_a_chunk(event)
        if event.event == "error" or chunk.get("error") not in _NO_ERROR:
            raise self._reported(chunk)
        return chunk

    def _learn(self, event: ServerSentEvent, chunk: JSONObject) -> bool:
        """Keep what a new chunk tells; whether that is more than a heartbeat."""
        delta = chunk.get("delta")
        is_piece = bool(delta) and self._add(delta, event)
        if is_piece:
            self._pieces += 1
            self._placed = event.id not in ("", self._last_id)
        elif len(event.data) <= _LONGEST_NOTE:
            self._notes.append(event.data)
        self._last_id = event.id or self._last_id
        if delta and len(chunk) == 1:
            return is_piece  # most hold nothing else
        if not isinstance(delta, dict):
            chunk.pop("delta", None)  # some write `null` where there is none
        for name in _FACTS:
            if chunk.get(name) is not None:
                self.facts[name] = chunk[name]
        return is_piece or (event.event != "ping" and any(chunk[name] for name in chunk if name != "delta"))

    def _add(self, delta: Any, event: ServerSentEvent) -> bool:
        """Keep the text of a delta; whether that, or what else it has, is a piece of the answer."""
        text = delta.get("content") if isinstance(delta, dict) else delta
        if text and type(text) is str and text is not delta:
            self.parts.append(text)
            if len(delta) == 1:
                return True
        elif text:
            raise self._not_a_chunk(event)
        more = any(delta[name] for name in delta if name not in _NO_PIECE)
        self._only_text = self._only_text and not more
        return more or bool(text)

    def _salvaged(self, event: ServerSentEvent, error: ValueError) -> Any:
        """What is told by data that is no JSON as it stands."""
        if event.data.strip() == _DONE:
            self.ended = True
            return None
        text = event.data.decode("utf-8", "replace")  # as the standard reads every stream
        if event.event == "error":
            return {"error": {"message": text}}
        try:
            return from_json(text, allow_inf_nan=False)
        except ValueError:
            raise self._not_a_chunk(event) from error

    async def _no_stream(self, kind: str) -> errors.InvalidResponseError:
        assert self._exchange is not None  # noqa: S101 - it was just opened
        hide = self._client.redacted
        found = hide(await self._exchange.excerpt())[:_EXCERPT].decode("utf-8", "replace")
        shown = hide(kind.encode())[:_EXCERPT].decode("utf-8", "replace")
        return errors.InvalidResponseError(
            f"Expected an event stream, but the answer's content type is {shown}. Is `base_url` right?",
            self._exchange.status,
            response_body=found or None,
            **self._so_far(),
        )

    def _not_a_chunk(self, event: ServerSentEvent) -> errors.InvalidResponseError:
        data = self._client.redacted(event.data)[:200]
        return errors.InvalidResponseError(
            f"Expected a JSON object in an event of the stream, but found {data!r}.",
            **self._so_far(),
        )

    def _reported(self, chunk: JSONObject) -> errors.StreamError:
        chunk = from_json(self._client.redacted(to_json(chunk)))
        inner = chunk.get("error")
        facts: JSONObject = inner if isinstance(inner, dict) else {"message": inner} if inner else chunk
        code = facts.get("code")
        message = str(facts.get("message") or "The platform reported an error in the stream.")
        return errors.StreamError(
            message[:_EXCERPT],
            error_code=str(code)[:_EXCERPT] if code is not None else None,
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
        forget_locals(error)
        if not error.timed_out or self._exchange is None:
            failure: errors.APIError = self._interrupted(self._client.masked(str(error))[:_EXCERPT])
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


def _is_at_most(seen: str, known: str) -> bool:
    """Whether one event's number is not above another's. What is no number is only known to be the same."""
    if seen.isdecimal() and known.isdecimal():
        return (len(seen), seen) <= (len(known), known)
    return seen == known != ""


def _has_piece(chunk: JSONObject) -> bool:
    delta = chunk.get("delta")
    return isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")


class AsyncTextStream:
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

    def __init__(
        self,
        client: AsyncInternalClient,
        call: Call,
        processor: Optional[AsyncStreamProcessor] = None,
    ) -> None:
        self._processor = processor or AsyncStreamProcessor(client, call)
        # The generator must not refer to this object: what nobody refers to any more is closed at
        # once, without waiting for the garbage collector to find a cycle.
        self._chunks = self._processor.chunks()

    def __aiter__(self) -> AsyncTextStream:
        return self

    async def __anext__(self) -> TextChunk:
        return cast("TextChunk", await self._chunks.__anext__())

    @property
    def text_deltas(self) -> AsyncIterator[str]:
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
            InvalidResponseError: the platform told something wrong about it.
        """
        if not self._processor.ended:
            raise errors.StreamError(
                "The stream has not been read to its end: iterate over it, or call `read()`.",
                partial_text=self.text,
                task_id=self.task_id,
                request_id=self.request_id,
            )
        facts = {name: fact for name, fact in self._processor.facts.items() if name != "task_id"}
        try:
            result = TextResponse.model_validate({"text": self.text, **facts})
        except pydantic.ValidationError as error:
            raise errors.InvalidResponseError(
                f"The stream told facts about its text that cannot be: {_responses.first_problem(error)}.",
                partial_text=self.text,
                request_id=self.request_id,
            ) from error
        result._request_id, result._route = self.request_id, self._processor.route
        return result

    async def read(self) -> TextResponse:
        """Read what is left, and return the whole answer."""
        async for _ in self:
            pass
        return self.response

    async def aclose(self) -> None:
        """Close the connection; the platform stops generating.

        Another task or thread may just wait for the next chunk: there, `StreamInterruptedError` is raised.
        """
        try:
            await self._chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
        except (RuntimeError, ValueError):  # which is running
            await self._processor.stop()
        else:
            await self._processor.aclose()

    async def __aenter__(self) -> AsyncTextStream:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


async def _text_of(stream: AsyncTextStream) -> AsyncIterator[str]:
    async for chunk in stream:
        text = chunk.get("delta", {}).get("content")
        if text:
            yield text
