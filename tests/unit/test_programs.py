"""Programs that use the SDK, as processes of their own: interrupted, ended in the middle, in odd places."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any, Dict, List

import pytest
from faults.random_runs import RUNS, SEED, hint
from faults.server import STREAM_HEAD, Act, FaultServer, Seen, completed, delta, hang, reply
from untraced import untraced

PATIENCE = 60.0
INTERRUPTIONS = 20 if RUNS == 1 else 200


def act(seen: Seen) -> Act:
    """Nothing but "alive?" is ever answered to the end."""
    if b'"alive?"' in seen.body:
        return reply(200, completed("alive 活着"))
    if b'"stream":true' in seen.body:
        return hang(STREAM_HEAD, delta("a"), delta("b"))
    if b'"busy"' in seen.body:
        return reply(503, {"detail": "busy"}, retry_after="20")
    if seen.target.endswith("/content"):
        return reply(200, raw=b"x" * 300_000)
    if seen.method == "GET":
        return reply(200, {"task_id": "t", "status": "running"})
    if b'"respond"' in seen.body or seen.headers.get("prefer") == "respond-async":
        return reply(202, {"task_id": "t", "status": "queued"})
    return hang()


def program(code: str, faults: FaultServer, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs this; `client` and `address` are there."""
    faults.chooses = act
    head = f"import nexusai\naddress = {faults.base_url!r}\n"
    path = Path(tempfile.mkdtemp(dir=".")) / "program.py"
    path.write_text(head + textwrap.dedent(code), encoding="utf-8")
    inherited = {name: value for name, value in untraced().items() if not name.startswith("NEXUS_")}
    return subprocess.Popen(
        [sys.executable, *options, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**inherited, "NEXUS_OTEL": "off", **environment},
    )


def ended(process: subprocess.Popen[str]) -> List[Any]:
    """Exit status, output and complaints."""
    with process:
        try:
            output, complaints = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        slow = ("Executing <",)  # asyncio's debugging tells of turns of its loop that took long: imports
        lines = [line for line in complaints.splitlines(keepends=True) if not line.startswith(slow)]
        return [process.returncode, output, "".join(lines)]


SYNC_CALLS: Dict[str, str] = {
    "call": "client.text.generate('hi')",
    "stream": "client.text.stream('hi').read()",
    "poll": "client.tasks.wait('t')",
    "upload": "client.files.upload(('a.bin', b'x' * 4_000_000))",
    "pause": "client.text.generate('busy')",
    "line": "[client.text.generate('hi') for client in [full]]",
    "batch": "client.batch.run([client.batch.call('text.generate', prompt='hi')] * 3)",
}
BEFORE = """
import asyncio, os, random, signal, sys, threading, time
nexusai.config.max_connections = 1
dice = random.Random(SEED)
late = []
signal.signal(signal.SIGUSR1, lambda *_: None)

def soon():
    moment = dice.random() * (0.05 if dice.random() < 0.7 else 0.3)
    back.clear()
    def strike():
        time.sleep(moment)
        global struck
        struck = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        # This thread runs again just when the main one lets go of the interpreter to wait in the kernel.
        # A signal that comes before it waits there does not wake it, in any Python program: another does.
        while not back.wait(0.1):
            os.kill(os.getpid(), signal.SIGUSR1)
    global thread  # it may be struck before this returns
    thread = threading.Thread(target=strike, daemon=True)
    thread.start()

back = threading.Event()

def returned():
    back.set()
    if time.monotonic() - struck > 5.0:  # promptly would be 0.2, on a machine that has nothing else to do
        late.append(time.monotonic() - struck)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
@pytest.mark.parametrize("kind", ["call", "stream", "poll", "upload", "pause"])
def test_ctrl_c(faults: FaultServer, kind: str) -> None:
    """At random moments of a call: KeyboardInterrupt arrives soon, and the program can go on, with a client
    that has a single connection."""
    code = f"""
    for turn in range({INTERRUPTIONS}):
        client = nexusai.NexusAIClient("k", address, timeout=60, poll_interval=30)
        assert client.text.generate("alive?").text.startswith("alive")
        try:
            soon()
            {SYNC_CALLS[kind]}
            sys.exit("it has ended")
        except KeyboardInterrupt:
            returned()
        thread.join()
        assert client.text.generate("alive?").text.startswith("alive"), turn
        client.close()
    print("late:", late)
    """
    process = program(BEFORE.replace("SEED", str(SEED)) + textwrap.dedent(code), faults)
    assert ended(process) == [0, "late: []\n", ""], hint(SEED)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio itself is interrupted, wherever it stands")
@pytest.mark.parametrize("kind", ["call", "stream", "poll", "upload", "pause"])
def test_ctrl_c_awaited(faults: FaultServer, kind: str) -> None:
    """The same within `asyncio.run`, which ends; on one client, whose next loop works."""
    code = f"""
    async def main():
        soon()
        await {SYNC_CALLS[kind]}

    async def alive():
        assert (await client.text.generate("alive?")).text.startswith("alive")
        await client.aclose()

    for turn in range({INTERRUPTIONS}):
        if turn % 20 == 0:  # a client that only ever meets outages would in the end not wait for their end
            client = nexusai.AsyncNexusAIClient("k", address, timeout=60, poll_interval=30)
        try:
            asyncio.run(main())
            sys.exit("it has ended")
        except KeyboardInterrupt:
            returned()
        thread.join()
        asyncio.run(alive())
    print("late:", late)
    """
    process = program(BEFORE.replace("SEED", str(SEED)) + textwrap.dedent(code), faults)
    assert ended(process) == [0, "late: []\n", ""], hint(SEED)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
@pytest.mark.parametrize("kind", ["call", "stream", "poll", "pause"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_nobody_catches(faults: FaultServer, kind: str, number: int) -> None:
    """It ends the program as it ends any: no thread of ours keeps it, nothing else is printed."""
    code = f"""
    client = nexusai.NexusAIClient("k", address, timeout=60, poll_interval=30)
    print(client.text.generate("alive?").request_id, flush=True)
    {SYNC_CALLS[kind]}
    """
    process = program(code, faults)
    assert process.stdout is not None
    assert process.stdout.readline() == "None\n"
    process.send_signal(number)
    status, _, complaints = ended(process)
    if number == signal.SIGTERM:
        assert (status, complaints) == (-signal.SIGTERM, "")
    else:
        assert complaints.rstrip().endswith("KeyboardInterrupt")
        assert "ignored" not in complaints
        assert complaints.count("Traceback") == 1


DOWNLOADS = {
    "once": "save = client.files.download",
    "awaited": """
    other = nexusai.AsyncNexusAIClient("k", address)
    save = lambda *of: asyncio.run(other.files.download(*of))""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
