"""Where every setting comes from.

In order: the client's argument, `nexusai.config.<name> = …`, the environment, a `.env` file in the
working directory or above it, the default. `.env` is read when a setting is first needed, and never
copied into `os.environ`. Only `None` means "not given": 0 is a value.
"""

from __future__ import annotations

import os

from nexusai import constants

TYPE_CHECKING = False  # importing `typing` would double what importing `nexusai` costs
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Generic, Optional, TypeVar, Union, overload

    T = TypeVar("T")

    class _Attribute(Generic[T]):
        """Read as its value from an instance, as the setting itself from the class."""

        @overload
        def __get__(self, holder: None, owner: type) -> Setting[T]: ...
        @overload
        def __get__(self, holder: Config, owner: type) -> T: ...
        def __get__(self, holder: Optional[Config], owner: type) -> Union[Setting[T], T]: ...
        def __set__(self, holder: Config, value: Optional[T]) -> None: ...

else:
    T = None

    class _Attribute:
        def __class_getitem__(cls, item):
            return cls

        def __get__(self, holder, owner):
            return self if holder is None else self.resolve(holder, None)

        def __set__(self, holder, value):
            holder._assign(self.name, None if value is None else self.checked(value, self.name))


__all__ = ["Config", "config"]


_LONGEST = 10 * 365 * 86400.0
"""Seconds: beyond it the system's own clocks overflow."""


def _seconds(text: Union[str, float]) -> float:
    value = float(text)
    if not 0 < value <= _LONGEST:
        raise ValueError
    return value


def _count(text: Union[str, int]) -> int:
    if isinstance(text, (bool, float)):
        raise ValueError
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _size(text: Union[str, int]) -> int:
    value = _count(text)
    if value == 0:
        raise ValueError
    return value


_TRUTHS = {"1": True, "true": True, "yes": True, "on": True}
_TRUTHS.update({"0": False, "false": False, "no": False, "off": False})


def _truth(text: Union[str, bool]) -> bool:
    return _TRUTHS[str(text).lower()]


def _address(text: str) -> str:
    from urllib.parse import urlsplit  # a fifth of what importing `nexusai` would cost

    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or " " in text:
        raise ValueError
    parts.port  # noqa: B018 - raises where it is no number
    return text.rstrip("/")


class Secret(str):
    """A text that does not show itself where objects are printed, such as a traceback with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hidden(value: Any) -> Any:
    """`value`, not to be shown. What is no text is refused later, and is not shown either."""
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value) if isinstance(value, str) else _NoText()


def hidden_headers(headers: Any) -> Any:
    """Headers whose values are not to be shown: any may be a secret."""
    return {name: hidden(value) for name, value in dict(headers).items()} if headers else headers


def hidden_options(options: Dict[str, Any]) -> Dict[str, Any]:
    """A client's arguments, with nothing secret to be seen in them."""
    shown = dict(options)
    if "api_key" in shown:
        shown["api_key"] = hidden(shown["api_key"])
    if "default_headers" in shown:
        shown["default_headers"] = hidden_headers(shown["default_headers"])
    return shown


class _NoText:
    """Stands for a value that cannot be a text."""


def _secret(text: str) -> Secret:
    if not isinstance(text, str):
        raise TypeError
    return Secret(text)


def _transport(text: str) -> str:
    if text not in ("httpx", "fast"):
        raise ValueError
    return text


class Setting(_Attribute[T]):
    """One setting: its name, its environment variable, what it may be, and its default."""

    def __init__(
        self,
        parse: Callable[[Any], T],
        default: T,
        expected: str,
        *,
        secret: bool = False,
    ) -> None:
        self.parse = parse
        self.default = default
        self.expected = expected
        self.secret = secret

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.variable: str = f"NEXUS_{name.upper()}"

    def resolve(self, holder: Config, given: Optional[T]) -> T:
        """The value: `given` to a client, else assigned, else from outside, else the default."""
        if given is not None:
            return self.checked(given, self.name)
        assigned: Optional[T] = holder._assigned.get(self.name)
        if assigned is not None:
            return assigned
        outside = os.environ.get(self.variable) or holder._dotenv().get(self.variable)
        return self.checked(outside, self.variable) if outside else self.default

    def checked(self, value: Any, source: str) -> T:
        """`value` as this setting wants it, or an error that names `source`."""
        try:
            return self.parse(value)
        except (KeyError, TypeError, ValueError):
            shown = "its value" if self.secret else repr(str(value) if isinstance(value, str) else value)
            raise ValueError(f"{source}: expected {self.expected}, not {shown}") from None


