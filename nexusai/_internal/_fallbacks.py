# Generated from nexusai/aio/_internal/_fallbacks.py by scripts/unasync.py: edit that file.

"""Asking in turn: whom a call names, then its fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

from nexusai import error as errors
from nexusai._internal._choices import Choices, Limits
from nexusai._internal._exchange import Call
from nexusai._internal._observing import logger
from nexusai._internal._runtime import finish
from nexusai._internal._streaming import StreamProcessor
from nexusai.constants import FALLBACK_PATIENCE
from nexusai.models import Result
from nexusai.types import JSONObject

if TYPE_CHECKING:
    from nexusai._internal._client import InternalClient


def first_answer(
    client: InternalClient, choices: Choices, attempt: Any, deadline: Optional[float] = None
) -> Any:
    """The result of the first who can answer, which tells its route.

    `attempt(body, limits)` asks one of them, by a call of its own. All have one `deadline`: the client's, if
    none is given.

    Raises:
        APIError: nobody could, or one has failed for another reason than an outage.
    """
    until = client.deadline() if deadline is None else deadline
    while True:
        choice = choices.current
        try:
            result: Result = attempt(choice.body, limits_of(client, choices, until))
        except errors.APIError as error:
            if not goes_on(client, choices, error, until):
                raise
        else:
            result._route = choice.route
            return result


def goes_on(client: InternalClient, choices: Choices, error: errors.APIError, deadline: float) -> bool:
    """Whether the next one is to be asked because of `error`."""
    if not choices.move_on(error, in_time=client.clock.monotonic() < deadline):
        return False
    logger.info("%s Asking another: %s", error, choices.current.route)
    return True


def limits_of(client: InternalClient, choices: Choices, deadline: float) -> Limits:
    """Of the call to the current choice. While there is another, it is not waited for long."""
    if choices.is_last:
        return Limits(deadline)
    return Limits(deadline, client.clock.monotonic() + FALLBACK_PATIENCE)


class FallbackProcessor(StreamProcessor):
    """Reads the stream of the first who begins to answer. Whoever has begun is not left any more."""

    def __init__(self, client: InternalClient, call: Call, choices: Choices) -> None:
        super().__init__(client, call)
        self._choices = choices

    def chunks(self) -> Iterator[JSONObject]:
        """The chunks, up to the announced end."""
        client, choices, deadline = self._client, self._choices, self._call.deadline
        call = self._call
        while True:
            limits = limits_of(client, choices, deadline)
            self._begin(call._replace(deadline=deadline, retry_until=limits.retry_until))
            inner: Any = super().chunks()
            try:
                for chunk in inner:
                    yield chunk
                return
            except errors.APIError as error:
                if self._stopped or self.has_begun or not goes_on(client, choices, error, deadline):
                    raise
            finally:
                finish(inner.close)
            call = client.stream_call("POST", "/invoke", choices.current.body)

    def _begin(self, call: Call) -> None:
        """Forget what another has told."""
        super().__init__(self._client, call)
        self.route = self._choices.current.route
