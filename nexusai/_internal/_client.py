# Generated from nexusai/aio/_internal/_client.py by scripts/unasync.py: edit that file.

"""InternalClient: send, retry, keep deadlines."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Type

from nexusai import error as errors
from nexusai.__version__ import __version__
from nexusai._internal import _bodies, _responses, _retry, _stand_in
from nexusai._internal._download import Download
from nexusai._internal._exchange import Call, Exchange
from nexusai._internal._kept import KeptAnswers
from nexusai._internal._observing import Observer, OnRequest, OnResponse, set_up_logging, telemetry_of
from nexusai._internal._pool import Pools
from nexusai._internal._responses import Answer, M, R
from nexusai._internal._runtime import CLOCK, Clock
from nexusai._internal._streaming import StreamProcessor
from nexusai._internal._transport import Transport, Url, parse_url
from nexusai._internal._upload import Upload
from nexusai.config import config, hidden, hidden_headers, hidden_options
from nexusai.constants import CONTENT_TIMEOUT_FACTOR, DEFAULT_MAX_RESPONSE_BYTES
from nexusai.models import Page

if TYPE_CHECKING:
    from nexusai._internal._telemetry import Telemetry
    from nexusai.cache import Cache

_FOREVER = float("inf")
_NOT_PORTABLE = {
    "http_client": "its connections are of this process",
    "on_request": "its hooks are of this process",
    "on_response": "its hooks are of this process",
    "default_headers": "any of them may be a secret",
}
_AGENT = f"nexus-ai-python/{__version__}"
_UNCHANGED = {"accept-encoding": "identity"}
"""Of a file: its size, its checksum and where it broke off are told of what is not compressed."""
_PLAIN = [(b"user-agent", _AGENT.encode("ascii")), (b"accept-encoding", b"identity")]
"""The headers of a request to somebody else."""


class InternalClient:
    """Speaks HTTP with the platform, for all resources of a client.

    Raises:
        AuthenticationError: there is no usable API key.
        ValueError: a setting is not what it must be.
        ImportError: `transport="fast"` is not installed.
    """

    longest: float = _FOREVER
    """Bytes of a file that are read at once: the platform's may be of any length."""

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        *,
        poll_interval: Optional[float] = None,
        poll_timeout: Optional[float] = None,
        total_timeout: Optional[float] = None,
        content_timeout: Optional[float] = None,
        resume_streams: Optional[bool] = None,
        default_headers: Optional[Mapping[str, str]] = None,
        http_client: Any = None,
        transport: Optional[str] = None,
        on_request: Optional[OnRequest] = None,
        on_response: Optional[OnResponse] = None,
        otel: Optional[bool] = None,
        cache: Optional[Cache] = None,
    ) -> None:
        api_key, default_headers = hidden(api_key), hidden_headers(default_headers)
        set_up_logging()
        settings = config.resolve(
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            poll_interval=poll_interval,
            poll_timeout=poll_timeout,
            total_timeout=total_timeout,
            content_timeout=content_timeout,
            resume_streams=resume_streams,
            otel=otel,
            transport=transport,
        )
        self._stand_in = http_client if isinstance(http_client, _stand_in.StandIn) else None
        self._own = None if http_client is None or self._stand_in else _own_transport(http_client)
        self._api_key = _bodies.checked_key(settings["api_key"])
        self.base_url: str = settings["base_url"]
        self._base = parse_url(self.base_url)
        self.timeout: float = settings["timeout"]
        fast = settings["transport"] == "fast" and http_client is None
        self._engine: Any = _fast_engine(self._base, self.timeout) if fast else None
        self.max_retries: int = settings["max_retries"]
        self.poll_interval: float = settings["poll_interval"]
        self.poll_timeout: float = settings["poll_timeout"]
        self.total_timeout: Optional[float] = settings["total_timeout"]
        self.content_timeout: float = settings["content_timeout"] or CONTENT_TIMEOUT_FACTOR * self.timeout
        self.resume_streams: bool = settings["resume_streams"]
        self.max_body_bytes: int = settings.pop("max_body_bytes")
        self._headers = _bodies.checked_headers(
            {
                "authorization": f"Bearer {self._api_key}",
                "user-agent": _AGENT,
                "accept": "application/json, text/event-stream",
                "accept-encoding": "identity",
                **{name.lower(): value for name, value in (default_headers or {}).items()},
            }
        )
        way = partial(_open_transport, self._own, self._base, self._engine)
        self._pools = Pools(way, settings.pop("max_connections"))
        self._options: Dict[str, Any] = {
            **settings,
            "default_headers": default_headers,
            "http_client": http_client,
            "on_request": on_request,
            "on_response": on_response,
            "cache": cache,
        }
        self.telemetry: Optional[Telemetry] = telemetry_of(settings["otel"], self.base_url, self._api_key)
        """OpenTelemetry; None where it is off."""
        self.observer: Observer = Observer(on_request, on_response, self._api_key, self.telemetry)
        self.kept: Optional[KeptAnswers] = (
            None if cache is None else KeptAnswers(cache, self.base_url, self._headers, self._api_key)
        )
        """What this client keeps of the platform's answers; None where it keeps nothing."""
        self._budget = _retry.RetryBudget()
        self.long_polls: Optional[bool] = None
        """Whether the platform waits when it is asked to; None until it has been asked."""

    @property
    def options(self) -> Dict[str, Any]:
        """The arguments that make another client like this one."""
        return self._options

    @property
    def stand_in(self) -> Optional[_stand_in.StandIn]:
        """What takes the network's place; None where nothing does."""
        if self._stand_in is not None or self._own is not None or not _stand_in.installed:
            return self._stand_in
        return _stand_in.current()

    @property
    def clock(self) -> Clock:
        """What this client tells the time by."""
        stand_in = self.stand_in
        return CLOCK if stand_in is None else stand_in.clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__} base_url={getattr(self, 'base_url', None)!r}>"

    def redacted(self, content: bytes) -> bytes:
        """`content` without the key, which a platform may have quoted."""
        return _responses.redacted(content, self._api_key)

    def masked(self, text: str) -> str:
        """The same of a text."""
        return _bodies.masked(text, self._api_key)

    @property
    def portable(self) -> Dict[str, Any]:
        """The arguments that make another client like this one in another process: all but the key.

        Raises:
            TypeError: there are some that cannot, or must not, go there.
        """
        for name, why in _NOT_PORTABLE.items():
            if self._options[name]:
                raise TypeError(
                    f"A client with `{name}` cannot be pickled: {why}. Make a client where it is needed."
                )
        return {
            name: value for name, value in self._options.items() if name != "api_key" and value is not None
        }

    def __reduce__(self) -> Tuple[Any, ...]:
        return _unpickled, (type(self), self.portable)

    def __copy__(self) -> InternalClient:
        return self.with_options()

    def __deepcopy__(self, memo: Any) -> InternalClient:
        return self.with_options()  # not by way of a pickle, which has no key

    def with_options(self, **changes: Any) -> InternalClient:
        """A client that differs in these arguments, on the same connections where it can."""
        changes = hidden_options(changes)
        unknown = set(changes) - set(self._options)
        if unknown:
            raise TypeError(f"with_options: no such option: {', '.join(sorted(unknown))}")
        other = type(self)(**{**self._options, **changes})
        if not {"base_url", "http_client", "transport"} & set(changes):
            other._pools, other._budget = self._pools, self._budget
        return other

    def request(
        self,
        method: str,
        endpoint: str,
        json: Optional[Dict[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        **kwargs: Any,
    ) -> Any:
        """Call an endpoint, and return the JSON of its answer: mostly a dict (`{}` where there is none).

        `endpoint` is a path below the base URL, such as `/tasks/task_1`. Further keywords: `params`
        (the query), `timeout` (seconds, for one attempt of this call).
        """
        return _responses.read_json(self.send(method, endpoint, json, headers=headers, **kwargs))

    def fetch(self, model: Type[R], method: str, path: str, json: Any = None, **options: Any) -> R:
        """Call an endpoint that answers with a `model`."""
        if self.telemetry is None:
            return self._fetched(model, method, path, json, options)
        with self.telemetry.operation(method, path, json) as operation:
            result = self._fetched(model, method, path, json, options)
            operation.told(result)
            return result

    def _fetched(self, model: Type[R], method: str, path: str, json: Any, options: Mapping[str, Any]) -> R:
        if self.kept is None:
            return _responses.read_model(self.send(method, path, json, **options), model)
        read = partial(_responses.read_model, model=model)
        return self.kept.fetch(self, read, method, path, json, **options)

    def fetch_page(self, field: str, item: Type[M], path: str, params: Mapping[str, Any]) -> Page[M]:
        """Call an endpoint that answers with a listing."""
        if self.kept is not None:
            read = partial(_responses.read_page, field=field, item=item)
            return self.kept.fetch(self, read, "GET", path, params=params)
        answer = self.send("GET", path, params=params)
        return _responses.read_page(answer, field, item)

    def stream(
        self,
        method: str,
        endpoint: str,
        json: Optional[Dict[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        **kwargs: Any,
    ) -> Iterator[Dict[str, Any]]:
        """Call an endpoint that answers with an event stream, and iterate over its chunks."""
        call = self.stream_call(method, endpoint, json, headers=headers, **kwargs)
        processor = StreamProcessor(self, call)
        try:
            for chunk in processor.chunks():
                yield chunk
        finally:
            processor.close()

    def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        params: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        deadline: Optional[float] = None,
        retry_until: float = _FOREVER,
    ) -> Answer:
        """Call an endpoint, trying again where that is safe, and return its whole answer.

        `deadline`, on the monotonic clock, is that of a larger call which this one is a part of.

        Raises:
            APIError: the one that tells what happened, with all attempts.
        """
        call = self.call(method, path, json, headers=headers, params=params, timeout=timeout)
        if deadline is not None:
            call = call._replace(deadline=deadline, retry_until=retry_until)
        if self.telemetry is None:
            return (self.open(call)).answer
        with self.telemetry.operation(method, path, json):
            return (self.open(call)).answer

    def upload(self, path: str, upload: Upload, model: Type[R], deadline: Optional[float] = None) -> R:
        """Send a form, as it is read, to an endpoint that answers with a `model`.

        `timeout` bounds each silence, not the whole: how long an upload takes depends on its size.
        """
        call = self.call("POST", path, headers={"content-type": upload.content_type})
        lines = dict(call.headers)
        if upload.content_length is not None:
            lines[b"content-length"] = str(upload.content_length).encode("ascii")
        until = call.deadline if deadline is None else deadline
        call = call._replace(headers=list(lines.items()), body=upload, deadline=until)
        if self.telemetry is None:
            return _responses.read_model((self.open(call)).answer, model)
        with self.telemetry.operation("POST", path):
            return _responses.read_model((self.open(call)).answer, model)

    def download(self, path: str) -> Download:
        """Ask for the content at a path below the base URL."""
        span = None if self.telemetry is None else self.telemetry.operation("GET", path)
        return Download.begin(self, self.call("GET", path, headers=_UNCHANGED), span)

    def download_url(self, address: str) -> Download:
        """Ask for the content at an address that the platform told, whole or relative to its own.

        The API key and the default headers go to the platform only.
        """
        call = self.call("GET", "/", headers=_UNCHANGED)
        try:
            url = call.url.join(address)
        except ValueError as error:
            raise errors.InvalidResponseError(
                f"Expected the address of a file, but found {address[:200]!r}."
            ) from error
        if url.origin == call.url.origin:
            span = None if self.telemetry is None else self.telemetry.download(url)
            return Download.begin(self, call._replace(url=url), span)
        span = None if self.telemetry is None else self.telemetry.elsewhere(url)
        call = call._replace(url=url, headers=_PLAIN)
        return Download.begin(_Elsewhere(self, url), call, span)

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        params: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
    ) -> Call:
        """Everything that stays the same over the attempts of a call."""
        if not path.startswith("/"):
            raise ValueError(f"endpoint: expected a path like /tasks, not {path!r}")
        given = _bodies.checked_headers({name.lower(): value for name, value in (headers or {}).items()})
        lines = dict(self._headers)
        body = None
        if json is not None:
            body = _bodies.json_body(json, self.max_body_bytes)
            lines[b"content-type"] = b"application/json"
        if method == "POST":
            lines.setdefault(b"idempotency-key", _bodies.idempotency_key())
        lines.update(given)
        return Call(
            method=method,
            url=self._base.below(path, _bodies.query(params or {})),
            headers=list(lines.items()),
            body=body,
            timeout=self.timeout if timeout is None else config.checked("timeout", timeout),
            deadline=self.deadline(),
            total_timeout=self.total_timeout,
            clock=self.clock,
        )

    def deadline(self) -> float:
        """When a call that begins now must have ended, on the monotonic clock."""
        return self.clock.monotonic() + self.total_timeout if self.total_timeout else _FOREVER

    def stream_call(self, method: str, path: str, json: Any = None, **options: Any) -> Call:
        """A call that answers with a stream, which can be taken up again if this client does so."""
        call = self.call(method, path, json, **options)
        if not self.resume_streams or any(name == b"prefer" for name, _ in call.headers):
            return call
        return call._replace(headers=[*call.headers, *_bodies.checked_headers(_bodies.RESUMABLE)])

    def open(
        self,
        call: Call,
        *,
        streaming: bool = False,
        pools: Optional[Pools] = None,
        retries: Optional[int] = None,
        on_attempt: Optional[Callable[[Exchange], None]] = None,
    ) -> Exchange:
        """Send until there is an answer below 300. Each attempt is told before it begins.

        An ordinary answer is read within the same attempt, so that a body which breaks off is tried
        again like everything else. A `streaming` one is left to the caller, and holds its slot until
        the exchange is closed.
        """
        attempts: List[errors.Attempt] = []
        lost = False  # whether an attempt may have done its work, unheard
        call = call if pools is not None else self._propagated(call)  # who else is asked learns nothing of it
        pools = pools or self._current_pools()
        self._budget.earn()
        while True:
            exchange = Exchange(pools, call, self._api_key, streaming=streaming)
            if on_attempt is not None:
                on_attempt(exchange)
            observation = self.observer.begin(call, len(attempts) + 1)
            try:
                exchange.begin()
                if observation is not None:
                    observation.answered(exchange.status, exchange.request_id)
                return exchange
            except errors.APIError as failure:
                error = failure
            except BaseException:
                if observation is not None:
                    observation.interrupted()
                raise
            limit = self.max_retries if retries is None else retries
            delay = self._delay(error, len(attempts) + 1, call) if len(attempts) < limit else None
            if observation is not None:
                observation.failed(error, delay)
            if lost and _is_gone(error, call.method):
                exchange.settle()
                return exchange
            lost = lost or _may_have_worked(error)
            attempts.append(
                errors.Attempt(
                    self.masked(_outcome(error)),
                    error.request_id,
                    delay if delay is not None else 0.0,
                )
            )
            if delay is None:
                error.attempts = tuple(attempts)
                raise error
            call.clock.sleep(delay)

    def warmup(self) -> None:
        """Open a connection now, so that the first call need not.

        Raises:
            NetworkError, APITimeoutError: the platform cannot be reached.
        """
        call = self.call("GET", "/")
        with suppress(errors.NotFoundError):  # then it has answered, which is all that is wanted
            self.open(call._replace(url=self._base._replace(target="/health")))

    def may_ask_again(self) -> bool:
        """Whether a retry is left in this client's budget, which it then costs."""
        return self._budget.spend()

    def _delay(self, error: errors.APIError, failures: int, call: Call) -> Optional[float]:
        """Seconds until the next attempt; None where there must be none."""
        if not _may_repeat(error, call.method, first=failures == 1):
            return None
        if isinstance(call.body, Upload) and not call.body.repeatable:
            return None  # what was read of it is gone, and sending the rest would be another file
        delay = _retry.pause(failures, error.retry_after)
        if delay is None or call.clock.monotonic() + delay >= min(call.deadline, call.retry_until):
            return None
        # A limit says when to come back, so coming back is no storm.
        if error.status_code != 429 and not self._budget.spend():
            error.message += " It was not tried again: too many of this client's calls fail."
            return None
        return delay

    def _propagated(self, call: Call) -> Call:
        """The call, as part of the caller's trace."""
        return call if self.telemetry is None else self.telemetry.propagated(call)

    def _current_pools(self) -> Pools:
        stand_in = self.stand_in
        pools: Pools = self._pools if stand_in is None else stand_in.pools
        return pools

    def transport_to(self, url: Url) -> Transport:
        """A way to the origin of `url`, which is not the platform's."""
        stand_in = self.stand_in
        if stand_in is not None:
            transport: Transport = stand_in.transport
            return transport
        if self._own is not None:
            return _own_transport(self._options["http_client"], elsewhere=True)
        engine = None if self._engine is None else _fast_engine(url, self.timeout)
        return _open_transport(None, url, engine)

    def close(self) -> None:
        """Close all connections."""
        self._pools.close()


def _unpickled(cls: Type[InternalClient], options: Dict[str, Any]) -> InternalClient:
    try:
        return cls(**options)
    except errors.AuthenticationError as error:
        error.message += " A client is pickled without its key, and needs one where it is unpickled."
        raise


@lru_cache(maxsize=8)
def client_like(options: Tuple[Tuple[str, Any], ...], generation: int) -> InternalClient:
    """The client of results that were unpickled here: one for all that came from the same client.

    `generation` is that of `nexusai.config`, which has the key.
    """
    return _unpickled(InternalClient, dict(options))


class _Elsewhere:
    """Opens calls to another origin, over connections of their own."""

    def __init__(self, client: InternalClient, url: Url) -> None:
        self._client = client
        self._pools = Pools(lambda: client.transport_to(url), 1)
        self.max_retries = client.max_retries
        self.longest: float = DEFAULT_MAX_RESPONSE_BYTES

    def open(self, call: Call, *, streaming: bool = False) -> Exchange:
        """Send until an answer has begun. Its connection is closed when it has been read."""
        try:
            return self._client.open(call, streaming=streaming, pools=self._pools)
        finally:
            self._pools.close()


def _open_transport(own: Optional[Transport], url: Url, engine: Any) -> Transport:
    # Not a method: pools that refer to their client would keep both, and their connections, until the garbage
    # collector finds the cycle.
    if own is not None:
        return own
    if engine is not None:
        from nexusai._internal._fast import FastTransport

        return FastTransport(engine)
    from nexusai._internal._wire import Wire

    return Wire(url)


def _own_transport(http_client: Any, *, elsewhere: bool = False) -> Transport:
    from nexusai._internal._httpx import ClientTransport

    return ClientTransport(http_client, elsewhere=elsewhere)


def _fast_engine(origin: Url, timeout: float) -> Any:
    if sys.version_info < (3, 11):
        raise ImportError("transport='fast' needs Python 3.11 or later. Use transport='httpx'.")
    try:
        from nexusai._internal._pyreqwest import Engine
    except ImportError as error:
        raise ImportError(
            "transport='fast' is not installed here: pip install 'nexus-ai-sdk[fast]'."
        ) from error
    return Engine(origin, timeout)


def _may_repeat(error: errors.APIError, method: str, *, first: bool) -> bool:
    """Whether sending a request again, after its `first` attempt or a later one, is safe, and may help."""
    if error.status_code == 409 and error.retry_after is not None:
        return method == "POST" and not first  # what our first attempt has begun still runs
    if error.status_code is not None:
        return error.status_code in _retry.RETRYABLE_STATUSES
    if not isinstance(error, (errors.NetworkError, errors.APITimeoutError)):
        return False
    if getattr(error, "pool_is_full", False):
        return False  # it has waited in line for as long as it may
    if not getattr(error, "sent", True) and "certificate" in error.message.lower():
        return False  # who is not trusted now will not be in a second
    # Silence after a POST mostly means that the work takes longer than `timeout`: asking for
    # it again would only start it again, where the platform knows no idempotency keys.
    silent = isinstance(error, errors.APITimeoutError) and getattr(error, "sent", False)
    return not (silent and method == "POST")


def _may_have_worked(error: errors.APIError) -> bool:
    """Whether the platform may have done what was asked, though its answer does not say so."""
    return getattr(error, "sent", False) or error.status_code in (500, 502, 504)


def _is_gone(error: errors.APIError, method: str) -> bool:
    """Whether what was to be deleted is not there."""
    return method == "DELETE" and isinstance(error, errors.NotFoundError)


def _outcome(error: errors.APIError) -> str:
    if error.status_code is not None:
        return str(error.status_code)
    cause = error.__cause__
    return str(cause) if cause is not None else error.message
