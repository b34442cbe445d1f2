"""Status, headers and bytes → a model, or the right error. Nothing here reads from a network."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Type, TypeVar
from urllib.parse import unquote

import pydantic
from pydantic_core import from_json

from nexusai import error as errors
from nexusai._internal import _hints
from nexusai._internal._bodies import SHORTEST_SECRET, masked
from nexusai._internal._frames import forget_locals
from nexusai._internal._retry import rate_limit, retry_after
from nexusai.models import TASK_OUTPUTS, Model, Page, Result, Task, TaskFailure

R = TypeVar("R", bound=Result)
M = TypeVar("M", bound=Model)

_BY_STATUS: Dict[int, Type[errors.APIError]] = {
    400: errors.InvalidRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionError,
    404: errors.NotFoundError,
    408: errors.APITimeoutError,
    409: errors.ConflictError,
    413: errors.InvalidRequestError,
    415: errors.InvalidRequestError,
    422: errors.ValidationError,
    429: errors.RateLimitError,
}
_EXCERPT = 500


class Answer(NamedTuple):
    """A whole answer. The names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    secret: str = ""
    """What the platform may have quoted, and no error may."""

    def __repr__(self) -> str:
        # As it stands in tracebacks with variables: a platform may have quoted the key.
        return f"<Answer {self.status}>"

    @property
    def request_id(self) -> Optional[str]:
        """What the platform calls this request; without the secret in it."""
        return _without(self.headers.get("x-request-id"), self.secret)


def read_json(answer: Answer) -> Any:
    """The JSON of an answer; `{}` where there is no body.

    Raises:
        InvalidResponseError: the body is something else.
    """
    if not answer.content:
        return {}
    try:
        return from_json(answer.content, allow_inf_nan=False)
    except ValueError as error:
        raise _invalid(answer, "JSON", str(error)) from error


def read_model(answer: Answer, model: Type[R]) -> R:
    """The model that an answer holds, told its request id.

    Raises:
        InvalidResponseError: it does not hold one; the message names the field.
    """
    if b"NaN" in answer.content or b"Infinity" in answer.content:
        read_json(answer)  # neither is JSON, but the validator would take it
    try:
        result = model.__pydantic_validator__.validate_json(answer.content)
    except pydantic.ValidationError as error:
        raise _invalid(answer, model.__name__, first_problem(error)) from error
    result._request_id = answer.request_id
    return result  # type: ignore[no-any-return]  # the validator is not typed by its model


def read_page(answer: Answer, field: str, item: Type[M]) -> Page[M]:
    """A listing: `{field: […], total, page, …}`, or a bare array, as older deployments answer.

    Raises:
        InvalidResponseError: it is neither.
    """
    try:
        page = _page(read_json(answer), field, item)
    except pydantic.ValidationError as error:
        forget_locals(error)
        raise _invalid(answer, item.__name__, first_problem(error)) from error
    if page is None:
        raise _invalid(answer, f"a list in `{field}`", "found none")
    page.request_id = answer.request_id
    return page


def _page(body: Any, field: str, item: Type[M]) -> Optional[Page[M]]:
    facts: Dict[str, Any] = body if isinstance(body, dict) else {field: body}
    rows = facts.get(field)
    if not isinstance(rows, list):
        return None
    page: Page[M] = Page(item.model_validate(row) for row in rows)
    page.total, page.pages = facts.get("total"), facts.get("pages")
    page.page, page.per_page = facts.get("page", 1), facts.get("per_page", len(rows))
    return page


def read_output(task: Task, model: Optional[Type[R]] = None) -> Any:
    """The result of a task that has ended: `model`, or the one of its type, or the bare output.

    Raises:
        TaskCancelledError, TaskFailedError: there is no result.
        InvalidResponseError: it is said to be completed, but its output is not what it must be.
    """
    if task.status != "completed":
        raise _task_error(task)
    if model is None:
        model = TASK_OUTPUTS.get(task.task_type or "")
    if model is None and task.output is not None:
        return task.output
    try:
        result = (model or Result).model_validate(task.output)
    except pydantic.ValidationError as error:
        name = (model or Result).__name__
        raise errors.InvalidResponseError(
            f"Task {task.task_id} is completed, but its output is no {name}: {first_problem(error)}",
            response_body=task.output,
            request_id=task.request_id,
        ) from error
    result._request_id, result._from_cache, result._route = task.request_id, task.from_cache, task.route
    return result


