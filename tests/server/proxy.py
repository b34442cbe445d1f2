"""A connection between a client and a server that breaks after so many bytes of the answers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit


class CuttingProxy:
    """Listens on the loopback. `budget()` says how many bytes a connection may bring back."""

    def __init__(self, upstream: str, budget: Callable[[], int]) -> None:
        parts = urlsplit(upstream)
        self._target = (parts.hostname, parts.port)
        self._budget = budget
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        left = self._budget()
        with suppress(OSError):
            while left > 0 and (data := server.recv(min(65536, left))):
                client.sendall(data)
                left -= len(data)
        if left <= 0:
            self.cuts += 1
            with suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for sock in (server, client):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RD)
            sock.close()
