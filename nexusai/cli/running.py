"""What every command needs: a client, a way to fail, and exit codes.

Exit codes:
    0    it worked
    1    the platform could not do it, or a task not within its time
    2    the command line, or what it was given, is wrong
    3    there is no usable API key, or it does not allow this
    4    the platform cannot be reached
    130  interrupted with Ctrl-C
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional
from urllib.parse import urlsplit

import typer
from typing_extensions import NoReturn

from nexusai import error as errors
from nexusai.cli import showing
from nexusai.cli.words import say
from nexusai.client import NexusAIClient
from nexusai.config import config
from nexusai.error import APIError

if TYPE_CHECKING:
    from nexusai._internal._local import LocalPlatform

FAILURE, MISTAKE, REFUSED, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 130

_CODES = (
    ((errors.AuthenticationError, errors.PermissionError), REFUSED),
    (errors.TaskTimeoutError, FAILURE),  # the platform was reached all the time
    ((errors.NetworkError, errors.APITimeoutError), UNREACHABLE),
    ((errors.InvalidRequestError, errors.NotFoundError), MISTAKE),
)
Command = Callable[..., Any]


def command(app: typer.Typer, name: str, chinese: str) -> Callable[[Command], Command]:
    """Add a function to `app` as a command whose mistakes and failures are told in a sentence.

    Its docstring is its help in English, `chinese` the same in Chinese.
    """

    def add(function: Command) -> Command:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            with _told():
                function(*arguments, **options)

        app.command(name, help=say(function.__doc__ or "", chinese))(run)
        return function

    return add


def group(name: str, english: str, chinese: str) -> typer.Typer:
    """A command of commands."""
    return typer.Typer(name=name, help=say(english, chinese), no_args_is_help=True)


def connect() -> NexusAIClient:
    """A client as the settings say; without an address and a key, that of the platform on this machine."""
    found = platform_of_this_machine()
    return NexusAIClient() if found is None else NexusAIClient(found.api_key, found.base_url)


def address() -> str:
    """Where `connect` leads."""
    found = platform_of_this_machine()
    return config.base_url if found is None else found.base_url


def is_elsewhere() -> bool:
    """Whether `connect` leads to another machine."""
    return urlsplit(address()).hostname not in ("localhost", "127.0.0.1", "::1")


def platform_of_this_machine() -> Optional[LocalPlatform]:
    """The platform that runs here; None where there is none, or the settings name another."""
    if config.api_key is not None or config.base_url != type(config).base_url.default:
        return None
    from nexusai._internal._local import running_platform

    return running_platform()


def fail(message: str, code: int = MISTAKE) -> NoReturn:
    """Say what is wrong, and end."""
    showing.line(message, to_err=True)
    raise typer.Exit(code)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        fail(_sentence(error), next((code for kinds, code in _CODES if isinstance(error, kinds)), FAILURE))
    except BrokenPipeError:  # who reads the output has left, such as `head`: no reason to complain
        raise
    except (ValueError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail(say("Stopped.", "已停止。"), INTERRUPTED)


def _sentence(error: APIError) -> str:
    advice = ""
    if isinstance(error, errors.NetworkError) and config.base_url == type(config).base_url.default:
        advice = say(
            "Is the platform running? Start it: nexusai serve", "平台在运行吗？启动它：nexusai serve"
        )
    elif isinstance(error, errors.AuthenticationError):
        advice = say(
            "`nexusai doctor` tells where the key is looked for.", "`nexusai doctor` 会说明从哪里读取密钥。"
        )
    if not advice:
        return str(error)
    error.hint = None  # what to do is said below, in the language of the terminal
    return f"{error}\n{advice}"