class Config:
    """The settings of clients made from now on. Assign to change one; `None` unsets it."""

    api_key: Setting[Optional[str]] = Setting(_secret, None, "a string", secret=True)
    base_url: Setting[str] = Setting(
        _address,
        constants.DEFAULT_BASE_URL,
        "an address like https://host/api/v1, without user, query or fragment",
    )
    timeout: Setting[float] = Setting(_seconds, constants.DEFAULT_TIMEOUT, "seconds, more than 0")
    max_retries: Setting[int] = Setting(_count, constants.DEFAULT_MAX_RETRIES, "a whole number, 0 or more")
    poll_interval: Setting[float] = Setting(_seconds, constants.DEFAULT_POLL_INTERVAL, "seconds, more than 0")
    poll_timeout: Setting[float] = Setting(_seconds, constants.DEFAULT_POLL_TIMEOUT, "seconds, more than 0")
    total_timeout: Setting[Optional[float]] = Setting(_seconds, None, "seconds, more than 0")
    content_timeout: Setting[Optional[float]] = Setting(_seconds, None, "seconds, more than 0")
    resume_streams: Setting[bool] = Setting(_truth, True, "true or false")
    otel: Setting[Optional[bool]] = Setting(_truth, None, "true or false")
    transport: Setting[str] = Setting(_transport, "httpx", "'httpx' or 'fast'")
    max_connections: Setting[int] = Setting(
        _size, constants.DEFAULT_MAX_CONNECTIONS, "a whole number, 1 or more"
    )
    max_body_bytes: Setting[int] = Setting(
        _size, constants.DEFAULT_MAX_BODY_BYTES, "a whole number of bytes, 1 or more"
    )

    def __init__(self) -> None:
        self._assigned: Dict[str, Any] = {}
        self._file: Optional[Dict[str, Optional[str]]] = None
        self.generation: int = 0
        """Grows with every assignment, so that default clients know when they are out of date."""

    def resolve(self, **given: Any) -> Dict[str, Any]:
        """All settings, with those `given` to a client before everything else.

        Raises:
            ValueError: a value is not what its setting expects; the message names the argument
                or the environment variable that holds it.
        """
        given["api_key"] = hidden(given.get("api_key"))
        settings = {name: item for name, item in vars(Config).items() if isinstance(item, Setting)}
        return {name: item.resolve(self, given.get(name)) for name, item in settings.items()}

    def checked(self, name: str, value: Any) -> Any:
        """`value`, given to one call in place of the setting `name`.

        Raises:
            ValueError: it is not what that setting expects.
        """
        setting: Setting[Any] = vars(Config)[name]
        return setting.checked(value, name)

    def reset(self) -> None:
        """Forget what was assigned, and read `.env` anew."""
        self._assigned.clear()
        self._file = None
        self.generation += 1

    def _assign(self, name: str, value: Any) -> None:
        self._assigned[name] = value
        self.generation += 1

    def _dotenv(self) -> Dict[str, Optional[str]]:
        if self._file is None:
            from dotenv import dotenv_values, find_dotenv

            path = find_dotenv(usecwd=True)
            found: Optional[Dict[str, Optional[str]]] = {}
            try:
                found = dotenv_values(path) if path else {}
            except UnicodeDecodeError:
                found = None
            if found is None:  # not above: that error has the whole file with it, and would come along
                raise ValueError(f"{path}: expected a text in UTF-8; save it as one.")
            self._file = {name: value and Secret(value) for name, value in found.items()}
        return self._file

    def __repr__(self) -> str:
        return f"<Config base_url={self.base_url!r} api_key={'set' if self.api_key else 'not set'}>"


config: Config = Config()
"""The settings of this process: `nexusai.config`."""
