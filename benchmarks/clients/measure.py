"""One action of one contender in this process: `measure.py CONTENDER ACTION URL COUNT`.

`bare`, `import` and `cold` are measured from outside, as whole processes, which is why nothing is
imported here that they do not need. The others warm up, measure themselves, and print what it cost:
CPU and wall seconds for each thing done, bytes of memory. Every answer is checked: a wrong one is no
measurement.
"""

import sys

ANSWER = "Hello, how can I help you today?"
PIECE = "token "
WARM_UP = 100
STREAMS = 5
WIDTHS = (1, 64, 512)
TEXTS, DIMENSIONS = 256, 768
HELD_PIECES = 20
MEGABYTE = 1024 * 1024


def main():
    contender, action, url, count = sys.argv[1:]
    if action == "bare":
        return
    sdk = __import__("use_" + contender.replace("-", "_").replace("[", "_").replace("]", ""))
    if action == "import":
        __import__(sdk.PACKAGE)
    elif action == "cold":
        expect(sdk.ask(sdk.connect(url)), ANSWER)
    else:
        report(ACTIONS[action](sdk, url, int(count)))


def calls(sdk, url, count):
    """Small calls, one after the other, on one connection."""
    client = sdk.connect(url)

    def ask(times):
        for _ in range(times):
            expect(sdk.ask(client), ANSWER)

    ask(WARM_UP)
    before = clocks()
    ask(count)
    return spent(before, count)


def second_clients(sdk, url, count):
    """More clients in a process that has one: made, and made and answered once."""
    expect(sdk.ask(sdk.connect(url)), ANSWER)
    before = clocks()
    clients = [sdk.connect(url) for _ in range(count)]
    made = spent(before, count)
    for client in clients:
        expect(sdk.ask(client), ANSWER)
    return {**spent(before, count), "made": made["cpu"]}


