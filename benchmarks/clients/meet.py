"""One contender meets a server that misbehaves: `meet.py CONTENDER COLOUR ACTION URL KEY OPTIONS ARGUMENT`.

COLOUR is `sync` or `async`. Prints what came of it as JSON. Whatever a user could log or print of an error
is searched for the key.
"""

import asyncio
import faulthandler
import gc
import json
import logging
import os
import pickle
import random
import resource
import signal
import sys
import threading
import time
import traceback

NONCES = 20
STUCK = 25
HERE = os.path.dirname(os.path.abspath(__file__))


class Hand:
    """A contender's client, in whatever colour, behind coroutines; the sync ones never suspend."""

    def __init__(self, sdk, colour):
        self.sdk = sdk
        self.awaits = colour == "async"

    def connect(self, url, key, options):
        return (self.sdk.connect_async if self.awaits else self.sdk.connect)(url, key, **options)

    def run(self, coroutine):
        """The coroutine's result: on a new event loop, or at once."""
        if self.awaits:
            return asyncio.run(coroutine)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a sync contender suspended")

    async def do(self, name, *arguments):
        if self.awaits:
            return await getattr(self.sdk, name + "_async")(*arguments)
        return getattr(self.sdk, name)(*arguments)

    async def ask(self, client, text="Hello"):
        return await self.do("ask", client, text)

    async def pieces(self, client):
        stream = await self.do("stream", client)
        if self.awaits:
            async for chunk in stream:
                yield self.sdk.text_of(chunk)
        else:
            for chunk in stream:
                yield self.sdk.text_of(chunk)

    async def first(self, stream):
        if self.awaits:
            async for chunk in stream:
                return chunk
        else:
            for chunk in stream:
                return chunk
        return None

    async def each(self, work, items, width):
        """Do the work for each item, so many at a time: on threads, or as tasks."""
        items = iter(items)
        lock = threading.Lock()

        def pull():
            with lock:
                return next(items, None)

        async def worker():
            while (item := pull()) is not None:
                await work(item)

        if self.awaits:
            await asyncio.gather(*(worker() for _ in range(width)))
            return
        threads = [threading.Thread(target=self.run, args=(worker(),)) for _ in range(width)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def stay(self):
        """Tell whoever started this process, and go on living until it is content."""
        print("there", flush=True)
        if self.awaits:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        else:
            sys.stdin.read()


async def ask(hand, client, report, argument):
    report["text"] = await hand.ask(client)


async def second(hand, client, report, argument):
    await hand.ask(client)  # what the first call imports is no part of what the second one needs
    report.update(memory=peak(), began=time.perf_counter())
    report["text"] = await hand.ask(client)


async def twice(hand, client, report, argument):
    report["first"] = await hand.ask(client)
    report["text"] = await hand.ask(client)


async def stream(hand, client, report, argument):
    async for piece in hand.pieces(client):
        report["text"] += piece


async def second_stream(hand, client, report, argument):
    await hand.ask(client)
    report.update(memory=peak(), began=time.perf_counter())
    await stream(hand, client, report, argument)


async def leave(hand, client, report, argument):
    answer = await hand.do("stream", client)
    await hand.first(answer)
    await hand.do("leave", answer)
    await hand.stay()


async def drop(hand, client, report, argument):
    answer = await hand.do("stream", client)
    await hand.first(answer)
    del answer
    gc.collect()
    await hand.stay()


async def find(hand, client, report, argument):
    report["text"] = await hand.do("find", client, argument)


async def upload(hand, client, report, argument):
    name, size = argument
    report["text"] = await hand.do("upload", client, (name, b"x" * size))


async def download(hand, client, report, argument):
    try:
        await hand.do("download", client, argument)
    finally:
        report["left"] = os.listdir(os.path.dirname(argument))


async def many(hand, client, report, argument):
    wrong = []

    async def work(nonce):
        told = await hand.ask(client, nonce)
        if told != nonce:
            wrong.append(told)

    await hand.each(work, [f"nonce-{number}" for number in range(16 * NONCES)], 16)
    report["wrong"] = len(wrong)


async def storm(hand, client, report, argument):
    failures = []
    await hand.ask(client)  # a hundred threads that import at once are another matter

    async def work(number):
        try:
            await hand.ask(client)
        except Exception as error:
            failures.append(error)

    await hand.each(work, range(argument), 100)
    report["failed"] = len(failures)
    report["foreign"] = sum(not of_its_own(hand.sdk, error) for error in failures)


async def leak(hand, client, report, argument):
    async def some(times):
        for _ in range(times):
            try:
                await hand.ask(client)
            except Exception as error:
                report["foreign"] = report.get("foreign", 0) + (not of_its_own(hand.sdk, error))

    await some(10)
    gc.collect()
    before = open_files()
    await some(argument - 10)
    gc.collect()
    report["files"] = open_files() - before


async def cancel(hand, client, report, argument):
    dice = random.Random(argument)
    await hand.ask(client)
    for _ in range(50):
        tasks = [asyncio.ensure_future(hand.ask(client)) for _ in range(10)]
        for task in tasks:
            await asyncio.sleep(dice.random() * 0.003)
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):  # a CancelledError is none
                report["foreign"] = report.get("foreign", 0) + 1
    report["text"] = await asyncio.wait_for(hand.ask(client), 5)


