"""One action of one contender in this process: `measure.py CONTENDER ACTION URL COUNT`.

`bare`, `import` and `cold` are measured from outside, as whole processes, which is why nothing is
imported here that they do not need. The others warm up, measure themselves, and print CPU and wall
seconds per call or per piece of text. Every answer is checked: a wrong one is no measurement.
"""

import sys

ANSWER = "Hello, how can I help you today?"
PIECE = "token "
WARM_UP = 100
STREAMS = 5
WIDTH = 64


def main():
    contender, action, url, count = sys.argv[1:]
    if action == "bare":
        return
    sdk = __import__("use_" + contender.replace("-", "_"))
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


def concurrent_calls(sdk, url, count):
    """Small calls, always 64 at a time."""
    import asyncio

    async def run():
        client = sdk.connect_async(url)

        async def ask(times):
            for _ in range(times):
                expect(await sdk.ask_async(client), ANSWER)

        async def ask_all(times):
            await asyncio.gather(*(ask(times) for _ in range(WIDTH)))

        await ask_all(2)
        before = clocks()
        await ask_all(count // WIDTH)
        return spent(before, count // WIDTH * WIDTH)

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


ACTIONS = {"call": calls, "concurrent": concurrent_calls, "stream": streams}


def clocks():
    """CPU seconds of this process with all its threads, and seconds on the wall."""
    import resource
    import time

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, time.perf_counter()


def spent(before, units):
    after = clocks()
    return {"cpu": (after[0] - before[0]) / units, "wall": (after[1] - before[1]) / units}


def expect(found, expected):
    if found != expected:
        raise SystemExit(f"expected {expected[:40]!r}, found {found[:40]!r}")


def report(cost):
    import json

    print(json.dumps(cost))


if __name__ == "__main__":
    main()
