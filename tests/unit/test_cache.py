"""Where answers are kept, and what becomes of them there."""

from __future__ import annotations

import logging
import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest
from untraced import untraced

import nexusai
from nexusai._internal._cache_disk import FILE, DiskStore
from nexusai._internal._cache_memory import MemoryStore

MakeStore = Callable[..., Any]


class HandClock:
    """Goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Any:
    if request.param == "memory":
        return MemoryStore(100, 60, clock)
    return DiskStore(str(tmp_path / "kept"), 100, 60, clock)


def test_what_was_put_is_there(store: Any) -> None:
    """Until it is put anew, deleted, or everything is cleared."""
    assert store.get("a") is None
    store.put("a", b"1")
    store.put("b", b"\x00\xff\n")
    store.put("a", b"23")
    assert (store.get("a"), store.get("b"), store.measure()) == (b"23", b"\x00\xff\n", (2, 5))
    store.close()
    store.delete("b")
    store.delete("never")
    assert (store.get("b"), store.measure()) == (None, (1, 2))
    store.clear()
    assert (store.get("a"), store.measure()) == (None, (0, 0))


def test_it_lives_so_long_and_no_longer(store: Any, clock: HandClock) -> None:
    """To the second."""
    store.put("a", b"1")
    clock.now += 59.9
    assert store.get("a") == b"1"
    clock.now += 0.2
    assert store.get("a") is None
    store.put("b", b"2")
    assert store.measure() == (1, 1)


def test_the_oldest_make_room(store: Any, clock: HandClock) -> None:
    """The bytes never exceed the limit; what is larger than all room is not kept, and costs nothing."""
    for name in "abcdefgh":
        clock.now += 1
        store.put(name, name.encode() * 30)
        assert store.measure()[1] <= 100
    assert [name for name in "abcdefgh" if store.get(name)] == ["f", "g", "h"]
    store.put("whale", b"w" * 101)
    assert store.get("whale") is None
    assert store.get("h") == b"h" * 30
    store.put("full", b"f" * 100)
    assert store.measure() == (1, 100)


def test_a_clock_that_was_set_back_keeps_nothing_for_years(tmp_path: Path, clock: HandClock) -> None:
    """What comes from the future is as good as too old."""
    store = DiskStore(str(tmp_path), 100, 60, clock)
    store.put("a", b"1")
    clock.now -= 61
    assert store.get("a") is None
    store.put("b", b"2")
    assert store.measure() == (1, 1)


def test_only_the_user_reads_what_is_on_disk(tmp_path: Path) -> None:
    """The directory and the files."""
    cache = nexusai.Cache(tmp_path / "deep" / "kept")
    cache.put("a", b"1")
    place = tmp_path / "deep" / "kept"
    assert place.stat().st_mode & 0o077 == 0
    assert [path.name for path in place.iterdir() if path.stat().st_mode & 0o077] == []
    assert {FILE} <= {path.name for path in place.iterdir()}


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE answers SET value = x'00' || value",
        "UPDATE answers SET value = substr(value, 2)",
        "UPDATE answers SET value = 'text'",
        "UPDATE answers SET digest = x''",
        "UPDATE answers SET stored = 'soon'",
        "UPDATE answers SET key = CASE key WHEN 'a' THEN 'x' ELSE 'a' END",
        "DELETE FROM answers",
        "DROP TABLE answers",
        "ALTER TABLE answers RENAME COLUMN value TO other",
    ],
)
def test_a_row_that_was_changed_is_not_there(tmp_path: Path, harm: str) -> None:
    """Nor is one that was put in another's place."""
    nexusai.Cache(tmp_path).put("a", b"1")
    nexusai.Cache(tmp_path).put("b", b"2")
    database = sqlite3.connect(str(tmp_path / FILE))
    database.execute(harm)
    database.commit()
    database.close()
    cache = nexusai.Cache(tmp_path)
    assert cache.get("a") is None
    assert cache.stats[:2] == (0, 1)


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but a letter to a friend" * 100, b"SQLite format 3\x00"]
)
def test_a_foreign_file_keeps_nothing_until_it_is_cleared(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left as it is, the log says so once, and `clear` begins anew."""
    (tmp_path / FILE).write_bytes(content)
    cache = nexusai.Cache(tmp_path)
    with caplog.at_level(logging.WARNING, "nexusai"):
        for _ in range(3):
            cache.put("a", b"1")
            kept = cache.get("a")
    if content:
        assert kept is None
        assert (tmp_path / FILE).read_bytes() == content
        (record,) = caplog.records
        assert FILE in record.getMessage()
    cache.clear()
    cache.put("a", b"1")
    assert cache.get("a") == b"1"


def test_bytes_flipped_in_the_file_never_become_an_answer(tmp_path: Path) -> None:
    """Each byte of the file's pages in turn, a few hundred of them: the right bytes, or none."""
    cache = nexusai.Cache(tmp_path / "sound")
    value = bytes(range(256)) * 8
    cache.put("a", value)
    del cache
    whole = (tmp_path / "sound" / FILE).read_bytes()
    found: List[bool] = []
    for number, place in enumerate(range(0, len(whole), len(whole) // 200)):
        directory = tmp_path / str(number)
        directory.mkdir()
        harmed = bytearray(whole)
        harmed[place] ^= 0xFF
        (directory / FILE).write_bytes(bytes(harmed))
        kept = nexusai.Cache(directory).get("a")
        assert kept in (None, value)
        found.append(kept is not None)
    assert {True, False} == set(found)


def test_a_place_that_cannot_be_used_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A directory below a file cannot be made, by whomever."""
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.DEBUG, "nexusai"):
        cache = nexusai.Cache(tmp_path / "file" / "kept")
        cache.put("a", b"1")
        assert cache.get("a") is None
        cache.delete("a")
        cache.clear()
        assert len(cache) == 0
    assert [record.levelname for record in caplog.records] == ["WARNING", *["DEBUG"] * 4]


def test_a_full_disk_keeps_nothing_more(tmp_path: Path) -> None:
    """A process that may write no more than 200 kB to a file goes on, and reads what it has kept."""
    pytest.importorskip("resource", reason="this system cannot limit the size of files")
    code = (
        "import resource, nexusai\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        f"cache = nexusai.Cache({str(tmp_path)!r})\n"
        "for number in range(40):\n"
        "    cache.put(f'k{number}', b'x' * 10_000)\n"
        "kept = [number for number in range(40) if cache.get(f'k{number}') is not None]\n"
        "print(0 < len(kept) < 40, all(cache.get(f'k{n}') == b'x' * 10_000 for n in kept))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_processes_share_a_directory(tmp_path: Path) -> None:
    """Four write at the same time, the same keys and others: each reads what is right, or nothing."""
    code = (
        "import sys, nexusai\n"
        f"cache = nexusai.Cache({str(tmp_path)!r}, max_bytes=50_000)\n"
        "for number in range(150):\n"
        "    for owner in ('all', sys.argv[1]):\n"
        "        key = f'{owner}-{number % 20}'\n"
        "        cache.put(key, key.encode() * 50)\n"
        "        assert cache.get(key) in (None, key.encode() * 50)\n"
        "print(cache.stats.hits > 0, cache.stats.bytes <= 50_000)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    assert [process.communicate()[0].split() for process in running] == [["True", "True"]] * 4
    assert nexusai.Cache(tmp_path).get("all-7") in (None, b"all-7" * 50)


def test_a_cache_that_is_left_to_the_end_says_nothing(tmp_path: Path) -> None:
    """Though whatever holds it may be cleared later than what it was made of."""
    code = f"import os, nexusai\nos.last = cache = nexusai.Cache({str(tmp_path)!r})\ncache.put('a', b'1')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert nexusai.Cache(tmp_path).get("a") == b"1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_cache_goes_on_after_a_fork(tmp_path: Path) -> None:
    """Parent and child each on a connection of their own."""
    code = (
        "import os, sys, nexusai\n"
        f"cache = nexusai.Cache({str(tmp_path)!r})\n"
        "cache.put('before', b'1')\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    cache.put('child', b'2')\n"
        "    os._exit(cache.get('before') != b'1')\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "cache.put('after', b'3')\n"
        "print(cache.get('before'), cache.get('child'), cache.get('after'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "b'1' b'2' b'3'\n", done.stderr


def test_hits_and_misses_are_counted() -> None:
    """By this object; entries and bytes are what is there."""
    cache = nexusai.Cache(max_bytes=10)
    assert cache
    cache.get("a")
    cache.put("a", b"123")
    cache.get("a")
    cache.get("a")
    assert cache.stats._asdict() == {"hits": 2, "misses": 1, "entries": 1, "bytes": 3}
    assert len(cache) == 1


def test_a_pickle_holds_no_answers(tmp_path: Path) -> None:
    """A directory goes with it, what is in memory does not."""
    disk = nexusai.Cache(tmp_path, max_bytes=1000, lifetime=5)
    memory = nexusai.Cache(max_bytes=1000, lifetime=5)
    for cache in (disk, memory):
        cache.put("a", b"canary-51c0ffee")
        assert b"canary" not in pickle.dumps(cache)
        twin = pickle.loads(pickle.dumps(cache))
        assert twin.settings == cache.settings
        assert twin.get("a") == (b"canary-51c0ffee" if cache is disk else None)


@pytest.mark.parametrize(
    "wrong", [{"max_bytes": 0}, {"max_bytes": -1}, {"lifetime": 0}, {"lifetime": float("nan")}]
)
def test_no_room_or_no_time_is_an_error(wrong: Any) -> None:
    """Which says which."""
    with pytest.raises(ValueError, match="more than 0"):
        nexusai.Cache(**wrong)


def test_nothing_is_loaded_for_a_client_without_one() -> None:
    """Neither SQLite nor cachetools, nor the module itself."""
    code = (
        "import sys, nexusai\n"
        "nexusai.NexusAIClient('nxs_x').with_options(timeout=3).text\n"
        "print([name for name in ('sqlite3', 'cachetools', 'nexusai.cache') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=untraced(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("client", [nexusai.NexusAIClient, nexusai.AsyncNexusAIClient])
@pytest.mark.parametrize("wrong", ["directory", 1, {}])
def test_what_is_no_cache_is_refused_at_once(client: Any, wrong: Any) -> None:
    """The error says what was expected."""
    with pytest.raises(TypeError, match=r"cache: expected nexusai\.Cache"):
        client("nxs_0123456789", cache=wrong)
