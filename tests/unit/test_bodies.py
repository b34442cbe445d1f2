"""What is sent."""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, Dict, List, Optional

import pytest

import nexusai
from nexusai._internal import _bodies
from nexusai.error import AuthenticationError, InvalidRequestError


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused(value: object) -> None:
    """Before anything is sent, as a request that is wrong."""
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        _bodies.json_body({"x": value}, 1000)


def test_a_body_within_itself_is_refused() -> None:
    """And does not end the interpreter."""
    loop: dict = {}  # type: ignore[type-arg]
    loop["loop"] = loop
    with pytest.raises(InvalidRequestError):
        _bodies.json_body(loop, 1000)


def test_the_limit_is_a_limit_of_bytes() -> None:
    """Not of characters."""
    assert _bodies.json_body("中" * 10, 32) == ('"' + "中" * 10 + '"').encode()
    with pytest.raises(InvalidRequestError) as caught:
        _bodies.json_body("中" * 10, 31)
    assert caught.value.error_code == "PAYLOAD_TOO_LARGE"
    assert caught.value.message == (
        "The request is 32 bytes long and was not sent: the limit is 31. Upload large content as a file, "
        "or raise `nexusai.config.max_body_bytes`."
    )


def test_json_is_written_without_waste() -> None:
    """No spaces, and every script as it is."""
    assert _bodies.json_body({"a": [1, None], "b": "é"}, 100) == '{"a":[1,null],"b":"é"}'.encode()


def test_keys_are_uuids_and_differ() -> None:
    """Version 4, of the variant of RFC 9562."""
    keys = {_bodies.idempotency_key().decode() for _ in range(1000)}
    assert len(keys) == 1000
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(key) for key in keys)


@pytest.mark.parametrize(
    ("patience", "seconds"), [(30, 27), (5, 4), (2, 1), (1.5, None), (0.1, None), (600, 60), (66, 59)]
)
def test_the_server_is_asked_to_answer_in_time(patience: float, seconds: Optional[int]) -> None:
    """A tenth is kept for the way, and no more than a minute is asked for."""
    assert _bodies.server_wait(patience) == seconds


@pytest.mark.parametrize(
    ("task_id", "path"), [("a", "/tasks/a"), ("a/../b", "/tasks/a%2F..%2Fb"), ("é", "/tasks/%C3%A9")]
)
def test_a_segment_stays_one(task_id: str, path: str) -> None:
    """Whatever is in it."""
    assert _bodies.path("tasks", task_id) == path


def test_a_lone_surrogate_is_no_id() -> None:
    """It cannot be written as UTF-8."""
    with pytest.raises(ValueError, match="surrogates"):
        _bodies.path("tasks", "\ud800")


@pytest.mark.parametrize("segment", ["", ".", "..", None, 7])
def test_what_is_no_id(segment: Any) -> None:
    """It would lead elsewhere."""
    with pytest.raises(ValueError, match=exactly(f"expected an id, not {segment!r}")):
        _bodies.path("tasks", segment)


def test_a_query_holds_what_was_given() -> None:
    """As text; 0 and False are values."""
    assert _bodies.query({"page": 0, "all": False, "status": None}) == {"page": "0", "all": "False"}


def test_the_body_of_an_invoke_holds_what_was_given() -> None:
    """An option that is None was not given; the caller's mapping is not changed."""
    assert _bodies.invoke_body("x", {"a": 1}) == {"task_type": "x", "input": {"a": 1}}
    assert _bodies.invoke_body("x", {}, config={"seed": None}) == {"task_type": "x", "input": {}}
    told = _bodies.invoke_body("x", {}, config={"webhook_url": "https://there", "seed": 1})
    assert told == {"task_type": "x", "input": {}, "config": {"seed": 1}, "webhook_url": "https://there"}
    config = {"seed": 0, "stop": None}
    whole = _bodies.invoke_body("x", {}, provider="p", model="m", config=config, stream=True)
    assert whole == {
        "task_type": "x",
        "input": {},
        "provider": "p",
        "model": "m",
        "config": {"seed": 0},
        "stream": True,
    }
    assert config == {"seed": 0, "stop": None}


def test_a_text_is_asked_for_by_a_prompt_or_by_a_conversation() -> None:
    """With everything else of an invoke."""
    assert _bodies.text_body("hi", None, "p", "m", {"seed": 1}, stream=True) == {
        "task_type": "text_generation",
        "input": {"prompt": "hi"},
        "provider": "p",
        "model": "m",
        "config": {"seed": 1},
        "stream": True,
    }
    turns = [{"role": "user", "content": ""}]
    assert _bodies.text_body(None, turns, None, None, {}) == {
        "task_type": "text_generation",
        "input": {"messages": turns},
    }


