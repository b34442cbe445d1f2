"""Event streams: bytes → chunks, and the text they carry."""

from __future__ import annotations

import time
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, cast

from pydantic_core import from_json
from typing_extensions import Protocol

from nexusai import error as errors
from nexusai._internal._sse import EventDecoder, ServerSentEvent
from nexusai._internal._transport import TransportError
from nexusai.aio._internal._exchange import AsyncExchange, Call
from nexusai.models import TextResponse
from nexusai.types import JSONObject, TextChunk

_DONE = b"[DONE]"


class AsyncOpener(Protocol):
    """What a stream needs of its client."""

    content_timeout: float

    async def open(self, call: Call, *, streaming: bool = False) -> AsyncExchange:
        """Send until an answer has begun."""
        ...


class AsyncStreamProcessor:
    """Reads one event stream of the API, and knows whether it came to its end."""

    def __init__(self, client: AsyncOpener, call: Call) -> None:
        self._client = client
        self._call = call
        self._exchange: Optional[AsyncExchange] = None
        self._decoder = EventDecoder()
        self._last_content = 0.0
        self.parts: List[str] = []
        """The text so far, in pieces: joining them at each one would be quadratic."""
        self.facts: Dict[str, Any] = {}
        """What the chunks told besides text: usage, finish reason, model."""
        self.ended = False
        """Whether the announced end has come."""

    @property
    def task_id(self) -> Optional[str]:
        """The stream's task, where the platform tells it."""
        told = self.facts.get("task_id") or self._header("x-task-id")
        return str(told) if told else None

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators."""
        return self._header("x-request-id")

    async def chunks(self) -> AsyncIterator[JSONObject]:
        """The chunks, up to the announced end.

        Raises:
            StreamError: the platform reported an error.
            StreamInterruptedError: the stream broke off, or ended unannounced.
            APITimeoutError: it fell silent, or sent only heartbeats for `content_timeout`.
        """
        exchange = self._exchange = await self._client.open(self._call, streaming=True)
        self._last_content = time.monotonic()
        try:
            async for data in exchange.chunks():
                for chunk in self._accept(data):
                    yield chunk
                if self.ended and not exchange.hasten():
                    return
            exchange.complete()
        except TransportError as error:
            if not self.ended:
                raise self._broken(error) from error
        finally:
            await self.aclose()
        if not self.ended:
            raise self._interrupted("it ended without [DONE]")

    async def aclose(self) -> None:
        """Give the connection back. An answer that was not read to its end stops at the platform."""
        if self._exchange is not None:
            await self._exchange.aclose()

    def _header(self, name: str) -> Optional[str]:
        return self._exchange.headers.get(name) if self._exchange is not None else None

    def _accept(self, data: bytes) -> Iterator[JSONObject]:
        """The chunks that these bytes complete; what follows the announced end is of no interest."""
        events = [] if self.ended else self._decode(data)
        now = time.monotonic()
        if events:
            self._last_content = now
        elif now - self._last_content > self._client.content_timeout:
            raise self._stalled()
        for event in events:
            if event.data == _DONE:
                self.ended = True
                return
            yield self._chunk(event)

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
        for name in ("usage", "finish_reason", "model", "task_id"):
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

    def _broken(self, error: TransportError) -> errors.APIError:
        if not error.timed_out or self._exchange is None:
            return self._interrupted(str(error))
        failure = self._exchange.failure(error)
        failure.__dict__.update(self._so_far())
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


class AsyncTextStream:
    """Text as it is generated. Iterating gives the chunks, as dicts.

        stream = client.text.stream("Tell me a story")
        for text in stream.text_deltas:
            print(text, end="")
        print(stream.response.usage)

    The request is sent when iteration begins. Leaving a loop early closes the connection, which stops
    the generation, as soon as nothing refers to the stream any more; `with` and `close()` do so at
    once.
    """

    def __init__(self, client: AsyncOpener, call: Call) -> None:
        self._processor = AsyncStreamProcessor(client, call)
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

    async def read(self) -> TextResponse:
        """Read what is left, and return the whole answer."""
        async for _ in self:
            pass
        return self.response

    async def aclose(self) -> None:
        """Close the connection; the platform stops generating."""
        await self._chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
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
