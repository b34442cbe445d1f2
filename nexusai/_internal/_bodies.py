"""Arguments → what is sent. Everything here fails before a byte leaves."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote

from nexusai.config import Secret
from nexusai.constants import MAX_SERVER_WAIT
from nexusai.error import AuthenticationError, InvalidRequestError
from nexusai.types import ASPECT_RATIOS, JSONObject, Messages

Header = Tuple[bytes, bytes]


class SecretBytes(bytes):
    """Bytes that do not show themselves where objects are printed, such as a traceback with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"


SHORTEST_SECRET = 8
"""A key of fewer characters, as in tests, is no secret, and masking it would garble other words."""


def masked(text: str, secret: str) -> str:
    """A text without the API key, which a platform may have quoted."""
    return text.replace(secret, "***") if len(secret) >= SHORTEST_SECRET else text


RESUMABLE = {"prefer": "resumable"}
"""Asks for a stream that can be taken up again, and whose generation waits a while for its reader."""

_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What RFC 9110, 5.1 and 5.5, let the name and the value of a header be."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def json_body(value: Any, limit: int) -> bytes:
    """`value` as JSON in UTF-8.

    Raises:
        InvalidRequestError: it is no JSON, or longer than `limit` bytes.
    """
    try:
        body = _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"The request cannot be written as JSON: {error}") from error
    if len(body) > limit:
        raise InvalidRequestError(
            f"The request is {len(body)} bytes long and was not sent: the limit is {limit}. Upload "
            "large content as a file, or raise `nexusai.config.max_body_bytes`.",
            error_code="PAYLOAD_TOO_LARGE",
        )
    return body


def path(*segments: str) -> str:
    """A path whose segments cannot reach outside themselves: `path("tasks", task_id)`.

    Raises:
        ValueError: a segment is no string, is empty, or is `.` or `..`.
    """
    return "".join(f"/{_segment(segment)}" for segment in segments)


def _segment(text: str) -> str:
    if not isinstance(text, str) or text in ("", ".", ".."):
        raise ValueError(f"expected an id, not {text!r}")
    return quote(text, safe="", errors="strict")


OF_CLIENTS = {
    "api_key",
    "base_url",
    "timeout",
    "max_retries",
    "poll_interval",
    "poll_timeout",
    "total_timeout",
    "content_timeout",
    "resume_streams",
    "default_headers",
    "http_client",
    "transport",
    "on_request",
    "on_response",
    "otel",
    "cache",
}
"""The arguments of a client, which are no options of a model."""


def model_options(options: Mapping[str, Any]) -> JSONObject:
    """Those that were given: the model gets them as they are.

    Raises:
        TypeError: one is a setting of the client: sent along it would change nothing, and show a key.
    """
    given_options = given(**options)
    for name in sorted(given_options.keys() & OF_CLIENTS):
        raise TypeError(
            f"`{name}` is a setting of the client, no option of the model: call "
            f"`client.with_options({name}=…)`, and use what it returns."
        )
    return given_options


def query(parameters: Mapping[str, Any]) -> Dict[str, str]:
    """The parameters that were given, as text."""
    return {name: str(value) for name, value in parameters.items() if value is not None}


def invoke_body(
    task_type: str,
    input: Mapping[str, Any],
    *,
    provider: Optional[str] = None,
    model: Optional[str] = None,
    config: Optional[Mapping[str, Any]] = None,
    stream: bool = False,
) -> JSONObject:
    """The body of `POST /invoke`, without what was not given. A `webhook_url` among the options is none."""
    body: JSONObject = {"task_type": task_type, "input": dict(input)}
    if provider is not None:
        body["provider"] = provider
    if model is not None:
        body["model"] = model
    options = given(**(config or {}))
    if "webhook_url" in options:
        body["webhook_url"] = options.pop("webhook_url")
    if options:
        body["config"] = options
    if stream:
        body["stream"] = True
    return body


def text_input(prompt: Optional[str], messages: Optional[Messages]) -> JSONObject:
    """The input of a text generation: exactly one of the two.

    Raises:
        ValueError: both were given, or neither, or what was given is empty.
    """
    if (prompt is None) == (messages is None):
        raise ValueError("give either `prompt` or `messages`, exactly one of them")
    if prompt is not None:
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError("`prompt` must be a text that is not empty")
        return {"prompt": prompt}
    turns: List[JSONObject] = [dict(message) for message in messages or ()]
    if not turns or not all("role" in turn and "content" in turn for turn in turns):
        raise ValueError("`messages` must hold at least one {'role': …, 'content': …}")
    return {"messages": turns}


def text_body(
    prompt: Optional[str],
    messages: Optional[Messages],
    provider: Optional[str],
    model: Optional[str],
    config: Mapping[str, Any],
    *,
    stream: bool = False,
) -> JSONObject:
    """The body of a text generation."""
    return invoke_body(
        "text_generation",
        text_input(prompt, messages),
        provider=provider,
        model=model,
        config=model_options(config),
        stream=stream,
    )