EITHER = "give either `prompt` or `messages`, exactly one of them"
NO_TEXT = "`prompt` must be a text that is not empty"
NO_TURNS = "`messages` must hold at least one {'role': …, 'content': …}"


@pytest.mark.parametrize(
    ("prompt", "messages", "why"),
    [
        (None, None, EITHER),
        ("hi", [{"role": "user", "content": "hi"}], EITHER),
        ("", None, NO_TEXT),
        (" \n", None, NO_TEXT),
        (7, None, NO_TEXT),
        (None, [], NO_TURNS),
        (None, [{"role": "user"}], NO_TURNS),
        (None, [{"content": "hi"}], NO_TURNS),
        (None, [{"role": "user", "content": "hi"}, {}], NO_TURNS),
    ],
)
def test_what_is_no_input_of_a_text(prompt: Any, messages: Any, why: str) -> None:
    """It is told before anything is sent."""
    with pytest.raises(ValueError, match=exactly(why)):
        _bodies.text_input(prompt, messages)


def test_the_body_of_a_request_for_vectors() -> None:
    """A text stays one, several become a list; what is given besides wins."""
    one = {"input": "a", "encoding_format": "base64"}
    assert _bodies.embeddings_body("a", None, None, {}) == one
    assert _bodies.embeddings_body(("a", "b"), "m", 3, {"encoding_format": "float"}) == {
        "input": ["a", "b"],
        "model": "m",
        "dimensions": 3,
        "encoding_format": "float",
    }


@pytest.mark.parametrize("texts", ["", [], [""], ["a", ""], ["a", 7]])
def test_what_has_no_vector(texts: Any) -> None:
    """Not even one among others."""
    with pytest.raises(ValueError, match="^input: expected a text or several, none of them empty$"):
        _bodies.embeddings_body(texts, None, None, {})


def test_the_body_of_an_invoke_in_a_session() -> None:
    """The prompt stands where the documentation says, and where deployments look."""
    said = {"prompt": "hi", "input": {"prompt": "hi"}}
    assert _bodies.session_body("hi", {"seed": None}, stream=False) == {**said, "stream": False}
    whole = {**said, "stream": True, "config": {"seed": 0}}
    assert _bodies.session_body("hi", {"seed": 0, "stop": None}, stream=True) == whole


def drawn(**options: Any) -> Dict[str, Any]:
    return _bodies.image_body("a cat", None, None, options).get("config", {})


def test_the_body_of_an_image() -> None:
    """With everything else of an invoke."""
    assert _bodies.image_body("a cat", "p", "m", {"size": "10x20", "num_images": 1, "seed": None}) == {
        "task_type": "image_generation",
        "input": {"prompt": "a cat"},
        "provider": "p",
        "model": "m",
        "config": {"size": "10x20", "num_images": 1},
    }
    assert drawn(size=None) == {}


def test_a_ratio_takes_the_place_of_the_default_size() -> None:
    """Of no other."""
    assert drawn(aspect_ratio="16:9", size="1024x1024") == {"aspect_ratio": "16:9"}
    assert drawn(aspect_ratio="16:9") == {"aspect_ratio": "16:9"}
    with pytest.raises(ValueError, match="^give either `size` or `aspect_ratio`$"):
        drawn(aspect_ratio="16:9", size="512x512")
    with pytest.raises(ValueError, match="^aspect_ratio: expected one of .*16:9, .*, not '5:7'$"):
        drawn(aspect_ratio="5:7", size="1024x1024")


@pytest.mark.parametrize("size", ["big", "0x10", "10x0", "10x", "123456x1", "1x123456", " 1x1", "1x1\n", 10])
def test_what_is_no_size(size: Any) -> None:
    """Two numbers from 1, of up to five digits."""
    with pytest.raises(
        ValueError, match=exactly(f"size: expected WIDTHxHEIGHT in pixels, such as 1024x768, not {size!r}")
    ):
        drawn(size=size)
    assert drawn(size="12345x1") == {"size": "12345x1"}


@pytest.mark.parametrize("count", [0, -1, "2", 1.5])
def test_what_is_no_number_of_images(count: Any) -> None:
    """One is the least."""
    with pytest.raises(
        ValueError, match=exactly(f"num_images: expected a whole number from 1, not {count!r}")
    ):
        drawn(num_images=count)


def test_the_body_of_a_text_to_be_read_aloud() -> None:
    """With everything else of an invoke."""
    assert _bodies.speech_body("hi", "p", "m", {"voice": "v"}) == {
        "task_type": "text_to_speech",
        "input": {"text": "hi"},
        "provider": "p",
        "model": "m",
        "config": {"voice": "v"},
    }


