"""`python -m benchmarks.reliability`: the same faults for every SDK; writes `docs/reliability.md`.

Each row is one fault, played byte by byte by a server on the loopback, with what a caller may expect. Every
contender meets it in a fresh process of its own environment, by its own public interface, sync and async.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from faults.server import Connection, FaultServer

from benchmarks.contenders import PEERS, ROOT, Contender
from benchmarks.fault_rows import ROWS, Meeting, Row
from benchmarks.report import table
from benchmarks.server import SHAPES

PAGE = ROOT / "docs" / "reliability.md"
COLOURS = ("sync", "async")
_CLIENT = Path(__file__).resolve().parent / "clients" / "meet.py"
_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
_PATIENCE = 30
_STUCK = {
    **dict.fromkeys(("text", "error", "message"), ""),
    **dict.fromkeys(("sdk_error", "value_error", "leaked", "interrupted", "in_locals"), False),
    "seconds": _PATIENCE,
    "megabytes": 0,
    "status": None,
    "length": 0,
    "left": None,
}

_TEXT = """\
# Reliability

Written by `make faults-peers` on {day}; do not edit.

The same faults for every SDK, played byte by byte by a server on the loopback. Each contender meets them in a
process of its own, by its own public interface: first its sync client, then its async one.

`yes`: it did what the row says; where that is an error, with one of the SDK's own errors, and without the key
in any message, log line or traceback. `no`: something else came of it. `–`: there is no such thing to try;
why, stands below the table. `P0` marks what is of first importance.

{table}

{verdict}

{notes}

Measured with {versions}. What is wanted of a peer is what a caller would want of any client, and it is asked
for in the peer's own documented way. Where ours is given a bound that only it has (on a whole call, on a
stream without content), the others have a dash. The tests in `tests/faults` and `tests/aio/faults` hold these
rows and many more for our own clients; `make faults` repeats the random ones for minutes.
"""


def main() -> None:
    arguments = _parser().parse_args()
    rows = [row for row in ROWS if not arguments.only or row.id in arguments.only]
    if shutil.which("openssl") is None:
        print("There is no openssl to make a certificate with: S24 is left out", file=sys.stderr)
        rows = [row for row in rows if row.at != "untrusted"]
    contenders = {
        name: contender
        for name, contender in PEERS.items()
        if not arguments.contender or name in arguments.contender
    }
    for contender in contenders.values():
        contender.prepare()
    with ThreadPoolExecutor(arguments.jobs) as at_once:
        running = {
            row: {name: at_once.submit(_verdicts, row, contender) for name, contender in contenders.items()}
            for row in rows
        }
        results = {
            row: {name: future.result() for name, future in futures.items()}
            for row, futures in running.items()
        }
    text = _table(results, list(contenders))
    print(text)
    if arguments.write and not arguments.only and not arguments.contender:
        PAGE.write_text(_page(results, text), encoding="utf-8")
    bad = [row for row, verdicts in results.items() if "no" in verdicts.get("nexusai", ())]
    if bad:
        sys.exit("nexusai does not do what it promises: " + "; ".join(f"{row.id} {row.title}" for row in bad))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    ids = sorted({row.id for row in ROWS}, key=lambda name: int(name[1:]))
    parser.add_argument("--only", action="append", choices=ids, metavar="ROW", help=f"of {', '.join(ids)}")
    parser.add_argument("--contender", action="append", choices=[*PEERS], help="only this one")
    parser.add_argument("--jobs", type=int, default=2, help="so many contenders at a time (2)")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave the page as it is")
    return parser


Verdicts = Mapping[Row, Mapping[str, Sequence[str]]]


def _table(results: Verdicts, contenders: Sequence[str]) -> str:
    cells = [
        [
            row.id + (" P0" if row.first else ""),
            row.title,
            *(_cell(verdicts[name]) for name in contenders),
        ]
        for row, verdicts in results.items()
    ]
    return table(["row", "", *contenders], cells, left=2)


def _cell(verdicts: Sequence[str]) -> str:
    return " / ".join(verdicts) if set(verdicts) != {"–"} else "–"


def _verdicts(row: Row, contender: Contender) -> list[str]:
    verdicts = [verdict(row, contender, colour) for colour in COLOURS]
    print(f"{row.id} {row.title}: {contender.name} {_cell(verdicts)}", file=sys.stderr)
    return verdicts


def verdict(row: Row, contender: Contender, colour: str) -> str:
    if contender.name in row.without or row.only not in ("", colour) or colour not in contender.colours:
        return "–"
    meeting = _meet(row, contender, colour)
    if row.good(meeting):
        return "yes"
    told = f"{str(meeting.report)[:700]}, {len(meeting.requests)} requests {meeting.noise[-1500:]}"
    print(f"  {row.id} {contender.name} {colour}: {told}", file=sys.stderr)
    return "no"


def _meet(row: Row, contender: Contender, colour: str) -> Meeting:
    shape = SHAPES[_PATHS.get(contender.name, "/api/v1/invoke")]
    kind = _Hasty if row.early else _Untrusted if row.at == "untrusted" else FaultServer
    server, elsewhere = kind(), FaultServer()
    try:
        server.plays(*row.acts(shape, elsewhere.base_url))
        with tempfile.TemporaryDirectory() as directory:
            url = _nobody() if row.at == "nobody" else server.base_url.removesuffix("/api/v1")
            if row.at in ("https", "untrusted"):
                url = url.replace("http:", "https:")
            report, noise, hung_up = _process(row, contender, colour, url, directory, server)
        return Meeting(report, server.requests, elsewhere.requests, hung_up, noise)
    finally:
        server.stop()
        elsewhere.stop()


def _process(
    row: Row, contender: Contender, colour: str, url: str, directory: str, server: FaultServer
) -> tuple[dict[str, Any], str, bool]:
    """What the contender's process told, on both its channels, and whether the server was left in time."""
    options = {**row.options, **(row.ours if contender.name.startswith("nexusai") else {})}
    argument = json.dumps(row.argument).replace("{directory}", directory)
    script = [str(contender.python), "-E", "-s", str(_CLIENT), contender.name, colour, row.action]
    with subprocess.Popen(
        [*script, url, row.key, json.dumps(options), argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    ) as process:
        assert process.stdout is not None
        hung_up = False
        if row.action in ("leave", "drop"):
            first = process.stdout.readline()
            hung_up = first == "there\n" and server.hung_up.wait(1)
        try:
            printed, noise = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, noise = process.communicate()
            return dict(_STUCK), noise, False
    try:
        return json.loads(printed), noise, hung_up
    except ValueError:
        return {**_STUCK, "message": f"ended with {process.returncode}: {printed[:200]}"}, noise, hung_up


class _Hasty(FaultServer):
    """Acts as soon as it has seen a request's head."""

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock, self)
        connection._body = lambda headers: b""  # type: ignore[method-assign]
        with suppress(OSError):
            seen = connection.request()
            if seen is not None:
                self.requests.append(seen)
                self._script.popleft()(connection)
        sock.close()