def embeddings_body(
    input: Union[str, Sequence[str]],
    model: Optional[str],
    dimensions: Optional[int],
    more: Mapping[str, Any],
) -> JSONObject:
    """The body of a request for vectors.

    Raises:
        ValueError: there is no text, or an empty one.
    """
    texts = [input] if isinstance(input, str) else list(input)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("input: expected a text or several, none of them empty")
    asked = input if isinstance(input, str) else texts
    options = model_options(more)
    return given(
        **{"input": asked, "model": model, "dimensions": dimensions, "encoding_format": "base64", **options}
    )


def session_body(prompt: str, config: Mapping[str, Any], *, stream: bool) -> JSONObject:
    """The body of an invoke in a session: the documented shape and the observed one at once.

    Raises:
        ValueError: there is nothing to say.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt: there is nothing to say")
    options = model_options(config)
    body: JSONObject = {"prompt": prompt, "input": {"prompt": prompt}, "stream": stream}
    return {**body, "config": options} if options else body


def given(**arguments: Any) -> JSONObject:
    """The arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_DEFAULT_SIZE = "1024x1024"


def image_body(
    prompt: str, provider: Optional[str], model: Optional[str], options: Mapping[str, Any]
) -> JSONObject:
    """The body of an image generation.

    Raises:
        ValueError: the prompt is empty, or the size, the ratio or the number cannot be.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt: say what to draw")
    config = model_options(options)
    size, ratio, count = config.get("size"), config.get("aspect_ratio"), config.get("num_images")
    if ratio is not None:
        if ratio not in ASPECT_RATIOS:
            raise ValueError(f"aspect_ratio: expected one of {', '.join(ASPECT_RATIOS)}, not {ratio!r}")
        if size not in (None, _DEFAULT_SIZE):
            raise ValueError("give either `size` or `aspect_ratio`")
        config.pop("size", None)
    elif size is not None and not _SIZE.fullmatch(str(size)):
        raise ValueError(f"size: expected WIDTHxHEIGHT in pixels, such as 1024x768, not {size!r}")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise ValueError(f"num_images: expected a whole number from 1, not {count!r}")
    return invoke_body("image_generation", {"prompt": prompt}, provider=provider, model=model, config=config)


def speech_body(
    text: str, provider: Optional[str], model: Optional[str], options: Mapping[str, Any]
) -> JSONObject:
    """The body of a text that is to be read aloud.

    Raises:
        ValueError: there is nothing to read.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("text: there is nothing to read aloud")
    config = model_options(options)
    return invoke_body("text_to_speech", {"text": text}, provider=provider, model=model, config=config)


def checked_key(api_key: Optional[str]) -> str:
    """`api_key`, if it can stand in a header. It is never part of the message.

    Raises:
        AuthenticationError: there is none, or it holds what no key holds.
    """
    if api_key is None:
        raise AuthenticationError(
            "No API key: pass `api_key=`, set `nexusai.config.api_key`, or set NEXUS_API_KEY in the "
            "environment or in a `.env` file."
        )
    if not isinstance(api_key, str) or not api_key:
        raise AuthenticationError("The API key is empty: expected a text like `nxs_…`.")
    if not all("!" <= character <= "~" for character in api_key):
        raise AuthenticationError(
            "The API key holds a space, a line break or a character that is not ASCII: it was "
            "probably copied with something around it. Expected a text like `nxs_…`."
        )
    return Secret(api_key)


def checked_headers(headers: Mapping[str, str]) -> List[Header]:
    """Headers as bytes.

    Raises:
        ValueError: a name or a value could break out of its line.
    """
    return [(_token(name), _value(name, value)) for name, value in headers.items()]


def event_id(last: str) -> str:
    """The value of `Last-Event-ID`: the last id in UTF-8, as the standard wants it, or the beginning."""
    return last.encode("utf-8").decode("latin-1") or "0"


def _token(name: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    return name.encode("ascii")


def _value(name: str, value: str) -> bytes:
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of the header {name!r} holds a character that no header can")
    if value != value.strip(" \t"):  # the library would refuse it, and quote it in its error
        raise ValueError(f"the value of the header {name!r} begins or ends with a space")
    return SecretBytes(value.encode("latin-1"))


def idempotency_key() -> bytes:
    """A new random UUID, as text: the same request may be sent again with it, and is done once."""
    number = int.from_bytes(os.urandom(16), "big")  # `random` may be seeded: the same in each run
    number = number & ~(0xF << 76) | 4 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode("ascii")


def server_wait(patience: float) -> Optional[int]:
    """N of `Prefer: wait=N`: what the server may wait, so that its answer still comes in time.

    A tenth of `patience` seconds, at least one, is kept for the way. None when there is no room.
    """
    seconds = int(min(patience - max(1.0, patience / 10), MAX_SERVER_WAIT))
    return seconds if seconds >= 1 else None