@pytest.mark.parametrize("text", ["", " \n", None, 7])
def test_nothing_is_told_by_its_argument(text: Any) -> None:
    """Each call has its own word for it."""
    with pytest.raises(ValueError, match="^prompt: say what to draw$"):
        _bodies.image_body(text, None, None, {})
    with pytest.raises(ValueError, match="^text: there is nothing to read aloud$"):
        _bodies.speech_body(text, None, None, {})
    with pytest.raises(ValueError, match="^prompt: there is nothing to say$"):
        _bodies.session_body(text, {}, stream=False)


def test_every_argument_of_a_client_is_known() -> None:
    """So that none of them is sent as an option of a model."""
    arguments = set(inspect.signature(nexusai.NexusAIClient).parameters)
    assert arguments == _bodies.OF_CLIENTS


def test_a_setting_is_no_option_of_a_model() -> None:
    """Silently it would change nothing, and a key would travel in a body."""
    client = nexusai.NexusAIClient("nxs_x", "http://127.0.0.1:9/api/v1", max_retries=0)
    setting: Any = {"timeout": 5}
    calls: List[Callable[[], Any]] = [
        lambda: client.text.generate("hi", **setting),
        lambda: client.text.generate_async("hi", **setting),
        lambda: client.text.stream("hi", **setting).read(),
        lambda: client.images.generate("a cat", **setting),
        lambda: client.audio.synthesize("hi", **setting),
        lambda: client.audio.transcribe(b"RIFF", **setting),
        lambda: client.embeddings.create("hi", **setting),
        lambda: client.knowledge_bases.ask("hi?", "kb", **setting),
        lambda: client.knowledge_bases.ask_stream("hi?", "kb", **setting),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=re.escape("call `client.with_options(timeout=…)`")):
            call()


NO_KEY = (
    "No API key: pass `api_key=`, set `nexusai.config.api_key`, or set NEXUS_API_KEY in the environment "
    "or in a `.env` file."
)
EMPTY_KEY = "The API key is empty: expected a text like `nxs_…`."
BAD_KEY = (
    "The API key holds a space, a line break or a character that is not ASCII: it was probably copied "
    "with something around it. Expected a text like `nxs_…`."
)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, NO_KEY),
        ("", EMPTY_KEY),
        (7, EMPTY_KEY),
        (" k", BAD_KEY),
        ("k\x7f", BAD_KEY),
        ("k\n", BAD_KEY),
        ("é", BAD_KEY),
    ],
)
def test_what_is_no_key(key: Any, why: str) -> None:
    """It is told what is wrong, and never shown."""
    with pytest.raises(AuthenticationError) as caught:
        _bodies.checked_key(key)
    assert caught.value.message == why


def test_every_printable_character_may_be_in_a_key() -> None:
    """But the space."""
    key = "".join(map(chr, range(33, 127)))
    assert _bodies.checked_key(key) == key


TOKEN = "!#$%&'*+-.^_`|~09azAZ"


def test_headers_become_bytes() -> None:
    """A name is a token of RFC 9110; a value may hold tabs, and Latin-1."""
    assert _bodies.checked_headers({TOKEN: "a\tb é", "x": ""}) == [
        (TOKEN.encode(), "a\tb é".encode("latin-1")),
        (b"x", b""),
    ]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a(b", "é", "٣", "a\n", "XX/"])
def test_what_is_no_name_of_a_header(name: str) -> None:
    """It is quoted."""
    with pytest.raises(ValueError, match=exactly(f"{name!r} is no name of a header")):
        _bodies.checked_headers({name: "x"})


@pytest.mark.parametrize("character", ["\0", "\x1f", "\x7f", "\n", "\r", "\u0100", "中"])
def test_what_is_no_value_of_a_header(character: str) -> None:
    """It is not quoted: it may be a secret."""
    with pytest.raises(
        ValueError, match=exactly("the value of the header 'x-a' holds a character that no header can")
    ):
        _bodies.checked_headers({"x-a": f"nxs_{character}x"})


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\t"])
def test_a_value_has_nothing_around_it(value: str) -> None:
    """A server would not see it."""
    with pytest.raises(ValueError, match="^the value of the header 'x-a' begins or ends with a space$"):
        _bodies.checked_headers({"x-a": value})
    checked = _bodies.checked_headers({"x-a": "\u00ff~ \u00e9"})
    assert checked == [(b"x-a", b"\xff~ \xe9")]
    assert repr(checked) == "[(b'x-a', b'***')]", "any may be a secret"


def test_a_key_of_a_few_letters_masks_nothing() -> None:
    """As in tests: a text that happens to hold them stays readable."""
    assert _bodies.masked("the key nxs_0123 is wrong", "nxs_0123") == "the key *** is wrong"
    assert _bodies.masked("the key test is wrong", "test") == "the key test is wrong"
    assert _bodies.masked("nothing to hide", "") == "nothing to hide"
