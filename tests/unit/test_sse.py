"""The event decoder against the standard's own words, however the bytes are cut."""

from __future__ import annotations

import random
from typing import List, Optional, Tuple

import pytest
from faults.random_runs import hint, seeds

from nexusai._internal._sse import EventDecoder

Event = Tuple[str, str, str]


def decoded(*chunks: bytes) -> List[Event]:
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [(event.event, event.data.decode("utf-8", "replace"), event.id) for event in events]


def reference(stream: bytes) -> List[Event]:
    """A second decoder, written from the standard's algorithm line by line, on the whole text."""
    text = stream.decode("utf-8", "replace")
    text = text[1:] if text.startswith("\ufeff") else text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    events, data, kind, last_id = [], "", "", ""
    for line in lines:
        if line == "":
            if data:
                events.append((kind or "message", data[:-1], last_id))
            data, kind = "", ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        value = value[1:] if colon and value.startswith(" ") else value
        if name == "event":
            kind = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


STREAMS = [
    b"data: a\n\ndata: b\n\n",
    b"data: a\r\n\r\ndata: b\r\r",
    b"data:a\rdata:b\r\n\ndata: c\n\n",
    b"\xef\xbb\xbfdata: bom\n\n",
    b"data: \xef\xbb\xbf not at the start\n\n",
    b": a comment\n\ndata: x\n: another\ndata: y\n\n",
    b"event: done\ndata: {}\nid: 7\n\ndata: keeps the id\n\nid\ndata: loses it\n\n",
    b"id: a\0b\ndata: x\n\n",
    b"data\n\ndata:\n\ndata: \n\ndata:  two spaces\n\n",
    b"event: nothing\n\nid: 3\n\nretry: 5\n\ndata: x\n\n",
    b"unknown: field\ndatas: no\n data: no\ndata: yes\n\n",
    b"data: dropped at the end",
    b"data: dropped too\n",
    b"data: a\n\xef\xbb\xbfdata: is another field\n\n",
    "data: 你好\u2028世\u0085界\u000b🎉\n\n".encode(),
    b"data: bad \xff\xfe bytes\n\n",
    b"\n\n\n\r\r\rdata: after nothing\n\n",
    b"data: a\n\n\n\n\ndata: b\n\n",
]


@pytest.mark.parametrize("stream", STREAMS)
def test_the_whole_grammar_at_every_cut(stream: bytes) -> None:
    """Cut once and twice at every byte, the events are those of the standard."""
    expected = reference(stream)
    assert decoded(stream) == expected
    assert decoded(*[stream[n : n + 1] for n in range(len(stream))]) == expected
    for first in range(len(stream)):
        assert decoded(stream[:first], stream[first:]) == expected
        second = (first * 7) % (len(stream) - first) + first
        assert decoded(stream[:first], stream[first:second], stream[second:]) == expected


def test_random_streams_at_random_cuts() -> None:
    """3,000 streams from the alphabet of the grammar; the seed is printed on failure."""
    alphabet = [
        b"data",
        b": ",
        b":",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"id",
        b"event",
        b"x",
        "é".encode(),
        b" ",
    ]
    for seed in seeds(3000):
        dice = random.Random(seed)
        stream = b"".join(dice.choice(alphabet) for _ in range(dice.randrange(40)))
        cuts = sorted(dice.randrange(len(stream) + 1) for _ in range(dice.randrange(5)))
        chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)])]
        assert decoded(*chunks) == reference(stream), f"{hint(seed)}: {chunks}"


def test_what_is_told_besides() -> None:
    """The pause before a reconnection, the last id, the heartbeats."""
    decoder = EventDecoder()
    decoder.feed(b"retry: 1500\nid: 9\n: ping\n\nretry: -3\nretry: 1_0\nretry: x\n\n: ping\n")
    assert (decoder.retry, decoder.last_event_id, decoder.comments) == (1500, "9", 2)
    new = EventDecoder()
    assert (new.retry, new.last_event_id, new.comments) == (None, "", 0)
    (event,) = decoder.feed("id: ü\nevent: ö\ndata: x\n\n".encode())
    assert (event.id, event.event) == ("ü", "ö")
    (broken,) = decoder.feed(b"id: \xff\nevent: \xff\ndata: x\n\n")
    assert (broken.id, broken.event) == ("\ufffd", "\ufffd")