def _task_error(task: Task) -> errors.TaskFailedError:
    failure = task.error or TaskFailure()
    cancelled = task.status == "cancelled"
    kind = errors.TaskCancelledError if cancelled else errors.TaskFailedError
    return kind(
        f"Task {task.task_id} was cancelled." if cancelled else failure.message,
        error_code=None if cancelled else failure.code,
        request_id=task.request_id,
        task=task,
    )


def redacted(content: bytes, secret: str) -> bytes:
    """`content` without `secret` in it."""
    return content.replace(secret.encode(), b"***") if len(secret) >= SHORTEST_SECRET else content


def status_error(answer: Answer) -> errors.APIError:
    """The error that an answer of status 300 or more means, without the answer's secret in it."""
    content = redacted(answer.content, answer.secret)
    body = _try_json(content)
    facts: Dict[str, Any] = body if isinstance(body, dict) else {}
    status = answer.status
    kind = _BY_STATUS.get(status) or _by_range(status)
    message, details = _message(facts, content, status)
    return kind(
        message,
        status,
        _error_code(facts),
        body if body is not None else content.decode("utf-8", "replace")[:_EXCERPT] or None,
        request_id=answer.request_id,
        retry_after=retry_after(answer.headers, facts),
        rate_limit=rate_limit(answer.headers),
        hint=_hints.for_status(status, body),
        **({"errors": details} if kind is errors.ValidationError else {}),
    )


def _without(text: Optional[str], secret: str) -> Optional[str]:
    return masked(text, secret) if text else text


def file_name(disposition: str) -> Optional[str]:
    """The file's name in a `Content-Disposition`, without any folders; None where there is none."""
    extended = re.search(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", disposition, re.IGNORECASE)
    plain = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', disposition, re.IGNORECASE)
    if extended:
        name = unquote(extended[1])
    elif plain:
        name = re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2]
    else:
        return None
    name = re.split(r"[/\\]", name)[-1].replace("\0", "").strip()
    return None if name in ("", ".", "..") else name


def _by_range(status: int) -> Type[errors.APIError]:
    if status >= 500:
        return errors.ServerError
    return errors.InvalidResponseError if status < 400 else errors.InvalidRequestError


def _error_code(facts: Mapping[str, Any]) -> Optional[str]:
    inner = facts.get("error")
    code = facts.get("error_code") or (inner.get("code") if isinstance(inner, dict) else None)
    return str(code)[:_EXCERPT] if code is not None else None


def _message(facts: Mapping[str, Any], content: bytes, status: int) -> Tuple[str, Any]:
    """A sentence for people, and the list of wrong fields where the body holds one."""
    if status < 400:
        return "The platform redirects elsewhere, which is not followed: check `base_url`.", []
    detail = facts.get("detail")
    if isinstance(detail, list):
        return "; ".join(_field(row) for row in detail)[:_EXCERPT] or "Fields are wrong.", detail
    inner = facts.get("error")
    said = detail or facts.get("message") or (inner.get("message") if isinstance(inner, dict) else inner)
    if said:
        return str(said)[:_EXCERPT], []
    text = content.decode("utf-8", "replace").strip()
    if not text or text[0] in "<{[":
        return f"The platform answered {status} without saying why.", []
    return text[:_EXCERPT], []


def _field(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)
    told = row.get("loc")
    parts = told if isinstance(told, list) else []
    place = ".".join(str(part) for part in parts if part != "body")
    return f"{place}: {row.get('msg', 'wrong')}" if place else str(row.get("msg", "wrong"))


def _try_json(content: bytes) -> Any:
    try:
        return from_json(content)
    except ValueError:
        return None


def first_problem(error: pydantic.ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _invalid(answer: Answer, expected: str, found: str) -> errors.InvalidResponseError:
    told = _without(answer.headers.get("content-type"), answer.secret)
    kind = told[:100] if told else "no content type"
    return errors.InvalidResponseError(
        f"Expected {expected} in the answer, but {found} (content type: {kind}). Is `base_url` right?",
        answer.status,
        response_body=redacted(answer.content, answer.secret)[:_EXCERPT].decode("utf-8", "replace"),
        request_id=answer.request_id,
    )
