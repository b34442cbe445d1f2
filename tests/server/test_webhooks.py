"""Webhooks: what is sent, how often, and where it is never sent."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from server.process import ServerProcess, text
from server.receiver import Receiver, receiving
from server.upstream import FakeUpstream

import nexusai
from nexus_server.errors import InvalidRequest, StartupError
from nexus_server.services.addresses import is_public
from nexus_server.services.webhooks import check_webhook_url, load_secret, sign
from nexus_server.settings import ServerSettings

FAST = 0.01  # 5 s become 50 ms


@pytest.fixture(scope="module")
def hooked(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that may call this machine, and hurries."""
    with ServerProcess(
        tmp_path_factory.mktemp("hooked") / "data",
        upstream.base_url,
        webhook_allow_private=True,
        webhook_retry_scale=FAST,
        webhook_timeout=5,
    ) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who wants to hear of it."""
    with receiving() as running:
        yield running


def row(server: ServerProcess, task_id: str) -> dict[str, Any] | None:
    """The task's delivery as the database has it."""
    with closing(sqlite3.connect(server.data_dir / "nexus.db")) as database:
        database.row_factory = sqlite3.Row
        query = "SELECT * FROM webhook_deliveries WHERE task_id = ?"
        found = database.execute(query, [task_id]).fetchone()
        return dict(found) if found else None


def settled(server: ServerProcess, task_id: str, attempts: int) -> dict[str, Any]:
    """The delivery, after so many attempts have been recorded."""
    deadline = time.monotonic() + 15
    while (found := row(server, task_id)) is None or found["attempts"] < attempts:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def secret_of(server: ServerProcess) -> str:
    """What its owner gives to receivers."""
    return (server.data_dir / "webhook_secret").read_text().strip()


def submit(server: ServerProcess, url: str, **more: Any) -> str:
    """A task that tells its end there."""
    return server.submit(text("你好", webhook_url=url, **more))


def test_completed(hooked: ServerProcess, receiver: Receiver) -> None:
    """One signed call with the task as the wire tells it, to the very path and host that was named."""
    task_id = submit(hooked, receiver.url, fake={"text": "世界"})
    got = receiver.wait_for(1)[0]
    event = nexusai.webhooks.parse(got.body, got.headers, secret=secret_of(hooked))
    assert event.type == "task.completed"
    assert event.data.task_id == task_id
    assert event.id == got.headers["webhook-id"]
    assert "世界".encode() in got.body
    told = json.loads(got.body)
    assert told["data"] == hooked.client.get(f"/tasks/{task_id}").json()
    assert told["timestamp"] == told["data"]["finished_at"]
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.server_address[1]}"
    assert "authorization" not in got.headers
    delivery = settled(hooked, task_id, 1)
    assert delivery["delivered_at"]
    assert delivery["next_attempt_at"] is None


def test_signature_of_another(hooked: ServerProcess, receiver: Receiver) -> None:
    """Any other secret, and any other byte of the body, is refused by who verifies."""
    submit(hooked, receiver.url)
    got = receiver.wait_for(1)[0]
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for body, secret in ((got.body, other), (got.body + b" ", secret_of(hooked))):
        with pytest.raises(nexusai.webhooks.WebhookVerificationError):
            nexusai.webhooks.verify(body, got.headers, secret)