@pytest.mark.parametrize("piece", [b"x", b"data: x\n", b"data: x\n: ping\n", b"\rdata:x"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    """In one line or in many, memory is bounded; what was whole before it is told."""
    with pytest.raises(ValueError, match="longer than 100 bytes"):
        EventDecoder(max_event_bytes=100).feed(b"data: whole\n\ndata: half\ndata: " + b"x" * 100 + b"\n")
    decoder = EventDecoder(max_event_bytes=100)
    assert len(decoder.feed(b"data: whole\n\ndata: ")) == 1

    def flood() -> None:
        for _ in range(100):
            decoder.feed(piece)

    with pytest.raises(ValueError, match="longer than 100 bytes"):
        flood()
    assert sum(map(len, decoder._data)) + len(decoder._partial) <= 100 + len(piece)


def test_an_event_may_be_as_long_as_the_limit() -> None:
    """Each by itself: what came before it does not count."""
    decoder = EventDecoder(max_event_bytes=10)
    for _ in range(3):
        assert decoder.feed(b"data: 4567") == []
        assert [event.data for event in decoder.feed(b"\n\n")] == [b"4567"]
    eight_megabytes = EventDecoder()
    eight_megabytes.feed(b"x" * 8 * 1024 * 1024)
    with pytest.raises(ValueError, match="^an event of the stream is longer than 8388608 bytes$"):
        eight_megabytes.feed(b"x")


def test_many_events_are_no_endless_one() -> None:
    """Only what is unfinished counts, however the bytes are cut."""
    for size in (1, 7, 90, 1000):
        stream = b"data: ab\n\n: ping\n\n" * 500
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        decoder = EventDecoder(max_event_bytes=100)
        assert sum(len(decoder.feed(chunk)) for chunk in chunks) == 500


@pytest.mark.parametrize("piece", [b"x", b"\ndata: x", b"\n:"])
def test_the_work_is_linear_in_the_input(piece: bytes) -> None:
    """One event in many small chunks: what is kept is no more than what came, and is joined once."""
    import tracemalloc

    decoder = EventDecoder()
    decoder.feed(b"data: ")
    tracemalloc.start()
    for _ in range(100_000):
        assert decoder.feed(piece) == []
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 40 * len(piece) * 100_000
    (event,) = decoder.feed(b"\n\n")
    assert event.data.count(b"x") == (0 if b":" in piece[:2] else 100_000)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [(b"0", 0), (b"1500", 1500), (b"9" * 5000, 10**12), ("٣".encode(), None), (b"+1", None), (b"1.5", None)],
)
def test_the_pause_before_a_reconnection(value: bytes, milliseconds: Optional[int]) -> None:
    """ASCII digits and nothing else; however many there are."""
    decoder = EventDecoder()
    decoder.feed(b"retry: " + value + b"\n")
    assert decoder.retry == milliseconds


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_mark_of_byte_order_in_pieces(cut: int) -> None:
    """One is taken off, a second one is part of a field's name."""
    for stream in (b"\xef\xbb\xbfdata: a\n\n", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n"):
        assert decoded(stream[:cut], stream[cut:]) == reference(stream)


@pytest.mark.parametrize("heartbeat", [b": ping\n\n", b": ping\n", b"event: ping\n\n", b"\n"])
@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_heartbeats_are_no_part_of_an_event(heartbeat: bytes, size: int) -> None:
    """However many come, and however they are cut: the limit is that of the event after them."""
    decoder = EventDecoder(max_event_bytes=100)
    sent = heartbeat * 200 + b"data: " + b"x" * 80 + b"\n\n"
    events = [event for at in range(0, len(sent), size) for event in decoder.feed(sent[at : at + size])]
    assert [event.data for event in events] == [b"x" * 80]
