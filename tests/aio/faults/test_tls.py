"""Certificates that are wrong in one way each: nothing is said to who cannot show a right one."""

from __future__ import annotations

import datetime
import re
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import pytest
import trustme
from faults.server import PATIENCE, reply

import nexusai
from nexusai import error as errors

pytestmark = pytest.mark.anyio


class TLSServer:
    """Answers each request with an empty list, under a certificate that can be changed."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.certificate = self.authority.issue_cert("127.0.0.1")
        self.heard: List[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def send(self, data: bytes) -> None:
        self._answer = data

    def _accept(self) -> None:
        reply(200, {"object": "list", "data": []})(self)  # type: ignore[arg-type]  # it only sends
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(PATIENCE)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.certificate.configure_cert(context)
            with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
                data = _whole_request(sock)
                if data:
                    self.heard.append(data)
                    sock.sendall(self._answer)


def _whole_request(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    head, _, _ = data.partition(b"\r\n\r\n")
    told = re.search(rb"content-length: (\d+)", head.lower())
    expected = len(head) + 4 + (int(told[1]) if told else 0)
    while data and len(data) < expected:
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


@pytest.fixture
def secured() -> Iterator[TLSServer]:
    server = TLSServer()
    yield server
    server.stop()


async def test_a_trusted_certificate_is_enough(
    secured: TLSServer, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names an authority of one's own."""
    secured.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with nexusai.AsyncNexusAIClient("k", secured.base_url, transport=transport, timeout=5) as client:
        assert await client.models.list() == []
    assert len(secured.heard) == 1


@pytest.mark.parametrize("wrong", ["nobody trusts it", "another host's", "no longer valid"])
async def test_a_wrong_certificate_hears_nothing(
    secured: TLSServer, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Not one byte of a request, nor a second attempt; the error says that it is the certificate."""
    if wrong != "nobody trusts it":
        secured.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    if wrong == "another host's":
        secured.certificate = secured.authority.issue_cert("elsewhere.example")
    if wrong == "no longer valid":
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
        secured.certificate = secured.authority.issue_cert("127.0.0.1", not_after=past)
    client = nexusai.AsyncNexusAIClient("k", secured.base_url, transport=transport, timeout=5)
    with pytest.raises(errors.NetworkError, match="(?i)certificate") as caught:
        await client.models.list()
    assert len(caught.value.attempts) == 1
    assert "SSL_CERT_FILE" in (caught.value.hint or "")
    assert not secured.heard


@pytest.mark.parametrize("content", [None, "no certificate\n"])
@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "gzip"}], ids=["straight", "through httpx"])
async def test_a_file_without_certificates(
    secured: TLSServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: Optional[str],
    headers: Dict[str, str],
) -> None:
    """The error names it, and the setting; it is the same whichever way the call takes."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    client = nexusai.AsyncNexusAIClient("k", secured.base_url, timeout=5, default_headers=headers)
    with pytest.raises(nexusai.APIError, match=re.escape(str(tmp_path / "ca.pem"))) as caught:
        await client.models.list()
    assert "SSL_CERT_FILE" in str(caught.value)
    assert not secured.heard


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_an_upload_arrives_whole(
    secured: TLSServer, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """What TLS itself has to say after a handshake is not taken for an early answer."""
    secured.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    file = {"file_id": "f", "filename": "a.txt", "content_type": "text/plain", "size": size}
    reply(201, {**file, "created_at": "2026-01-01T00:00:00Z"})(secured)  # type: ignore[arg-type]
    async with nexusai.AsyncNexusAIClient("k", secured.base_url, transport=transport, timeout=5) as client:
        for turn in range(3):
            assert (await client.files.upload(("a.txt", b"x" * size))).file_id == "f"
            assert secured.heard[turn].count(b"x" * 1000) == size // 1000