def test_the_specifications_vector() -> None:
    """The example that the Standard Webhooks libraries share."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_failed_and_cancelled(hooked: ServerProcess, upstream: FakeUpstream, receiver: Receiver) -> None:
    """Every end is told, whoever brings it about."""
    submit(hooked, receiver.url, fake={"status": 400, "error": {"message": "no"}})
    told = json.loads(receiver.wait_for(1)[0].body)
    assert told["type"] == "task.failed"
    assert told["data"]["error"]["code"]
    upstream.gate.clear()
    try:
        task_id = submit(hooked, receiver.url, fake={"gated": True})
        assert hooked.client.post(f"/tasks/{task_id}/cancel").status_code == 200
        told = json.loads(receiver.wait_for(2)[1].body)
    finally:
        upstream.gate.set()
    assert told["type"] == "task.cancelled"
    assert told["data"]["task_id"] == task_id


def test_a_stream(hooked: ServerProcess, receiver: Receiver) -> None:
    """The end of a stream is told as well."""
    answer = hooked.invoke(text("hi", stream=True, webhook_url=receiver.url))
    assert "[DONE]" in answer.text
    assert json.loads(receiver.wait_for(1)[0].body)["data"]["task_id"] == answer.headers["x-task-id"]


def test_nobody_to_tell(hooked: ServerProcess) -> None:
    """A task without an address leaves no delivery."""
    task_id = hooked.submit(text())
    hooked.finished(task_id)
    assert row(hooked, task_id) is None


def test_retries(hooked: ServerProcess, receiver: Receiver) -> None:
    """The same id and body again until it is taken, each time signed; a redirect is not followed."""
    began = time.time()
    with receiving() as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.server_address[1]}/"
        receiver.answers = [(500, {}), (307, {"Location": location})]
        task_id = submit(hooked, receiver.url)
        delivery = settled(hooked, task_id, 2)
        assert delivery["last_error"] == "answered 307"
        assert (
            began + 3 <= delivery["next_attempt_at"] / 1000 <= time.time() + 3.6
        )  # 300 s × FAST, and jitter
        got = receiver.wait_for(3)
        assert elsewhere.got == []
    assert len({call.headers["webhook-id"] for call in got}) == 1
    assert len({call.body for call in got}) == 1
    for call in got:
        nexusai.webhooks.verify(call.body, call.headers, secret_of(hooked))
    delivery = settled(hooked, task_id, 3)
    assert delivery["delivered_at"]
    assert delivery["last_error"] is None
    assert len(receiver.got) == 3


def test_gone(hooked: ServerProcess, receiver: Receiver) -> None:
    """410 is the last word."""
    receiver.answers = [(410, {})]
    delivery = settled(hooked, submit(hooked, receiver.url), 1)
    assert delivery["last_error"] == "answered 410"
    assert delivery["delivered_at"] is delivery["next_attempt_at"] is None


@pytest.mark.parametrize(
    ("said", "seconds"), [("100", 100), ("999999999", 86_400), ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400)]
)
def test_retry_after(hooked: ServerProcess, receiver: Receiver, said: str, seconds: int) -> None:
    """A receiver may ask for more time than the schedule gives, up to a day."""
    receiver.answers = [(503, {"Retry-After": said})]
    began = time.time()
    delivery = settled(hooked, submit(hooked, receiver.url), 1)
    assert began + seconds - 1 <= delivery["next_attempt_at"] / 1000 <= time.time() + seconds


def test_the_last_attempt(upstream: FakeUpstream, receiver: Receiver, tmp_path: Path) -> None:
    """Ten attempts, and then it is given up."""
    receiver.answers = [(500, {})] * 20
    with ServerProcess(
        tmp_path / "data", upstream.base_url, webhook_allow_private=True, webhook_retry_scale=1e-7
    ) as server:
        delivery = settled(server, submit(server, receiver.url), 10)
        assert delivery["next_attempt_at"] is delivery["delivered_at"] is None
        assert len(receiver.got) == 10
        deadline = time.monotonic() + 10
        while "is given up: answered 500" not in server.stderr():  # the log comes after the row
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_an_answer_without_end(hooked: ServerProcess, receiver: Receiver) -> None:
    """Its status counts; the rest of it is not read."""
    receiver.answers = [(200, {"Content-Length": str(10**12)})]
    receiver.body = b"x" * 1_000_000
    assert settled(hooked, submit(hooked, receiver.url), 1)["delivered_at"]


def test_nobody_there(hooked: ServerProcess) -> None:
    """A receiver that is down is tried again, and the task is none the worse."""
    with receiving() as receiver:
        url = receiver.url
    task_id = submit(hooked, url)
    assert hooked.finished(task_id)["status"] == "completed"
    delivery = settled(hooked, task_id, 1)
    assert delivery["last_error"].startswith("ConnectError")
    assert delivery["next_attempt_at"]


def test_a_slow_receiver(hooked: ServerProcess, receiver: Receiver) -> None:
    """It gets four calls at once, and holds up nobody else."""
    receiver.open.clear()
    slow = [submit(hooked, receiver.url) for _ in range(12)]
    receiver.wait_for(4)
    with receiving() as other:
        quick = submit(hooked, other.url)
        assert settled(hooked, quick, 1)["delivered_at"]
    assert len(receiver.got) == 4
    receiver.open.set()
    for task_id in slow:
        assert settled(hooked, task_id, 1)["delivered_at"]
    assert receiver.most_under_way == 4
    assert len(receiver.got) == 12


def test_kill_9(upstream: FakeUpstream, receiver: Receiver, tmp_path: Path) -> None:
    """A server that dies while it delivers, delivers again after its next start: the same message."""
    settings = {"webhook_allow_private": True, "webhook_timeout": 0.5, "public_url": "https://ai.example/"}
    with ServerProcess(tmp_path / "data", upstream.base_url, **settings) as server:
        receiver.open.clear()
        task_id = submit(server, receiver.url)
        receiver.wait_for(1)
        server.kill()
        delivery = row(server, task_id)
        assert delivery is not None
        assert (delivery["attempts"], delivery["delivered_at"]) == (0, None)
        server.start()
        receiver.wait_for(2)
        assert settled(server, task_id, 1)["last_error"] == "no answer within 0.5 s"
        server.stop()
        assert row(server, task_id)["next_attempt_at"]  # type: ignore[index]
        receiver.open.set()
        with closing(sqlite3.connect(server.data_dir / "nexus.db")) as database, database:
            database.execute("UPDATE webhook_deliveries SET next_attempt_at = 1")
        server.start()
        assert settled(server, task_id, 2)["delivered_at"]
        assert len({call.headers["webhook-id"] for call in receiver.got}) == 1
        mode = (server.data_dir / "webhook_secret").stat().st_mode
        assert mode & 0o777 == 0o600
        assert secret_of(server) not in server.stderr()


def test_judged_at_each_attempt(upstream: FakeUpstream, receiver: Receiver, tmp_path: Path) -> None:
    """What was allowed at acceptance is refused when it is so no more, before anything is connected."""
    with ServerProcess(tmp_path / "data", upstream.base_url, webhook_allow_private=True) as server:
        upstream.gate.clear()
        task_id = submit(server, receiver.url.replace("127.0.0.1", "localhost"), fake={"gated": True})
        server.kill()
    upstream.gate.set()
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        assert "webhook_allow_private" in settled(server, task_id, 1)["last_error"]
    assert receiver.got == []


def certificate(directory: Path, name: str) -> Path:
    """A certificate for that name with its key, which is its own authority."""
    made = directory / f"{name}.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command += ["-keyout", str(made), "-out", str(directory / "certificate")]
    subprocess.run(command, check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (directory / "certificate").read_bytes())
    return made


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is nothing to make a certificate with")
@pytest.mark.parametrize(("name", "taken"), [("localhost", True), ("example.com", False)])
def test_https(
    name: str,
    taken: bool,
    upstream: FakeUpstream,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the address is connected to, the certificate has to be the name's."""
    file = certificate(tmp_path, name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    asked: list[str] = []
    context.sni_callback = lambda _socket, asked_for, _context: asked.append(asked_for)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with ServerProcess(tmp_path / "data", upstream.base_url, webhook_allow_private=True) as server:
        url = receiver.url.replace("http://127.0.0.1", "https://localhost")
        delivery = settled(server, submit(server, url), 1)
    assert bool(delivery["delivered_at"]) == taken
    assert len(receiver.got) == taken
    assert set(asked) == {"localhost"}
    if not taken:
        assert "certificate verify failed" in delivery["last_error"]


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "localhost",
    "LOCALHOST",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "0.0.0.0",
    "0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "127。0。0。1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
]


