"""Where settings come from."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

import nexusai
from nexusai.config import Config, Setting, hidden, hidden_headers, hidden_options


def client(**given: object) -> nexusai.NexusAIClient:
    return nexusai.NexusAIClient(**{"api_key": "k", **given})  # type: ignore[arg-type]


def test_the_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Argument, assignment, environment, `.env`, default."""
    assert client()._internal_client.timeout == 30
    (tmp_path / ".env").write_text("NEXUS_TIMEOUT=11\nNEXUS_MAX_RETRIES=9\n")
    nexusai.config.reset()
    assert client()._internal_client.timeout == 11
    assert "NEXUS_TIMEOUT" not in os.environ
    monkeypatch.setenv("NEXUS_TIMEOUT", "12")
    assert client()._internal_client.timeout == 12
    nexusai.config.timeout = 13
    assert nexusai.config.timeout == 13
    assert client()._internal_client.timeout == 13
    assert client(timeout=14)._internal_client.timeout == 14
    assert client()._internal_client.max_retries == 9
    nexusai.config.timeout = None  # type: ignore[assignment]
    assert client()._internal_client.timeout == 12


def test_dotenv_is_found_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As every tool finds it, and only when a setting is needed."""
    (tmp_path / ".env").write_text("NEXUS_API_KEY=from_file\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    nexusai.config.reset()
    assert nexusai.config.api_key == "from_file"


def test_a_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named, and nothing that stands in it is told."""
    (tmp_path / ".env").write_bytes("NEXUS_API_KEY=nxs_canary_é\n".encode("utf-16"))
    nexusai.config.reset()
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / ".env"))) as caught:
        nexusai.config.resolve()
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("API_KEY", "nxs_1", "nxs_1"),
        ("BASE_URL", "https://x.example/api/v1//", "https://x.example/api/v1"),
        ("TIMEOUT", "1.5", 1.5),
        ("MAX_RETRIES", "0", 0),
        ("POLL_INTERVAL", "0.1", 0.1),
        ("POLL_TIMEOUT", "60", 60),
        ("TOTAL_TIMEOUT", "9", 9),
        ("CONTENT_TIMEOUT", "9", 9),
        ("MAX_CONNECTIONS", "5", 5),
        ("MAX_BODY_BYTES", "5", 5),
    ],
)
def test_every_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object) -> None:
    """Each setting has its `NEXUS_…`; an empty one counts as not set."""
    setting = name.lower()
    default = getattr(Config(), setting)
    monkeypatch.setenv(f"NEXUS_{name}", value)
    assert getattr(Config(), setting) == read
    monkeypatch.setenv(f"NEXUS_{name}", "")
    assert getattr(Config(), setting) == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "localhost:8000"),
        ("BASE_URL", "ftp://x/y"),
        ("BASE_URL", "http://user:pw@x/y"),
        ("BASE_URL", "http://user@x/y"),
        ("BASE_URL", "http://x/y?z"),
        ("BASE_URL", "http://x/y#z"),
        ("BASE_URL", "http://x:port/y"),
        ("BASE_URL", "http://x y/"),
        ("TIMEOUT", "soon"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "nan"),
        ("MAX_RETRIES", "2.5"),
        ("MAX_RETRIES", "-1"),
        ("POLL_INTERVAL", "x"),
        ("POLL_TIMEOUT", "x"),
        ("MAX_CONNECTIONS", "0"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """And what was expected."""
    monkeypatch.setenv(f"NEXUS_{name}", value)
    with pytest.raises(ValueError, match=f"NEXUS_{name}: expected .*, not"):
        client()


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_retries", True), ("max_retries", 1.5), ("timeout", 0), ("base_url", "x"), ("timeout", "x")],
)
def test_a_bad_argument_names_itself(name: str, value: object) -> None:
    """As an argument, and as an assignment."""
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        client(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        setattr(nexusai.config, name, value)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "nxs_x\r\nX-Evil: 1", "nxs_x\n", "钥匙", "a\0b", "x" * 9 + "\x7f"]
)
def test_an_unusable_key_is_refused_and_never_shown(key: str) -> None:
    """At construction, by the error that a wrong key has."""
    with pytest.raises(nexusai.AuthenticationError) as caught:
        client(api_key=key)
    if key.strip():
        assert key.strip() not in str(caught.value)
        assert key.strip() not in repr(caught.value)


def test_no_key_says_where_one_can_be_given() -> None:
    """Three ways."""
    with pytest.raises(nexusai.AuthenticationError, match="api_key=.*nexusai.config.*NEXUS_API_KEY"):
        nexusai.NexusAIClient()


def test_a_key_of_the_wrong_type_is_not_shown() -> None:
    """Not even its digits."""
    with pytest.raises(ValueError, match="api_key: expected a string, not its value"):
        client(api_key=1234567)