@pytest.mark.parametrize("colour", DOWNLOADS)
def test_a_disk_that_is_full(faults: FaultServer, colour: str) -> None:
    """The system's own error; nothing half is left behind, what was there stays, and the client goes on."""
    code = f"""
    import asyncio, os, resource
    client = nexusai.NexusAIClient("k", address)
    {DOWNLOADS[colour]}
    os.mkdir("place")
    save("f", "place/a.bin")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for name in ("place/a.bin", "place", "place/b.bin"):
        try:
            save("f", name)
            print("written")
        except OSError as error:
            print(error.errno)
    print(os.listdir("place"), os.path.getsize("place/a.bin"))
    print(client.text.generate("alive?").text)
    """
    told = f"{errno.EFBIG}\n" * 3 + "['a.bin'] 300000\nalive 活着\n"
    assert ended(program(code, faults)) == [0, told, ""]


LEFT_OPEN: Dict[str, str] = {
    "client": "client.text.generate('alive?')",
    "stream": "stream = client.text.stream('hi'); next(stream.text_deltas)",
    "deltas": "deltas = client.text.stream('hi').text_deltas; next(deltas)",
    "in a loop": "for _ in client.text.stream('hi'): raise SystemExit(0)",
    "module": """
nexusai.config.api_key, nexusai.config.base_url = 'k', address
stream = nexusai.text.stream('hi'); next(stream.text_deltas); nexusai.text.generate('alive?')""",
    "daemon": """
import threading, time
threading.Thread(target=lambda: client.text.generate('hi'), daemon=True).start(); time.sleep(0.1)""",
    "cycle": """
client.itself = client; client.text.generate('alive?'); stream = client.text.stream('hi'); next(stream)""",
    "download": "download = client.files.download('f'); it = iter(download)",
    "dropped": """
import gc
for _ in range(3):
    client = nexusai.NexusAIClient('k', address); client.text.generate('alive?'); del client; gc.collect()""",
}


@pytest.mark.parametrize("what", list(LEFT_OPEN))
def test_what_is_open_at_the_end(faults: FaultServer, what: str) -> None:
    """Of the program: it ends, at once and without a word, though every warning is shown."""
    code = f"client = nexusai.NexusAIClient('k', address, timeout=60)\n{LEFT_OPEN[what]}\n"
    assert ended(program(code, faults, "-X", "dev", "-W", "error", "-bb")) == [0, "", ""]


ASYNC_LEFT_OPEN: Dict[str, str] = {
    "closed": "await client.text.generate('alive?'); await client.aclose()",
    "with": "\n    async with client: await client.text.generate('alive?')",
    "stream": """
    async with client:
        async with client.text.stream('hi') as stream:
            async for _ in stream: break""",
    "left": """
    async with client:
        async for _ in client.text.stream('hi'): break""",
    "cancelled": """
    async with client:
        call = asyncio.ensure_future(client.text.generate('hi')); await asyncio.sleep(0.1); call.cancel()""",
}