def check(url: str, tmp_path: Path, **settings: Any) -> None:
    """Ask whether webhooks may go there."""
    asyncio.run(check_webhook_url(url, ServerSettings(data_dir=tmp_path, **settings)))


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses(host: str, tmp_path: Path) -> None:
    """In whatever spelling, with a sentence that says how to allow it."""
    with pytest.raises(InvalidRequest, match=r"webhook_allow_private|not a URL"):
        check(f"http://{host}/hook", tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "//example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "https://",
        "https:///hook",
        "https://user:secret@93.184.215.14/",
        "https://user@93.184.215.14/",
        "http://93.184.215.14:25/",
        "http://93.184.215.14:0/",
        "http://93.184.215.14:99999/",
        "http://93.184.215.14/\r\nX: y",
        "http://93.184.215.14\\@127.0.0.1/",
        "http://[::1/",
    ],
)
def test_no_receiver(url: str, tmp_path: Path) -> None:
    """What cannot be called is refused, and a password in it is not repeated."""
    with pytest.raises(InvalidRequest, match="webhook_url cannot be used: ") as refusal:
        check(url, tmp_path)
    assert "secret" not in refusal.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "https://93.184.215.14/hook",
        "http://93.184.215.14:8443/hook?x=1#y",
        "https://[2606:4700:4700::1111]/",
        "https://no-such-host.invalid/",
        "https://例子.invalid/回调",
    ],
)
def test_good_addresses(url: str, tmp_path: Path) -> None:
    """The internet is allowed; so is a name that cannot be looked up just now."""
    check(url, tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "10.0.0.1"])
