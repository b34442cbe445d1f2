"""Ten thousand streams at once, from one process to another: both ends are run by `test_many_streams`.

python many_streams.py serve PAUSE                   prints its port
python many_streams.py read PORT STREAMS PER_SECOND  prints what came, as JSON
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Dict, List

EVENTS = 20
"""To a stream, with a pause after each that is long enough for all streams to be open at the same time."""


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "serve":
        asyncio.run(serve(float(sys.argv[2])))
    else:
        asyncio.run(read(*map(int, sys.argv[2:])))


async def serve(pause: float) -> None:
    """Each prompt comes back in pieces, each with its number, and as many seconds between them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await repeat(await prompt(reader), pause, writer)
        except (OSError, EOFError):  # the reader has left
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=5000)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


async def prompt(reader: asyncio.StreamReader) -> str:
    headers = await reader.readuntil(b"\r\n\r\n")
    (length,) = [line for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    told: str = json.loads(await reader.readexactly(int(length.split(b":")[1])))["input"]["prompt"]
    return told


async def repeat(prompt: str, pause: float, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    for number in range(EVENTS):
        chunk = json.dumps({"delta": {"content": f"{prompt}/{number} "}})
        writer.write(f"data: {chunk}\n\n".encode())
        await asyncio.sleep(pause)
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()


def memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def read(port: int, streams: int, per_second: int) -> None:
    import nexusai

    nexusai.config.max_connections = streams
    took: List[float] = []
    wrong: Dict[str, int] = {}
    now_open = most_open = most_memory = 0

    async def one(number: int) -> None:
        nonlocal now_open, most_open, most_memory
        await asyncio.sleep(number / per_second)
        began = time.monotonic()
        now_open += 1
        most_open = max(most_open, now_open)
        try:
            text = (await client.text.stream(f"p{number}").read()).text
            if text != "".join(f"p{number}/{event} " for event in range(EVENTS)):
                wrong["crossed or cut"] = wrong.get("crossed or cut", 0) + 1
        except nexusai.APIError as error:
            wrong[str(error)[:80]] = wrong.get(str(error)[:80], 0) + 1
        took.append(time.monotonic() - began)
        now_open -= 1
        if number % 100 == 0:
            most_memory = max(most_memory, memory())

    async with nexusai.AsyncNexusAIClient("k", f"http://127.0.0.1:{port}/api/v1", timeout=120) as client:
        await client.text.stream("first").read()
        before = memory()
        started = time.monotonic()
        await asyncio.gather(*[one(number) for number in range(streams)])
        took.sort()
        print(  # noqa: T201
            json.dumps(
                {
                    "streams": streams,
                    "wrong": wrong,
                    "open at once": most_open,
                    "seconds": time.monotonic() - started,
                    "bytes each": (most_memory - before) / most_open,
                    "slowest over median": took[-1] / took[len(took) // 2],
                }
            )
        )


if __name__ == "__main__":
    main()
