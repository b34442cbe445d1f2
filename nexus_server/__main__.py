"""`python -m nexus_server`: start the platform, say where it is, and stop it cleanly."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError

from nexus_server.app import create_app
from nexus_server.errors import StartupError
from nexus_server.settings import ServerSettings
from nexus_server.store.data_dir import write_private


@dataclass(frozen=True)
class Announcement:
    """What somebody who starts a server wants to know."""

    url: str
    pid: int
    api_key_file: str


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; 2 when it cannot start."""
    arguments = _parser().parse_args(argv)
    try:
        settings = _settings(arguments)
        logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
        serve(
            settings,
            on_ready=_announce if arguments.announce else None,
            exit_with_parent=arguments.exit_with_parent,
        )
    except StartupError as error:
        sys.stderr.write(f"nexus_server: {error}\n")
        return 2
    return 0


def serve(
    settings: ServerSettings,
    *,
    on_ready: Callable[[Announcement], None] | None = None,
    exit_with_parent: bool = False,
) -> None:
    """Serve in this thread, which must be the main one, until SIGTERM or SIGINT.

    With `exit_with_parent` also until standard input ends, which it does when the process that
    holds its other end dies.

    Raises:
        StartupError: the port is taken, or the data directory cannot be used.
    """
    uvloop = uvicorn.Config("", log_config=None).get_loop_factory()  # where it is installed
    address = (settings.host, settings.port)
    with listen(*address) as listener, asyncio.Runner(loop_factory=uvloop) as runner:
        runner.run(_serve(settings, listener, on_ready, exit_with_parent))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a port is never announced and then refused.

    Raises:
        StartupError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or "it is not an address"
        raise StartupError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    # Connections inherit it. asyncio sets it only where the socket names its protocol, and
    # without it a small answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _serve(
    settings: ServerSettings,
    listener: socket.socket,
    on_ready: Callable[[Announcement], None] | None,
    exit_with_parent: bool,
) -> None:
    app = create_app(settings)
    announcement = _announcement(settings, listener)

    def ready() -> None:
        _print_ready(settings, announcement)
        if on_ready is not None:
            on_ready(announcement)

    # Opened here, not by uvicorn, whose way of telling a failure is a traceback.
    async with app.router.lifespan_context(app):
        with _written(settings.data_dir / "server.json", announcement):
            server = _Server(app, settings.shutdown_grace, ready)
            with _stop_on_signals(server):
                if exit_with_parent:
                    _stop_at_end_of_input(server)
                await server.serve([listener])


class _Server(uvicorn.Server):
    """uvicorn, which tells the platform at once that a shutdown begins."""

    def __init__(self, app: FastAPI, grace: float, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # The platform ends its streams itself when the grace is over; this is for the rest.
            timeout_graceful_shutdown=math.ceil(grace) + 1,
        )
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the platform end what is open while uvicorn waits for it."""
        self._app.state.platform.begin_shutdown()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us: uvicorn would raise them again before the services are closed."""
        yield

    def stop(self) -> None:
        """Stop gracefully; asked twice, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True


@contextlib.contextmanager
def _stop_on_signals(server: _Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, server.stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _stop_at_end_of_input(server: _Server) -> None:
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(server.stop)

    threading.Thread(target=watch, name="parent-watcher", daemon=True).start()


@contextlib.contextmanager
def _written(path: Path, announcement: Announcement) -> Iterator[None]:
    """Tell other programs where this server is, as long as it is there."""
    write_private(path, json.dumps({"url": announcement.url, "pid": announcement.pid}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _announcement(settings: ServerSettings, listener: socket.socket) -> Announcement:
    return Announcement(
        url=f"http://{_reachable(settings.host)}:{listener.getsockname()[1]}/api/v1",
        pid=os.getpid(),
        api_key_file=str((settings.data_dir / "api_key").absolute()),
    )


def _reachable(host: str) -> str:
    """The host as a URL has it; a server that listens everywhere is reached here."""
    with contextlib.suppress(ValueError):
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return f"[{host}]" if ":" in host else host


def _announce(announcement: Announcement) -> None:
    sys.stdout.write(json.dumps(asdict(announcement)) + "\n")
    sys.stdout.flush()


def _print_ready(settings: ServerSettings, announcement: Announcement) -> None:
    sys.stderr.write(
        f"Nexus AI is ready at {announcement.url} (data in {settings.data_dir}, "
        f"API key in {announcement.api_key_file})\n"
    )
    sys.stderr.flush()


def _settings(arguments: argparse.Namespace) -> ServerSettings:
    given = {
        name: getattr(arguments, name)
        for name in ServerSettings.model_fields
        if getattr(arguments, name, None) is not None
    }
    try:
        return ServerSettings(**given)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in fault["loc"])
        raise StartupError(f"The setting {name} cannot be used: {fault['msg']}.") from error
    except (SettingsError, ValueError) as error:  # JSON in the environment, TOML in the file
        raise StartupError(f"The settings cannot be read: {error}.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nexus_server",
        description="The Nexus AI platform on this machine.",
        epilog="Every other setting: NEXUS_SERVER_<NAME> in the environment, "
        "or config.toml in the data directory.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8000); 0 takes a free one")
    parser.add_argument("--data-dir", type=Path, help="where the database and the key are kept")
    parser.add_argument("--log-level", help="debug, info, warning or error")
    parser.add_argument("--announce", action="store_true", help="write one JSON line when ready")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input ends")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