def test_private_addresses_allowed(host: str, tmp_path: Path) -> None:
    """The setting opens them; what is no receiver stays none."""
    check(f"http://{host}:81/hook", tmp_path, webhook_allow_private=True)
    with pytest.raises(InvalidRequest):
        check(f"http://user@{host}/hook", tmp_path, webhook_allow_private=True)


def test_scoped_and_translated_addresses() -> None:
    """An address that means another is judged by that."""
    assert not is_public(ip_address("fe80::1%eth0"))
    assert is_public(ip_address("64:ff9b::808:808"))
    assert is_public(ip_address("::ffff:8.8.8.8"))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ="]
)
def test_secrets_that_protect_nothing(secret: str, tmp_path: Path) -> None:
    """They are refused at the start, by name and without being repeated."""
    with pytest.raises(StartupError, match="The setting webhook_secret") as refusal:
        load_secret(ServerSettings(data_dir=tmp_path, webhook_secret=secret))  # type: ignore[arg-type]
    assert "MfKQ" not in str(refusal.value)
    (tmp_path / "webhook_secret").write_text(secret)
    with pytest.raises(StartupError, match="does not hold a webhook secret"):
        load_secret(ServerSettings(data_dir=tmp_path))


def test_a_given_secret(tmp_path: Path) -> None:
    """It takes the place of the file; the file, once made, stays."""
    given = "whsec_" + base64.b64encode(b"k" * 24).decode()
    settings = ServerSettings(data_dir=tmp_path, webhook_secret=given)  # type: ignore[arg-type]
    assert load_secret(settings) == b"k" * 24
    assert not (tmp_path / "webhook_secret").exists()
    made = load_secret(ServerSettings(data_dir=tmp_path))
    assert len(made) == 32
    assert load_secret(ServerSettings(data_dir=tmp_path)) == made