def test_nothing_shows_the_key() -> None:
    """Neither a client, nor the settings."""
    nexusai.config.api_key = "nxs_canary"
    made = nexusai.NexusAIClient()
    shown = "".join(map(repr, [made, made._internal_client, nexusai.config, made.with_options(timeout=1)]))
    assert "canary" not in shown
    assert "set" in repr(nexusai.config)


def test_a_secret_is_used_like_any_text_and_is_not_shown() -> None:
    """Not in a list, a traceback with variables, or wherever else objects are printed."""
    nexusai.config.api_key = "nxs_canary"
    key = nexusai.config.api_key
    assert (key, f"Bearer {key}") == ("nxs_canary", "Bearer nxs_canary")
    assert repr([key]) == "['***']"
    assert hidden(key) is key
    assert hidden(None) is None
    assert "canary" not in repr([hidden("canary"), hidden(b"canary"), hidden(["canary"])])


def test_options_do_not_show_what_may_be_secret() -> None:
    """A key, and any header; they are what they were, and the caller's own stay as they are."""
    given = {"api_key": "nxs_canary", "default_headers": {"X-Token": "canary"}, "timeout": 3}
    kept = hidden_options(given)
    assert kept == given
    assert repr(kept) == "{'api_key': '***', 'default_headers': {'X-Token': '***'}, 'timeout': 3}"
    assert given["default_headers"] == {"X-Token": "canary"}
    assert repr(given["api_key"]) == "'nxs_canary'"
    for other in ({}, {"timeout": 3}, {"api_key": None, "default_headers": None}):
        assert hidden_options(other) == other
    assert hidden_headers({}) == {}
    assert hidden_headers([("X-Token", "canary")]) == {"X-Token": "canary"}


def test_a_setting_without_a_secret_is_shown_when_it_is_wrong() -> None:
    """By its name where it was given, by its variable where it was read; its default is not parsed."""

    class Mine(Config):
        pieces: Setting[Any] = Setting(int, "as many as there are", "a whole number")
        password: Setting[Any] = Setting(int, None, "digits", secret=True)

    mine = Mine()
    assert Mine.pieces.variable == "NEXUS_PIECES"
    assert (mine.pieces, mine.password) == ("as many as there are", None)
    mine.pieces = "7"
    assert mine.pieces == 7
    with pytest.raises(ValueError, match="^pieces: expected a whole number, not 'x'$"):
        mine.pieces = "x"
    with pytest.raises(ValueError, match="^password: expected digits, not its value$"):
        mine.password = "x"


def test_each_change_is_counted() -> None:
    """So that default clients know when they are out of date."""
    settings = Config()
    assert settings.generation == 0
    settings.timeout = 3
    settings.timeout = None  # type: ignore[assignment]
    settings.reset()
    assert settings.generation == 3


def test_what_the_settings_show() -> None:
    """Where they lead, and whether there is a key."""
    settings = Config()
    assert repr(settings) == "<Config base_url='http://localhost:8000/api/v1' api_key=not set>"
    settings.api_key = "nxs_canary"
    assert repr(settings) == "<Config base_url='http://localhost:8000/api/v1' api_key=set>"


def test_with_options() -> None:
    """Only what is named differs; the connections are shared unless the address differs."""
    base = client(timeout=3, max_retries=1)
    other = base.with_options(timeout=4)
    internal = other._internal_client
    assert (internal.timeout, internal.max_retries, internal.content_timeout) == (4, 1, 40)
    assert internal._pools is base._internal_client._pools
    elsewhere = base.with_options(base_url="http://other:1/api/v1")
    assert elsewhere._internal_client._pools is not base._internal_client._pools
    with pytest.raises(TypeError, match="no such option: tiemout"):
        base.with_options(tiemout=1)


@pytest.mark.parametrize("headers", [{"X-A": "b\r\nEvil: 1"}, {"X A": "b"}, {"": "x"}, {"X": "钥"}])
def test_headers_cannot_inject(headers: dict) -> None:  # type: ignore[type-arg]
    """A name is a token, a value stays on its line."""
    with pytest.raises(ValueError, match="header"):
        client(default_headers=headers)


def test_other_arguments() -> None:
    """Each says what it expects."""
    with pytest.raises(TypeError, match="expected an httpx.Client, not object"):
        client(http_client=object())
    with pytest.raises(ValueError, match="transport: expected"):
        client(transport="carrier pigeon")
    nexusai.config.transport = "fast"
    assert nexusai.config.transport == "fast"


def test_the_default_client_follows_the_settings() -> None:
    """A change makes a new one; without a change it stays."""
    from nexusai.client import get_default_client

    nexusai.config.api_key = "one"
    first = get_default_client()._internal_client
    assert get_default_client()._internal_client is first
    nexusai.config.timeout = 7
    assert get_default_client()._internal_client.timeout == 7