@pytest.mark.parametrize("what", list(ASYNC_LEFT_OPEN))
def test_what_is_open_at_the_end_of_a_loop(faults: FaultServer, what: str) -> None:
    """Whoever closes the client has nothing left that could complain."""
    code = f"""
import asyncio
client = nexusai.AsyncNexusAIClient('k', address, timeout=60)
async def main():
    {ASYNC_LEFT_OPEN[what]}
asyncio.run(main())
asyncio.run(main()) if {what!r} != 'with' else None
"""
    assert ended(program(code, faults, "-X", "dev", "-W", "error", "-bb")) == [0, "", ""]


@pytest.mark.parametrize("what", ["client", "stream"])
def test_a_loop_that_ends_before_its_client_is_closed(faults: FaultServer, what: str) -> None:
    """It ends as well; what Python warns of stays unseen, as it does by default."""
    use = "await client.text.generate('alive?')" if what == "client" else "await stream.__anext__()"
    code = f"""
import asyncio
client = nexusai.AsyncNexusAIClient('k', address, timeout=60)
stream = client.text.stream('hi')
async def main():
    {use}
async def again():
    assert (await client.text.generate('alive?')).text
    await client.aclose()
asyncio.run(main())
asyncio.run(again())
"""
    assert ended(program(code, faults)) == [0, "", ""]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_both_event_loops(faults: FaultServer, backend: str) -> None:
    """Calls, streams, downloads and tasks on each, one after the other, with one client."""
    pytest.importorskip("trio")
    code = f"""
import anyio
client = nexusai.AsyncNexusAIClient('k', address, timeout=60)
async def main():
    async with client:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.text.generate, 'alive?')
        async with client.text.stream('hi') as stream:
            assert await stream.__anext__() == {{'delta': {{'content': 'a'}}}}
        with anyio.move_on_after(0.1):
            await client.text.generate('hi')
for backend in ({backend!r}, 'asyncio', {backend!r}):
    anyio.run(main, backend=backend)
"""
    assert ended(program(code, faults, "-X", "dev", "-W", "error", "-bb")) == [0, "", ""]


ODD_PLACES: Dict[str, Dict[str, str]] = {
    "plain": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "chinese": {"PYTHONIOENCODING": "gbk"},
    "cp936": {"PYTHONIOENCODING": "cp936", "PYTHONUTF8": "0"},
    "debugging": {"PYTHONASYNCIODEBUG": "1"},
    "optimized": {"PYTHONOPTIMIZE": "2"},
}


@pytest.mark.parametrize("place", list(ODD_PLACES))
def test_odd_places(faults: FaultServer, place: str) -> None:
    """Whatever the locale: calls, streams, errors and the log work, in Chinese as well, and nothing warns."""
    code = """
import asyncio, logging, os, sys
logging.basicConfig(level=logging.DEBUG, stream=open(os.devnull, "w", encoding="ascii"))
def show(text):
    sys.stdout.buffer.write(repr(text).encode("utf-8", "backslashreplace") + b"\\n")
with nexusai.NexusAIClient("k", address, timeout=20, max_retries=0) as client:
    show(client.text.generate("alive?").text)
    try:
        client.with_options(timeout=0.2).text.generate("你好")
    except nexusai.APIError as error:
        print(ascii(str(error))[:12])
async def main():
    async with nexusai.AsyncNexusAIClient("k", address, timeout=20) as client:
        show((await client.text.generate("alive?")).text)
        async with client.text.stream("你好") as stream:
            show(await stream.__anext__())
asyncio.run(main())
"""
    status, output, complaints = ended(
        program(code, faults, "-X", "dev", "-W", "error", "-bb", **ODD_PLACES[place])
    )
    assert (status, complaints) == (0, "")
    assert output.count("活着") == 2
    assert "{'delta': {'content': 'a'}}" in output


@pytest.mark.parametrize("encoding", ["gbk", "cp936", "utf-8", "ascii:backslashreplace"])
def test_results_and_errors_can_be_printed(faults: FaultServer, encoding: str) -> None:
    """On a Chinese Windows' terminal, too."""
    code = """
import sys
with nexusai.NexusAIClient("k", address, timeout=20, max_retries=0) as client:
    answer = client.text.generate("alive?")
    print(answer.text, answer, client)
    try:
        client.text.generate("busy")
    except nexusai.APIError as error:
        print(error, repr(error))
        raise
"""
    process = program(code, faults, "-bb", PYTHONIOENCODING=encoding)
    process.stdout.reconfigure(encoding=encoding.partition(":")[0])  # type: ignore[union-attr]
    process.stderr.reconfigure(encoding=encoding.partition(":")[0])  # type: ignore[union-attr]
    status, output, complaints = ended(process)
    assert status == 1
    assert "RateLimitError" in complaints or "ServerError" in complaints
    assert ("活着" in output) == ("ascii" not in encoding)
    assert "UnicodeEncodeError" not in complaints