class _Untrusted(FaultServer):
    """Speaks TLS, with a certificate that it has made for itself."""

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            super()._serve(_self_signed().wrap_socket(sock, server_side=True))


@cache
def _self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = f"{directory}/key", f"{directory}/certificate"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += [
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context.load_cert_chain(certificate, key)
    return context


def _nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def _page(results: Verdicts, text: str) -> str:
    versions = ", ".join(
        f"{contender.distribution} {contender.versions()[contender.distribution]}"
        for contender in PEERS.values()
    )
    return _TEXT.format(
        day=date.today().isoformat(),
        table=text,
        verdict=_sums(results),
        notes=_notes(results),
        versions=versions,
    )


def _sums(results: Verdicts) -> str:
    """How many rows each contender holds in all the colours that it has."""
    lines = []
    for name in PEERS:
        tried = [verdicts[name] for verdicts in results.values() if set(verdicts[name]) != {"–"}]
        held = sum("no" not in verdicts for verdicts in tried)
        lines.append(f"`{name}` holds {held} of the {len(tried)} rows that it can be asked for")
    return "; ".join(lines) + "."


def _notes(results: Verdicts) -> str:
    notes = ["- `keystone-ai` has no async client."]
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in results:
        for name, reason in row.without.items():
            reasons.setdefault((row.id, reason), []).append(f"`{name}`")
    for (row_id, reason), names in reasons.items():
        notes.append(f"- {row_id}: {', '.join(names)}: {reason}.")
    notes.append("- Rows that only an async client can be asked for have a dash for the sync one.")
    return "\n".join(notes)


if __name__ == "__main__":
    main()
