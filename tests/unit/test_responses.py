"""What an answer becomes: a model, or the error that tells what happened."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Type

import pytest

from nexusai import error as errors
from nexusai._internal import _responses
from nexusai._internal._responses import Answer
from nexusai.models import Image, ModelInfo, Result, Task, TaskFailure, TextResponse

HEADERS = {"x-request-id": "req_7", "content-type": "text/plain"}


def answer(content: bytes, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {**HEADERS, **headers}, content)


def invalid(expected: str, found: str, kind: str = "text/plain") -> str:
    return (
        f"Expected {expected} in the answer, but {found} (content type: {kind}). Is `base_url` right? "
        "(200, request id req_7)"
    )


def test_json_is_read() -> None:
    """No body at all is an empty object."""
    assert _responses.read_json(answer(b'[1, "\xe4\xb8\xad"]')) == [1, "中"]
    assert _responses.read_json(answer(b"")) == {}


def test_what_is_no_json_is_quoted_by_its_beginning() -> None:
    """With the status, the content type and the request id."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_json(answer(b"<html>\xff" + b"x" * 1000))
    assert str(caught.value) == invalid("JSON", "expected value at line 1 column 1")
    assert caught.value.response_body == "<html>\ufffd" + "x" * 493
    with pytest.raises(errors.InvalidResponseError, match="content type: no content type"):
        _responses.read_json(Answer(200, {}, b"?"))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_number_is_no_json(number: bytes) -> None:
    """Though Python's own parser takes it for one."""
    with pytest.raises(errors.InvalidResponseError, match="Expected JSON"):
        _responses.read_json(answer(b'{"a": ' + number + b"}"))
    with pytest.raises(errors.InvalidResponseError, match="Expected JSON"):
        _responses.read_model(
            answer(b'{"task_id": "t", "status": "queued", "progress": ' + number + b"}"), Task
        )
    text = _responses.read_model(answer(b'{"task_id": "' + number + b'", "status": "queued"}'), Task)
    assert text.task_id == number.decode(), "in a text it is a text"


def test_a_model_is_told_its_request_id() -> None:
    """It is what to quote."""
    task = _responses.read_model(answer(b'{"task_id": "t", "status": "queued"}'), Task)
    assert (task.task_id, task.request_id) == ("t", "req_7")


def test_an_answer_without_a_field_names_it() -> None:
    """Not the whole list of problems, the first; and not the value."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_model(answer(b'{"status": "nxs_x"}'), Task)
    assert str(caught.value) == invalid("Task", "task_id: Field required")
    with pytest.raises(errors.InvalidResponseError, match="usage.total_tokens: Input should be a valid int"):
        _responses.read_model(answer(b'{"text": "a", "usage": {"total_tokens": "many"}}'), TextResponse)
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_model(answer(b"[]"), Task)
    assert str(caught.value).startswith("Expected Task in the answer, but Input should be")


def test_an_answer_that_quotes_the_key() -> None:
    """It is taken out, unless it is too short to be one."""
    assert _responses.redacted(b"not 12345678!", "12345678") == b"not ***!"
    assert _responses.redacted(b"not 1234567!", "1234567") == b"not 1234567!"


def test_a_page_knows_where_it_stands() -> None:
    """And what the platform calls the request."""
    body = b'{"data": [{"id": "m"}], "total": 41, "page": 3, "per_page": 20, "pages": 4}'
    page = _responses.read_page(answer(body), "data", ModelInfo)
    assert [model.id for model in page] == ["m"]
    assert (page.total, page.page, page.per_page, page.pages, page.request_id) == (41, 3, 20, 4, "req_7")


@pytest.mark.parametrize("body", [b'{"data": [{"id": "m"}, {"id": "n"}]}', b'[{"id": "m"}, {"id": "n"}]'])
def test_a_bare_list_is_the_only_page(body: bytes) -> None:
    """Older deployments do not tell where it stands."""
    page = _responses.read_page(answer(body), "data", ModelInfo)
    assert [model.id for model in page] == ["m", "n"]
    assert (page.total, page.page, page.per_page, page.pages) == (None, 1, 2, None)


@pytest.mark.parametrize(
    ("body", "expected", "found"),
    [
        (b'{"data": {}}', "a list in `data`", "found none"),
        (b'{"other": []}', "a list in `data`", "found none"),
        (b'"text"', "a list in `data`", "found none"),
        (b'[{"name": "m"}]', "ModelInfo", "id: Field required"),
    ],
)
def test_what_is_no_listing(body: bytes, expected: str, found: str) -> None:
    """The field or the type is named."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_page(answer(body), "data", ModelInfo)
    assert str(caught.value) == invalid(expected, found)


