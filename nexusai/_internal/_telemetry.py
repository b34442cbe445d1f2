"""OpenTelemetry: a span for each call, and metrics. Imported only where a client has it switched on.

Names are those of the GenAI semantic conventions, as released. What a span holds of an error is its
class, status and code: messages may quote prompts and answers, which are told only where the program
asks for it (`CAPTURE`).
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import unquote

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from nexusai import error as errors
from nexusai.__version__ import __version__
from nexusai._internal._bodies import masked
from nexusai._internal._runtime import renewed_in_children
from nexusai._internal._transport import Url, parse_url
from nexusai.constants import MAX_TELEMETRY_CONTENT_BYTES
from nexusai.models import Result, SearchResponse, SearchResult, SessionResponse, Task

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
Attributes = Dict[str, Any]

_CAPTURING = ("true", "1", "span_only", "span_and_event")
_OPERATION = context.create_key("nexusai-operation")
_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]
_API = ("opentelemetry.trace", "opentelemetry.metrics")
"""Where the API's own providers are, which keep nothing."""
_LONGEST = 500
"""Characters of an attribute that is no content."""
_HUGE = 2.0**63
_MOST = 20
"""Items of one that is a list."""

_TASKS = {
    "text_generation": ("chat", None),
    "image_generation": ("generate_content", "image"),
    "text_to_speech": ("generate_content", "speech"),
    "speech_to_text": ("generate_content", "text"),
}
"""Task types: the operation's name by the conventions, and what it puts out."""
_OPTIONS = {
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "top_k": ("gen_ai.request.top_k", int),
    "seed": ("gen_ai.request.seed", int),
}
_COLLECTIONS = {
    "documents": "{doc_id}",
    "files": "{file_id}",
    "knowledge-bases": "{kb_id}",
    "sessions": "{session_id}",
    "tasks": "{task_id}",
}
_WORDS = {*_COLLECTIONS, "cancel", "content", "embeddings", "events", "health", "history", "invoke", "models"}
_WORDS.add("search")
_SHARED = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "server.address",
    "server.port",
)
"""Attributes that a call's metrics share with its span."""


class Instruments(NamedTuple):
    """What is measured."""

    duration: Any
    tokens: Any
    first_chunk: Any
    retries: Any


