"""What a client has asked for."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

from nexusai.types import JSONObject

_RESOURCES = frozenset(
    {"invoke", "tasks", "files", "sessions", "knowledge-bases", "embeddings", "models", "health"}
)
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})


class Upload(NamedTuple):
    """A file in a form."""

    filename: str
    content_type: str
    content: bytes


class Call(NamedTuple):
    """A request as it came over the wire.

    Attributes:
        path: below the base URL, such as `/invoke`; the whole address where it is no address of the API.
        base: what stands before it.
        headers: without the key, their names in lower case.
        history: of a call in a session: the messages before it.
    """

    method: str
    path: str
    base: str
    query: Dict[str, str]
    headers: Dict[str, str]
    content: bytes
    history: Tuple[JSONObject, ...] = ()

    @property
    def json(self) -> Any:
        """The body, where it is JSON; None where it is not."""
        if self.headers.get("content-type", "").partition(";")[0] != "application/json":
            return None
        return json.loads(self.content)

    @property
    def body(self) -> JSONObject:
        """The same, or an empty object."""
        told = self.json
        return told if isinstance(told, dict) else {}

    @property
    def task_type(self) -> Optional[str]:
        """What is to be made, such as `text_generation`, which is what a session makes too."""
        if self.method != "POST":
            return None
        if self.path == "/invoke":
            return str(self.body.get("task_type"))
        if re.fullmatch(r"/sessions/[^/]+/invoke", self.path):
            return "text_generation"
        if re.fullmatch(r"/knowledge-bases/[^/]+/documents", self.path):
            return "document_processing"
        return None

    @property
    def kind(self) -> Optional[str]:
        """The task type, `search` or `embeddings`; None where nothing is made."""
        if self.method == "POST" and self.path == "/knowledge-bases/search":
            return "search"
        if self.method == "POST" and self.path in ("/embeddings", "/embeddings/batch"):
            return "embeddings"
        return self.task_type

    @property
    def input(self) -> JSONObject:
        """What it is made of, as the API names it: `{"prompt": …}`, for one."""
        told = self.body.get("input")
        return told if isinstance(told, dict) else {}

    @property
    def config(self) -> JSONObject:
        """The options, such as `temperature`."""
        told = self.body.get("config")
        return told if isinstance(told, dict) else {}

    @property
    def model(self) -> Optional[str]:
        """The model that was asked for, if any."""
        return self.body.get("model")

    @property
    def provider(self) -> Optional[str]:
        """The provider that was asked for, if any."""
        return self.body.get("provider")

    @property
    def messages(self) -> List[JSONObject]:
        """The conversation: of a prompt, what was said before in its session and the prompt itself."""
        given = self.input.get("messages")
        if isinstance(given, list):
            return given
        said = [] if self.prompt is None else [{"role": "user", "content": self.prompt}]
        return [*self.history, *said]

    @property
    def prompt(self) -> Optional[str]:
        """What was said: the prompt, the last message, the text to be read aloud, the query."""
        given = self.input.get("messages")
        if isinstance(given, list) and given:
            return _text_of(given[-1])
        for told in (self.input.get("prompt"), self.input.get("text"), self.body.get("prompt")):
            if told is not None:
                return str(told)
        query = self.body.get("query")
        return None if query is None else str(query)

    @property
    def is_stream(self) -> bool:
        """Whether it is to be answered with an event stream."""
        return self.body.get("stream") is True

    def prefers(self, preference: str) -> bool:
        """Whether the caller prefers that: `respond-async`, `wait`, `resumable`."""
        parts = self.headers.get("prefer", "").split(",")
        return any(part.strip().partition("=")[0] == preference for part in parts)

    @property
    def upload(self) -> Optional[Upload]:
        """The file that was sent along in a form."""
        boundary = re.search(r'boundary="?([^";]+)', self.headers.get("content-type", ""))
        if boundary is None:
            return None
        for part in self.content.split(b"--" + boundary[1].encode())[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            lines = head.decode("utf-8", "replace")
            name = re.search(r'filename="([^"]*)"', lines)
            if name is not None:
                kind = re.search(r"(?i)content-type: *([^\r\n]+)", lines)
                plain = name[1].replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
                content_type = kind[1] if kind else "application/octet-stream"
                return Upload(plain, content_type, content[: -len(b"\r\n")])
        return None

    def __str__(self) -> str:
        facts = [self.task_type] if self.path == "/invoke" else []
        facts += [f"{name} {told!r}" for name, told in self._told() if told is not None]
        return f"{self.method} {self.path}" + (f" ({', '.join(map(str, facts))})" if facts else "")

    def _told(self) -> List[Tuple[str, Any]]:
        prompt = self.prompt
        short = prompt if prompt is None or len(prompt) <= 80 else f"{prompt[:79]}…"
        return [("prompt", short), ("model", self.model)]


def call_of(method: str, url: str, headers: Mapping[str, str], content: bytes) -> Call:
    """A request, taken apart."""
    parts = urlsplit(url)
    segments = parts.path.split("/")
    start = next((n for n, segment in enumerate(segments) if segment in _RESOURCES), None)
    if segments[1:3] == ["api", "v1"]:
        start = 3
    origin = f"{parts.scheme}://{parts.netloc}"
    path, base = f"{origin}{parts.path}", ""
    if start is not None:
        path = unquote("/" + "/".join(segments[start:]))
        base = origin + "/".join(segments[:start])
    lines = {name.lower(): value for name, value in headers.items()}
    plain = {name: value for name, value in lines.items() if name not in _SECRET}
    return Call(method, path, base, dict(parse_qsl(parts.query)), plain, content)


def _text_of(message: Any) -> str:
    content = message.get("content", "") if isinstance(message, dict) else message
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