def task(status: str, output: Optional[Dict[str, Any]] = None, kind: Optional[str] = None) -> Task:
    made = Task(task_id="t", status=status, task_type=kind, output=output)
    made._request_id = "req_7"
    return made


def test_the_output_is_what_the_task_s_type_says() -> None:
    """Unless another model is asked for; of an unknown type it is the bare output."""
    text = _responses.read_output(task("completed", {"text": "hi"}, "text_generation"))
    assert isinstance(text, TextResponse)
    assert (text.text, text.request_id) == ("hi", "req_7")
    drawn = task("completed", {"image_url": "/f", "text": "hi"}, "text_generation")
    assert isinstance(_responses.read_output(drawn, Image), Image)
    assert _responses.read_output(task("completed", {"any": 1}, "new_kind")) == {"any": 1}
    assert _responses.read_output(task("completed", {"any": 1})) == {"any": 1}


@pytest.mark.parametrize(("kind", "name"), [("text_generation", "TextResponse"), (None, "Result")])
def test_a_completed_task_without_its_output_is_an_error(kind: Optional[str], name: str) -> None:
    """Never an empty result."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_output(task("completed", None, kind))
    assert str(caught.value).startswith(f"Task t is completed, but its output is no {name}: Input should be")
    assert caught.value.request_id == "req_7"


def test_an_output_that_is_not_what_it_must_be_is_kept_in_the_error() -> None:
    """And the field is named."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_output(task("completed", {"words": 1}, "text_generation"))
    words = "Task t is completed, but its output is no TextResponse: text: Field required"
    assert caught.value.message == words
    assert caught.value.response_body == {"words": 1}


def test_a_task_that_failed() -> None:
    """Its own words and its code, or the general ones where it has none."""
    failed = task("failed")
    failed.error = TaskFailure(code="NO_MODEL", message="It has gone.")
    with pytest.raises(errors.TaskFailedError) as caught:
        _responses.read_output(failed)
    assert type(caught.value) is errors.TaskFailedError
    assert str(caught.value) == "It has gone. (NO_MODEL, request id req_7)"
    assert caught.value.task is failed
    with pytest.raises(errors.TaskFailedError) as caught:
        _responses.read_output(task("failed"))
    assert (caught.value.message, caught.value.error_code) == (TaskFailure().message, "TASK_FAILED")


def test_a_task_that_was_cancelled() -> None:
    """Whatever it says about an error."""
    cancelled = task("cancelled")
    cancelled.error = TaskFailure(code="X", message="y")
    with pytest.raises(errors.TaskCancelledError) as caught:
        _responses.read_output(cancelled)
    assert str(caught.value) == "Task t was cancelled. (request id req_7)"
    assert caught.value.error_code is None
    assert caught.value.task is cancelled


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, errors.InvalidResponseError),
        (399, errors.InvalidResponseError),
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (402, errors.InvalidRequestError),
        (403, errors.PermissionError),
        (404, errors.NotFoundError),
        (408, errors.APITimeoutError),
        (409, errors.ConflictError),
        (413, errors.InvalidRequestError),
        (415, errors.InvalidRequestError),
        (422, errors.ValidationError),
        (429, errors.RateLimitError),
        (499, errors.InvalidRequestError),
        (500, errors.ServerError),
        (599, errors.ServerError),
    ],
)
def test_every_status_has_its_error(status: int, kind: Type[errors.APIError]) -> None:
    """Exactly one, and it knows the status."""
    error = _responses.status_error(answer(b'{"detail": "why"}', status))
    assert type(error) is kind
    assert error.status_code == status
    assert error.request_id == "req_7"
    assert hasattr(error, "errors") == (status == 422)


def test_a_redirect_says_that_it_is_not_followed() -> None:
    """Whatever its body says."""
    error = _responses.status_error(answer(b'{"detail": "over there"}', 302))
    assert error.message == "The platform redirects elsewhere, which is not followed: check `base_url`."