@lru_cache(maxsize=1)
def instruments() -> Instruments:
    """Made once in a process: the SDK warns of a second one of the same name."""
    meter = metrics.get_meter("nexusai", __version__)

    def histogram(name: str, unit: str, description: str, boundaries: List[Any]) -> Any:
        try:
            return meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=boundaries
            )
        except TypeError:  # an API older than 1.30, which the program has chosen
            return meter.create_histogram(name, unit, description)

    return Instruments(
        histogram("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS),
        histogram("gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS),
        histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to receive the first chunk.", _SECONDS
        ),
        meter.create_counter("nexusai.client.retries", "{retry}", "Attempts after the first."),
    )


class Begun(NamedTuple):
    """A call that has handed a task over, which somebody may wait for later."""

    span: Any
    attributes: Attributes


class Tasks:
    """What this process has begun, the last of it: waiting for a task is linked to the call that began it."""

    def __init__(self, size: int = 4096) -> None:
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        self._size = size
        self._renew()
        renewed_in_children(self)

    def _renew(self) -> None:
        """This is a new process: nobody in it holds the lock."""
        self._lock = threading.Lock()

    def put(self, task_id: str, begun: Begun) -> None:
        """A task was handed over."""
        with self._lock:
            self._begun[task_id] = begun
            if len(self._begun) > self._size:
                self._begun.popitem(last=False)

    def get(self, task_id: str) -> Optional[Begun]:
        """The call that has begun a task; None where it is not known here."""
        return self._begun.get(task_id)


tasks = Tasks()


class Telemetry:
    """Makes the spans of a client's calls."""

    def __init__(self, base_url: str, secret: str) -> None:
        base = parse_url(base_url)
        self._secret = secret
        self._server = _server(base)
        self._base = base.target.rstrip("/")
        self._tracer = trace.get_tracer("nexusai", __version__)
        self.captures: bool = os.environ.get(CAPTURE, "").strip().lower() in _CAPTURING
        self.instruments: Instruments = instruments()

    def operation(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Span:
        """The span of a call; within that of another call, a part of it. Use it as `with`, or `end` it."""
        other = _instead()
        if other is not None:
            return other
        known = body if isinstance(body, dict) else {}
        name, attributes = describe(method, path, known)
        return Operation(self, name, {**self._server, **attributes}, self.inputs(path, known))

    def stream(self, call: Any) -> Span:
        """The span of a call that answers with a stream."""
        return self.operation(call.method, self._path(call.url), json.loads(call.body or b"{}"))

    def waiting(self, task_id: str) -> Span:
        """The span of waiting for a task that another call has begun."""
        other = _instead()
        if other is not None:
            return other
        name, attributes = describe("GET", f"/tasks/{task_id}", {})
        begun = tasks.get(task_id)
        waiting = Operation(self, name, {**self._server, **attributes}, {}, begun=begun)
        waiting.awaits = True
        return waiting

    def download(self, url: Url) -> Span:
        """The span of a download from an address at the platform."""
        return self.operation("GET", self._path(url))

    def elsewhere(self, url: Url) -> Span:
        """The span of a download from another origin."""
        other = _instead()
        if other is not None:
            return other
        return Operation(self, "GET", {**_server(url), "http.request.method": "GET"}, {})

    def workflow(self, name: str) -> Union[Operation, Nothing]:
        """The span around several calls that have spans of their own."""
        if _nobody_listens():
            return NOTHING
        attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
        return Operation(self, f"invoke_workflow {name}", attributes, {}, kind=SpanKind.INTERNAL)

    def _path(self, url: Url) -> str:
        """Below the base URL."""
        path = url.target.partition("?")[0]
        return path[len(self._base) :] if path.startswith(self._base + "/") else path

    def current(self) -> Optional[Operation]:
        """The call that is being made here and now."""
        return current()

    def propagated(self, call: Any) -> Any:
        """The call, which tells the platform what trace it belongs to. What the caller gave stays."""
        carrier: Dict[str, str] = {}
        propagate.inject(carrier)
        given = {name for name, _ in call.headers}
        lines = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in carrier.items()]
        added = [line for line in lines if line[0] not in given]
        return call._replace(headers=[*call.headers, *added]) if added else call

    def inputs(self, path: str, body: Mapping[str, Any]) -> Attributes:
        """What is asked, where the program wants it told."""
        if not self.captures or not body:
            return {}
        try:
            text = json.dumps(body, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return {}  # then it will not be sent either, and the error says so
        return inputs(path, json.loads(self.without_secret(text)))

    def outputs(self, facts: Mapping[str, Any]) -> Attributes:
        """What is answered, where the program wants it told."""
        if not self.captures:
            return {}
        text = facts.get("text")
        return outputs({**facts, "text": self.without_secret(text)} if isinstance(text, str) else facts)

    def start(self, name: str, kind: SpanKind, attributes: Attributes, begun: Optional[Begun]) -> Any:
        """A span, which is a child of whatever is current."""
        links = None if begun is None else [trace.Link(begun.span)]
        return self._tracer.start_span(
            self.cleaned(name), kind=kind, attributes=self.clean(attributes), links=links
        )

    def clean(self, attributes: Attributes) -> Attributes:
        """The attributes as they may be shown."""
        return {name: self.cleaned(value) for name, value in attributes.items()}

    def cleaned(self, value: Any) -> Any:
        """A text without the API key and of bounded length; a list of such; or what is no text."""
        if isinstance(value, list):
            return [self.cleaned(item) for item in value[:_MOST]]
        return self.without_secret(value)[:_LONGEST] if isinstance(value, str) else value

    def without_secret(self, text: str) -> str:
        """A text without the API key, and without what no exporter could write."""
        shown = masked(text, self._secret)
        return shown if shown.isascii() else shown.encode("utf-8", "replace").decode("utf-8")


class Operation:
    """A call, from before its first attempt until nothing more comes of it."""

    awaits = False
    """It waits for what another call has begun: how long that took is not measured, its tokens are."""

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        attributes: Attributes,
        content: Attributes,
        *,
        kind: SpanKind = SpanKind.CLIENT,
        begun: Optional[Begun] = None,
    ) -> None:
        self._telemetry = telemetry
        self._attributes = attributes
        self._facts: Attributes = {}
        self._failure: Attributes = {}
        self._resends = 0
        self._finished = True
        self._ended = False
        self._began = time.monotonic()
        self._first_chunk: Optional[float] = None
        self._measured = attributes if begun is None else begun.attributes
        self._span = telemetry.start(name, kind, attributes, begun)
        around = trace.set_span_in_context(self._span)
        self._outside = context.set_value(_OPERATION, None, around)
        whole = kind is SpanKind.CLIENT
        self._context = context.set_value(_OPERATION, self, around) if whole else self._outside
        self._whole = whole
        self._token: Any = None
        self._span.set_attributes(content)

    def __enter__(self) -> Operation:
        self._token = context.attach(self._context)
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        context.detach(self._token)
        self.end(error)

    def active(self) -> Active:
        """What happens within `with operation.active():` belongs to this span, which goes on after it."""
        return Active(self._context)

    def outside(self, callback: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
        """A caller's function: calls that it makes have spans of their own, below this one."""
        if callback is None:
            return None
        function = callback

        def called(*arguments: Any) -> Any:
            with Active(self._outside):
                return function(*arguments)

        return called

    def interrupted(self) -> None:
        """An attempt was cancelled: its call ends with it."""

    def answered(self, status: Optional[int], request_id: Optional[str]) -> None:
        """An attempt has an answer."""
        self._facts["http.response.status_code"] = status
        self._facts["nexusai.request_id"] = request_id

    def failed(self, error: errors.APIError, delay: Optional[float]) -> None:
        """An attempt has failed, and another one is made in `delay` seconds, if any."""
        if delay is None:
            return  # then the whole call fails, which is told at its end
        self._resends += 1
        kind = _error_facts(error)
        event = {**kind, "http.request.resend_count": self._resends, "nexusai.retry.delay": delay}
        self._span.add_event("retry", self._telemetry.clean(event))
        about = {
            name: value for name, value in self._attributes.items() if name in (*_SHARED, "url.template")
        }
        kind.pop("nexusai.error.code", None)  # the platform's own words may be many
        self._telemetry.instruments.retries.add(1, {**about, **kind})

    def resumed(self, error: errors.APIError) -> None:
        """A stream has broken off, and is taken up again."""
        self.failed(error, 0.0)

    def came(self) -> None:
        """A chunk of a stream has come."""
        if self._first_chunk is None:
            self._first_chunk = time.monotonic() - self._began
            self._facts["gen_ai.response.time_to_first_chunk"] = self._first_chunk

    def told(self, result: Any) -> None:
        """What the call has come to: a model of the platform, or the facts of a stream."""
        facts = _facts_of(result)
        if getattr(result, "from_cache", False):
            facts = {**facts, "usage": None}  # no token was spent on it this time
            self._facts["nexusai.from_cache"] = True
        self._facts.update(outcome(facts))
        if isinstance(result, Result) and result.from_cache:
            self._facts["nexusai.from_cache"] = True
        if isinstance(result, Task):
            self._facts["nexusai.task.id"] = result.task_id
            self._finished = result.has_ended
            self._failure = _task_failure(result)
            if not self._finished and self._attributes.get("http.request.method") != "GET":
                tasks.put(result.task_id, Begun(self._span.get_span_context(), self._attributes))
        if "gen_ai.operation.name" in self._attributes:
            self._span.set_attributes(self._telemetry.outputs(facts))

    def end(self, error: Optional[BaseException] = None, *, left: bool = False) -> None:
        """Nothing more comes of it. `left`: a stream that its reader did not read to its end."""
        if self._ended:
            return
        self._ended = True
        seconds = time.monotonic() - self._began
        failure = self._failure if error is None else _error_facts(error)
        if self._span.is_recording():
            self._tell(failure, left=left)
        self._span.end()
        self._measure(seconds, failure)

    def _tell(self, failure: Attributes, *, left: bool) -> None:
        facts = {**self._facts, **failure}
        if self._resends:
            facts["http.request.resend_count"] = self._resends
        if left:
            facts["nexusai.stream.left"] = True
        shown = {name: value for name, value in facts.items() if value is not None}
        self._span.set_attributes(self._telemetry.clean(shown))
        if failure:
            self._span.set_status(Status(StatusCode.ERROR, failure["error.type"]))

    def _measure(self, seconds: float, failure: Attributes) -> None:
        if "gen_ai.operation.name" not in self._measured or not self._finished or not self._whole:
            return
        if "nexusai.from_cache" in self._facts:
            return  # no model has worked, and nobody pays for tokens
        about = {name: self._measured[name] for name in _SHARED if name in self._measured}
        if self._facts.get("gen_ai.response.model"):
            about["gen_ai.response.model"] = self._facts["gen_ai.response.model"]
        measured = self._telemetry.instruments
        about = self._telemetry.clean(about)
        if not self.awaits:
            kind = {"error.type": failure["error.type"]} if failure else {}
            measured.duration.record(seconds, {**about, **kind})
        if self._first_chunk is not None:
            measured.first_chunk.record(self._first_chunk, about)
        for kind_of_token in ("input", "output"):
            count = self._facts.get(f"gen_ai.usage.{kind_of_token}_tokens")
            if count:
                measured.tokens.record(count, {**about, "gen_ai.token.type": kind_of_token})


class Nothing:
    """Stands for a call that has no span of its own."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def active(self) -> Any:
        """Nothing else becomes current."""
        return self

    def outside(self, callback: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
        """A caller's function, as it is."""
        return callback

    def resumed(self, error: errors.APIError) -> None:
        """Not told."""

    def came(self) -> None:
        """Not told."""

    def told(self, result: Any) -> None:
        """Not told."""

    def end(self, error: Optional[BaseException] = None, *, left: bool = False) -> None:
        """Not told."""


class Within(Nothing):
    """A call that is a part of another one, which has the span and tells what comes of it."""

    def __init__(self, outer: Operation) -> None:
        self._outer = outer

    def active(self) -> Active:
        """What happens within it belongs to the outer call."""
        return self._outer.active()

    def outside(self, callback: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
        """A caller's function, whose calls have spans below the outer one."""
        return self._outer.outside(callback)

    def resumed(self, error: errors.APIError) -> None:
        """A stream was taken up again, which is told of the outer call."""
        self._outer.resumed(error)


class Active:
    """`with` a context being the current one."""

    def __init__(self, current: Any) -> None:
        self._current = current
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = context.attach(self._current)

    def __exit__(self, *exc_info: object) -> None:
        context.detach(self._token)


NOTHING = Nothing()
Span = Union[Operation, Nothing]


def _instead() -> Optional[Nothing]:
    """What stands for a call that gets no span of its own."""
    outer = current()
    if outer is not None:
        return Within(outer)
    return NOTHING if _nobody_listens() else None


def _nobody_listens() -> bool:
    """Whether the program has set no providers, as one whose web framework has imported OpenTelemetry."""
    providers = trace.get_tracer_provider(), metrics.get_meter_provider()
    return all(type(provider).__module__.startswith(_API) for provider in providers)


def current() -> Optional[Operation]:
    """The call that is being made here and now."""
    found = context.get_value(_OPERATION)
    return found if isinstance(found, Operation) else None


def describe(method: str, path: str, body: Mapping[str, Any]) -> Tuple[str, Attributes]:
    """The name of a call's span, and what is known of it beforehand. No id is ever in the name."""
    about = _generation(path, body) if method == "POST" else {}
    if not about:
        template = route(path)
        plain = {"http.request.method": method, "url.template": template}
        kind = body.get("task_type") if path == "/invoke" else None
        return f"{method} {template}", {**plain, "nexusai.task.type": str(kind)} if kind else plain
    about.setdefault("gen_ai.provider.name", "nexus_ai")
    name = f"{about['gen_ai.operation.name']} {about.get('gen_ai.request.model', '')}"
    return name.strip(), about


def route(path: str) -> str:
    """A path with names in place of its ids: `/tasks/{task_id}`."""
    parts: List[str] = []
    known = ""
    for word in filter(None, path.partition("?")[0].split("/")):
        collection = _COLLECTIONS.get(known)
        is_id = word not in _WORDS or (collection is not None and word != "search")
        parts.append((collection or "{id}") if is_id else word)
        known = "" if is_id else word
    return "/" + "/".join(parts)


def _generation(path: str, body: Mapping[str, Any]) -> Attributes:
    """What the conventions want of a call to a model; nothing where it is none."""
    session = re.fullmatch(r"/sessions/([^/]+)/invoke", path)
    about: Attributes = {}
    if path == "/embeddings":
        about = {"gen_ai.operation.name": "embeddings"}
        about.update(_options(body))
        _put(about, "gen_ai.embeddings.dimension.count", body.get("dimensions"), int)
        if isinstance(body.get("encoding_format"), str):
            about["gen_ai.request.encoding_formats"] = [body["encoding_format"]]
    elif path == "/knowledge-bases/search":
        about = {"gen_ai.operation.name": "retrieval"}
        ids = body.get("knowledge_base_ids")
        if isinstance(ids, list) and len(ids) == 1:
            about["gen_ai.data_source.id"] = str(ids[0])
        _put(about, "gen_ai.retrieval.top_k", body.get("top_k"), int)
    elif session:
        about = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": unquote(session[1])}
        about.update(_options(body))
    elif path == "/invoke" and str(body.get("task_type")) in _TASKS:
        name, output = _TASKS[body["task_type"]]
        about = {"gen_ai.operation.name": name, "nexusai.task.type": body["task_type"]}
        if output:
            about["gen_ai.output.type"] = output
        about.update(_options(body))
    return about


def _options(body: Mapping[str, Any]) -> Attributes:
    about: Attributes = {}
    for name in ("model", "provider"):
        if isinstance(body.get(name), str):
            about["gen_ai.request.model" if name == "model" else "gen_ai.provider.name"] = body[name]
    if body.get("stream") is True:
        about["gen_ai.request.stream"] = True
    config = body.get("config")
    config = config if isinstance(config, dict) else {}
    for name, (attribute, kind) in _OPTIONS.items():
        _put(about, attribute, config.get(name), kind)
    count = config.get("num_images", config.get("n"))
    if count != 1:
        _put(about, "gen_ai.request.choice.count", count, int)
    stop = [config["stop"]] if isinstance(config.get("stop"), str) else config.get("stop")
    if isinstance(stop, (list, tuple)) and all(isinstance(text, str) for text in stop):
        about["gen_ai.request.stop_sequences"] = list(stop)
    form = config.get("response_format")
    if isinstance(form, dict):
        about["gen_ai.output.type"] = "json" if "json" in str(form.get("type")) else "text"
    return about


def _put(about: Attributes, name: str, value: Any, kind: type) -> None:
    """What the caller gave, where it is what the attribute holds; the platform judges the rest."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _HUGE:
        about[name] = kind(value)


def outcome(facts: Mapping[str, Any]) -> Attributes:
    """What an answer tells."""
    usage = facts.get("usage")
    counts: Any = usage if isinstance(usage, dict) else getattr(usage, "__dict__", {})
    about: Attributes = {}
    _put(about, "gen_ai.usage.input_tokens", counts.get("prompt_tokens") or None, int)
    _put(about, "gen_ai.usage.output_tokens", counts.get("completion_tokens") or None, int)
    if isinstance(facts.get("model"), str):
        about["gen_ai.response.model"] = facts["model"]
    if isinstance(facts.get("finish_reason"), str):
        about["gen_ai.response.finish_reasons"] = [facts["finish_reason"]]
    if isinstance(facts.get("task_id"), str):
        about["nexusai.task.id"] = facts["task_id"]
    return about


def _facts_of(result: Any) -> Mapping[str, Any]:
    if isinstance(result, Task):
        return result.output or {}
    if isinstance(result, SessionResponse):
        return {**result.metadata, "usage": result.usage, "text": result.text}
    if isinstance(result, SearchResponse):
        return {"results": result.results}
    return result if isinstance(result, dict) else vars(result)


def _task_failure(task: Task) -> Attributes:
    if task.status not in ("failed", "cancelled"):
        return {}
    kind = errors.TaskCancelledError if task.status == "cancelled" else errors.TaskFailedError
    code = task.error.code if task.error is not None else None
    return {"error.type": kind.__name__, **({"nexusai.error.code": code} if code else {})}


def _error_facts(error: BaseException) -> Attributes:
    facts: Attributes = {"error.type": type(error).__name__}
    if isinstance(error, errors.APIError):
        more = {"http.response.status_code": error.status_code, "nexusai.error.code": error.error_code}
        facts.update({name: value for name, value in more.items() if value is not None})
    return facts


def inputs(path: str, body: Mapping[str, Any]) -> Attributes:
    """What is asked, as the conventions write it down."""
    if path == "/knowledge-bases/search":
        return {"gen_ai.retrieval.query.text": _cut(str(body.get("query")), MAX_TELEMETRY_CONTENT_BYTES)}
    given = body.get("input")
    given = given if isinstance(given, dict) else {}
    turns = given.get("messages")
    if not isinstance(turns, list):
        text = body.get("prompt") or given.get("prompt") or given.get("text")
        turns = [{"role": "user", "content": text}] if isinstance(text, str) else []
    known = [turn for turn in turns if isinstance(turn, dict)]
    told = [{"role": str(turn.get("role")), "parts": _parts(turn.get("content"))} for turn in known]
    return {"gen_ai.input.messages": messages_json(told)} if told else {}


def outputs(facts: Mapping[str, Any]) -> Attributes:
    """What is answered, as the conventions write it down."""
    found = facts.get("results")
    if isinstance(found, list) and all(isinstance(row, SearchResult) for row in found):
        rows = [{"id": row.chunk_id, "score": row.similarity_score} for row in found[:_MOST]]
        return {"gen_ai.retrieval.documents": json.dumps(rows)}
    if not isinstance(facts.get("text"), str):
        return {}
    message = {"role": "assistant", "parts": _parts(facts["text"])}
    message["finish_reason"] = str(facts.get("finish_reason") or "stop")
    return {"gen_ai.output.messages": messages_json([message])}


def _parts(content: Any) -> List[Dict[str, str]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    parts = content if isinstance(content, list) else []
    return [_part(part) for part in parts if isinstance(part, dict)]


def _part(part: Mapping[str, Any]) -> Dict[str, str]:
    if isinstance(part.get("text"), str):
        return {"type": "text", "content": part["text"]}
    return {"type": str(part.get("type"))}  # pictures and recordings stay where they are


def messages_json(messages: List[Dict[str, Any]], limit: int = MAX_TELEMETRY_CONTENT_BYTES) -> str:
    """The messages as JSON of at most `limit` bytes: what does not fit is cut off at the end."""
    room = limit
    while True:
        text = json.dumps(_shortened(messages, room), ensure_ascii=False)
        if len(text.encode("utf-8", "replace")) <= limit or not room:
            return text
        room //= 2


def _shortened(messages: List[Dict[str, Any]], room: int) -> List[Dict[str, Any]]:
    """As many as fit into `room`, which counts bytes of text, and some for each message."""
    kept: List[Dict[str, Any]] = []
    for message in messages:
        if room <= 0:
            break
        parts = []
        for part in message["parts"]:
            cut = _cut(part.get("content", ""), room)
            room -= len(cut.encode("utf-8", "replace")) + 100
            parts.append({**part, "content": cut} if "content" in part else part)
            if room <= 0:
                break
        kept.append({**message, "parts": parts})
        room -= 100
    return kept


def _cut(text: str, room: int) -> str:
    """The beginning of a text: at most `room` bytes, and whole characters."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= room else encoded[:room].decode("utf-8", "ignore")


def _server(url: Url) -> Attributes:
    _, host, port = url.origin
    return {"server.address": host, "server.port": port}