async def pickles(hand, client, report, argument):
    try:
        await hand.ask(client)
    except Exception as error:
        pickled = pickle.dumps(error)
        report["shown"] = [pickled.decode("latin-1")]
        copy = pickle.loads(pickled)
        report["same"] = (type(copy), str(copy), getattr(copy, "status_code", None)) == (
            type(error),
            str(error),
            getattr(error, "status_code", None),
        )
        raise


async def interrupt(hand, client, report, argument):
    await hand.ask(client)
    report["began"] = time.perf_counter()
    timer = threading.Timer(argument, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    await hand.ask(client)


async def show(hand, client, report, argument):
    report["shown"] = [repr(client), str(client), f"{client}"]


def loops(hand, client, report, argument):
    """One client, on three event loops one after the other."""
    texts = {hand.run(hand.ask(client)) for _ in range(3)}
    report["text"] = texts.pop() if len(texts) == 1 else ""


def fork(hand, client, report, argument):
    """One client, before and after a fork, by both sides at once."""

    async def calls(name):
        for number in range(NONCES):
            nonce = f"nonce-{name}{number}"
            if await hand.ask(client, nonce) != nonce:
                return 1
        return 0

    hand.run(hand.ask(client, "nonce-first"))
    child = os.fork()
    if not child:
        code = 2
        try:
            code = hand.run(calls("child"))
        finally:
            os._exit(code)
    report["parent"] = hand.run(calls("parent"))
    report["child"] = os.waitpid(child, 0)[1]


COROUTINES = {
    action.__name__: action
    for action in (
        *(ask, second, twice, stream, second_stream, leave, drop, find, upload, download),
        *(many, storm, leak, cancel, pickles, interrupt, show),
    )
}
FUNCTIONS = {"loops": loops, "fork": fork}


def peak():
    """Megabytes that this process has used at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def open_files():
    return len(os.listdir("/dev/fd"))


def of_its_own(sdk, error):
    """Whether an error is one of the SDK's."""
    base = __import__(sdk.PACKAGE)
    path = sdk.ERROR.split(".")
    if len(path) > 1:
        __import__(f"{sdk.PACKAGE}.{path[0]}")
    for name in path:
        base = getattr(base, name)
    return isinstance(error, base)


def told_of(error):
    """Everything that a log or a report would say of an error."""
    whole = traceback.TracebackException.from_exception(error)
    return [str(error), repr(error), repr(error.args), "".join(whole.format())]


def locals_of(error):
    """What an error reporter would record of the variables in the SDK's and its libraries' frames."""
    seen, found = [error], []
    for each in seen:
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if os.path.dirname(os.path.abspath(frame.f_code.co_filename)) != HERE:
                found += map(shown, frame.f_locals.values())
        for other in (each.__cause__, each.__context__):
            if other is not None and other not in seen:
                seen.append(other)
    return found


def shown(value):
    try:
        return repr(value)
    except Exception as error:  # a reporter would go on, too
        return repr(error)


def main():
    contender, colour, action, url, key, options, argument = sys.argv[1:]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's job in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sdk = __import__("use_" + contender.replace("-", "_").replace("[", "_").replace("]", ""))
    report = {"text": "", "error": "", "sdk_error": False, "value_error": False, "interrupted": False}
    faulthandler.dump_traceback_later(STUCK)  # so that whoever is stuck says where
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    hand = Hand(sdk, colour)
    __import__(sdk.PACKAGE)
    report.update(memory=peak(), began=time.perf_counter())
    kept = []
    try:
        client = hand.connect(url, key, json.loads(options))
        kept.append(client)
        if action in FUNCTIONS:
            FUNCTIONS[action](hand, client, report, json.loads(argument))
        else:
            hand.run(COROUTINES[action](hand, client, report, json.loads(argument)))
    except KeyboardInterrupt:
        report["interrupted"] = True
    except Exception as error:
        lines += told_of(error)
        report.update(
            error=type(error).__name__,
            message=str(error)[:300],
            length=len(str(error)),
            sdk_error=of_its_own(sdk, error),
            value_error=type(error) in (ValueError, TypeError),
            status=getattr(error, "status_code", None),
            in_locals=any(key in line for line in locals_of(error)),
        )
    report["seconds"] = time.perf_counter() - report.pop("began")
    report["megabytes"] = peak() - report.pop("memory")
    lines += report.pop("shown", [])
    report["leaked"] = any(key in line for line in lines)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