NO_REASON = "The platform answered 400 without saying why."


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"detail": "d", "message": "m", "error": "e"}', "d", None),
        (b'{"message": "m", "error": "e"}', "m", None),
        (b'{"error": {"message": "inner", "code": 7}}', "inner", "7"),
        (b'{"error": {"code": "X"}, "error_code": "Y"}', NO_REASON, "Y"),
        (b'{"error": {"code": "X"}}', NO_REASON, "X"),
        (b'{"error": "e"}', "e", None),
        (b'{"detail": {"why": "x"}}', "{'why': 'x'}", None),
        (b'["list"]', NO_REASON, None),
        (b"  <p>", NO_REASON, None),
        (b" plain\n", "plain", None),
    ],
)
def test_the_words_come_from_the_body(body: bytes, message: str, code: Optional[str]) -> None:
    """From the most telling part of it; markup and bare JSON tell people nothing."""
    error = _responses.status_error(answer(body, 400))
    assert (error.message, error.error_code) == (message, code)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"loc": ["body", "input", 0, "x"], "msg": "bad"}, "input.0.x: bad"),
        ({"loc": ["body"], "msg": "bad"}, "bad"),
        ({"msg": "bad"}, "bad"),
        ({"loc": ["query", "page"]}, "query.page: wrong"),
        ({}, "wrong"),
        ("plain", "plain"),
    ],
)
def test_each_wrong_field_is_named(row: Any, message: str) -> None:
    """By where it stands, without the word that all have in common."""
    error = _responses.status_error(answer(json.dumps({"detail": [row, row]}).encode(), 422))
    assert error.message == f"{message}; {message}"
    assert isinstance(error, errors.ValidationError)
    assert error.errors == [row, row]


def test_long_words_are_cut() -> None:
    """In the message, and in the body that is kept where it is no JSON."""
    said = _responses.status_error(answer(b'{"detail": "' + b"x" * 600 + b'"}', 400))
    assert said.message == "x" * 500
    plain = _responses.status_error(answer(b"y" * 600, 400))
    assert (plain.message, plain.response_body) == ("y" * 500, "y" * 500)
    assert _responses.status_error(answer(b"", 400)).response_body is None
    assert _responses.status_error(answer(b"\xff", 400)).response_body == "\ufffd"
    assert _responses.status_error(answer(b'{"a": 1}', 400)).response_body == {"a": 1}


def test_an_error_says_what_is_left_and_what_to_do() -> None:
    """Where the platform told the one, and where the other helps."""
    limited = _responses.status_error(answer(b"{}", 429, **{"x-ratelimit-limit": "5"}))
    assert limited.rate_limit == errors.RateLimit(5)
    assert (limited.hint or "").startswith("Make fewer calls at once")
    lost = _responses.status_error(answer(b'{"detail": "Not Found"}', 404))
    assert (lost.hint or "").startswith("There may be no such page at all")
    missing = _responses.status_error(answer(b'{"detail": "There is no task t."}', 404))
    assert (missing.rate_limit, missing.hint) == (None, None)


def test_what_a_platform_quotes_is_not_told_on() -> None:
    """The key, in a body that is none, in the words of an error, in a request id."""
    quoting = Answer(200, {"x-request-id": "req_nxs_secret"}, b"your key is nxs_secret", "nxs_secret")
    with pytest.raises(errors.InvalidResponseError) as caught:
        _responses.read_json(quoting)
    assert caught.value.response_body == "your key is ***"
    refused = _responses.status_error(quoting._replace(status=403))
    assert (refused.message, refused.request_id) == ("your key is ***", "req_***")
    assert repr(quoting) == "<Answer 200>"


def test_when_to_come_back_is_told() -> None:
    """By a header, or by the body."""
    assert _responses.status_error(answer(b"{}", 429, **{"retry-after": "7"})).retry_after == 7
    assert _responses.status_error(answer(b'{"retry_after": 9}', 429)).retry_after == 9
    assert _responses.status_error(answer(b"{}", 429)).retry_after is None


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=plain.txt; size=3", "plain.txt"),
        ('attachment; FileName = "a \\"b\\" c.txt"', 'a "b" c.txt'),
        ("attachment; filename=\"fallback.txt\"; FILENAME* = UTF-8'zh'%E4%B8%AD.txt; x=y", "中.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=utf-8''..%2F..%5Cevil.exe", "evil.exe"),
        ('attachment; filename=" a\0b.txt "', "ab.txt"),
        ('attachment; filename=""', None),
        ("attachment; filename=..", None),
        ("attachment; filename=a/.", None),
        ("attachment", None),
        ("", None),
    ],
)
def test_the_name_of_a_file(disposition: str, name: Optional[str]) -> None:
    """Without the folders before it, in its own script."""
    assert _responses.file_name(disposition) == name


def test_a_result_need_not_have_a_request_id() -> None:
    """Not every platform tells one."""
    assert Answer(200, {}, b"").request_id is None
    assert _responses.read_model(Answer(200, {}, b"{}"), Result).request_id is None
