"""Addresses, as they are sent."""

from __future__ import annotations

from typing import Optional

import pytest

from nexusai._internal._transport import TransportError, Url, parse_url, proxy_for


@pytest.mark.parametrize(
    ("text", "url", "authority"),
    [
        ("http://localhost:8000/api/v1", Url("http", "localhost", 8000, "/api/v1"), "localhost:8000"),
        ("HTTPS://Example.COM", Url("https", "example.com", None, ""), "example.com"),
        ("https://x:443/", Url("https", "x", 443, "/"), "x"),
        ("http://x:443/", Url("http", "x", 443, "/"), "x:443"),
        ("http://x:80/?a=b&c=%20#f", Url("http", "x", 80, "/?a=b&c=%20"), "x"),
        ("http://[::1]:9/ü b", Url("http", "::1", 9, "/%C3%BC%20b"), "[::1]:9"),
        ("http://bücher.example/", Url("http", "xn--bcher-kva.example", None, "/"), "xn--bcher-kva.example"),
        ("http://x/-._~:@!$&'()*+,;=/?", Url("http", "x", None, "/-._~:@!$&'()*+,;=/"), "x"),
    ],
)
def test_an_address_is_read(text: str, url: Url, authority: str) -> None:
    """What must be quoted is; what is quoted stays so."""
    assert parse_url(text) == url
    assert url.authority == authority
    assert str(url) == f"{url.scheme}://{authority}{url.target}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "/x",
        "ftp://x/",
        "http:///x",
        "http://u@x/",
        "http://u:p@x/",
        "http://a b/",
        "http://a|b/",
        "file:///etc/passwd",
        "javascript:x",
        f"http://x{'.y' * 200}|/",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """It is quoted, but not for pages."""
    with pytest.raises(ValueError, match="^expected an address like https://host/path, not ") as caught:
        parse_url(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://x/a", ("http", "x", 80)),
        ("http://x:80/b", ("http", "x", 80)),
        ("https://x/", ("https", "x", 443)),
        ("https://x:8443/", ("https", "x", 8443)),
    ],
)
def test_an_origin_always_has_its_port(text: str, origin: object) -> None:
    """So that it can be compared."""
    assert parse_url(text).origin == origin


def test_what_is_shown_has_no_query() -> None:
    """It may hold a signature."""
    assert parse_url("http://x:9/a/b?sig=s?t").shown == "http://x:9/a/b"


def test_paths_and_queries_go_below() -> None:
    """Each in its form; nothing is quoted twice."""
    base = parse_url("http://x/api")
    assert base.below("/tasks", {}).target == "/api/tasks"
    assert base.below("/a%2Fb", {}).target == "/api/a%2Fb"
    assert base.below("/ü", {"q": "a b&c", "p": "1"}).target == "/api/%C3%BC?q=a+b%26c&p=1"
    assert base.below("/a?b=1", {"c": "2"}).target == "/api/a?b=1&c=2"


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("/f", "http://x:9/f"),
        ("f", "http://x:9/api/f"),
        ("//y/f", "http://y/f"),
        ("https://y/f?a", "https://y/f?a"),
        ("?a", "http://x:9/api/v1?a"),
    ],
)
def test_an_address_may_be_relative(address: str, whole: str) -> None:
    """To the one it was told at."""
    assert str(parse_url("http://x:9/api/v1").join(address)) == whole


def test_a_failure_knows_how_far_it_came() -> None:
    """Whether that may be tried again depends on it."""
    error = TransportError("it broke", timed_out=False, sent=True)
    assert (str(error), error.timed_out, error.sent) == ("it broke", False, True)


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://a.example/", "http://p:1"),
        ("https://a.example/", "http://q:2"),
        ("https://b.example/", None),
        ("http://localhost/", None),
        ("http://127.0.0.1:9/", None),
        ("http://[::1]/", None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, address: str, proxy: Optional[str]
) -> None:
    """By scheme; none for what is exempt, and none for this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for(parse_url(address)) is None
    monkeypatch.setenv("http_proxy", "http://p:1")
    monkeypatch.setenv("https_proxy", "http://q:2")
    monkeypatch.setenv("no_proxy", "b.example")
    assert proxy_for(parse_url(address)) == proxy
    monkeypatch.delenv("http_proxy")
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("all_proxy", "http://r:3")
    assert proxy_for(parse_url(address)) == (proxy and "http://r:3")