def concurrent_calls(sdk, url, count):
    """Small calls, so many at a time."""
    import asyncio

    async def run():
        client = sdk.connect_async(url)

        async def ask(times):
            for _ in range(times):
                expect(await sdk.ask_async(client), ANSWER)

        async def ask_all(width, each):
            await asyncio.gather(*(ask(each) for _ in range(width)))

        widths = [width for width in WIDTHS if width <= count]
        for width in range(64, widths[-1] + 64, 64):  # not all connections at the same moment
            await ask_all(width, 1)
        found = {}
        for width in widths:
            await ask_all(width, 1)
            before = clocks()
            await ask_all(width, count // width)
            cost = spent(before, count // width * width)
            found.update({f"cpu{width}": cost["cpu"], f"wall{width}": cost["wall"]})
        return {**found, "growth": found[f"cpu{widths[-1]}"] / found[f"cpu{widths[0]}"]}

    return asyncio.run(run())


def streams(sdk, url, count):
    """Streams of `count` pieces, read to their end."""
    client = sdk.connect(url)

    def read():
        expect("".join(sdk.pieces(client)), PIECE * count)

    read()
    before = clocks()
    for _ in range(STREAMS):
        read()
    return spent(before, count * STREAMS)


def streams_at_once(sdk, url, count):
    """So many streams that are all open at the same moment, each with a text of its own."""
    import asyncio

    more_files()
    sdk.allow(count + 10)

    async def run():
        client = sdk.connect_async(f"{url}/{HELD_PIECES}x1/hold{count}", timeout=300)
        expect(await sdk.ask_async(sdk.connect_async(url)), ANSWER)
        ramp = asyncio.Semaphore(200)
        whole = 0

        async def read(number):
            nonlocal whole
            nonce = f"nonce-{number}"
            found = []
            await ramp.acquire()
            async for piece in sdk.pieces_async(client, nonce):
                if not found:
                    ramp.release()
                found.append(piece)
            expect("".join(found), f"{nonce} " * HELD_PIECES)
            whole += 1

        before, began = memory(), clocks()
        await asyncio.gather(*(read(number) for number in range(count)))
        expect(whole, count)
        return {**spent(began, count), "memory": (peak() - before) / count, "complete": whole}

    return asyncio.run(run())


def decoded(sdk, url, count):
    """From an answer's bytes to lists of floats; where it can, from base64 too."""
    decode = sdk.decoder()
    found = {}
    for encoding, suffix in sdk.ENCODINGS.items():
        content = raw_embeddings(url, encoding)
        expect_vectors(decode(content))
        before = clocks()
        for _ in range(count):
            decode(content)
        cost = spent(before, count)
        found.update({name + suffix: value for name, value in cost.items()})
    return found


def raw_embeddings(url, encoding):
    import json
    from urllib.request import Request, urlopen

    body = json.dumps({"input": "text", "encoding_format": encoding}).encode()
    with urlopen(Request(url + "/v1/embeddings", body)) as answer:
        return answer.read()


def embedded(sdk, url, count):
    """Vectors of texts, by a whole call."""
    client = sdk.connect(url)
    texts = [f"text {number}" for number in range(TEXTS)]
    expect_vectors(sdk.vectors(client, texts))
    before = clocks()
    for _ in range(count):
        vectors = sdk.vectors(client, texts)
    cost = spent(before, count)
    expect_vectors(vectors)
    return cost


def uploads(sdk, url, count):
    """A file of so many megabytes, sent."""
    import pathlib

    def do(megabytes):
        file = pathlib.Path(f"{megabytes}.bin")
        with file.open("wb") as target:
            target.truncate(megabytes * MEGABYTE)
        read_through(file)
        return url, file, lambda told: expect(told, "file_bench")

    return transferred(sdk, "upload", do, count)


def read_through(file):
    """Into the system's cache: who reads first would else pay for its memory, and in a virtual machine
    sometimes several times what the transfer costs."""
    with file.open("rb") as source:
        while source.read(MEGABYTE):
            pass


def downloads(sdk, url, count):
    """A file of so many megabytes, received and written."""
    import pathlib

    def do(megabytes):
        file = pathlib.Path("copy.bin")
        if file.exists():
            file.unlink()
        return f"{url}/{megabytes}MB", file, lambda _: expect(file.stat().st_size, megabytes * MEGABYTE)

    return transferred(sdk, "download", do, count)


def transferred(sdk, action, do, count):
    """One megabyte, to be warm; then so many. In both colours, where there are two."""
    import asyncio

    def sync_one(megabytes):
        url, file, check = do(megabytes)
        client = sdk.connect(url)
        before, began = memory(), clocks()
        told = getattr(sdk, action)(client, file)
        cost = spent(began, 1)
        check(told)
        return {**cost, "memory": max(0, peak() - before)}

    async def async_one(megabytes):
        url, file, check = do(megabytes)
        client = sdk.connect_async(url)
        before, began = memory(), clocks()
        told = await getattr(sdk, action + "_async")(client, file)
        cost = spent(began, 1)
        check(told)
        return {**cost, "memory": max(0, peak() - before)}

    async def async_both():
        await async_one(1)
        return await async_one(count)

    sync_one(1)
    found = sync_one(count)
    if hasattr(sdk, action + "_async"):
        found.update({f"{name}_async": value for name, value in asyncio.run(async_both()).items()})
    return found


ACTIONS = {
    "call": calls,
    "second": second_clients,
    "concurrent": concurrent_calls,
    "stream": streams,
    "held": streams_at_once,
    "decode": decoded,
    "embed": embedded,
    "upload": uploads,
    "download": downloads,
}


def clocks():
    """CPU seconds of this process with all its threads, and seconds on the wall."""
    import resource
    import time

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, time.perf_counter()


def spent(before, units):
    after = clocks()
    return {"cpu": (after[0] - before[0]) / units, "wall": (after[1] - before[1]) / units}


def memory():
    """Bytes that this process uses now. From here on `peak` tells what it used at most."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def peak():
    return _status("VmHWM")


def _status(name):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    raise SystemExit(f"no {name} on this system")


def more_files():
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def expect(found, expected):
    if found != expected:
        raise SystemExit(f"expected {str(expected)[:40]!r}, found {str(found)[:40]!r}")


def expect_vectors(vectors):
    expect((len(vectors), len(vectors[-1]), type(vectors[-1][-1])), (TEXTS, DIMENSIONS, float))


def report(cost):
    import json

    print(json.dumps(cost))


if __name__ == "__main__":
    main()
