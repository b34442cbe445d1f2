# Generated from tests/aio/faults/test_batch.py by scripts/unasync.py: edit that file.

"""Batches: in order, each with its own error, and taken up again after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import pytest
from faults.server import FaultServer, completed, reply

import nexusai
from nexusai import error as errors


def test_a_batch(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Results and errors in the calls' order."""
    faults.plays(
        reply(200, completed("one")),
        reply(400, {"detail": "not this one"}),
        reply(200, completed("three")),
    )
    seen: List[Tuple[int, int]] = []
    items = client.batch.run(
        [("text.generate", {"prompt": str(number)}) for number in range(3)],
        concurrency=1,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert [item.result.text if item.error is None else "-" for item in items] == ["one", "-", "three"]
    assert isinstance(items[1].error, errors.InvalidRequestError)
    assert [seen.json["input"]["prompt"] for seen in faults.requests] == ["0", "1", "2"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert "text.generate" in repr(items[0])


def test_a_checkpoint(faults: FaultServer, client: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """What is done is not done again; what failed is; a line that was cut off counts as never written."""
    kept = tmp_path / "batch.jsonl"
    calls = [("text.generate", {"prompt": f"第{number}"}) for number in range(3)]
    faults.plays(reply(200, completed("一")), reply(400, {"detail": "no"}), reply(200, completed("三")))
    first = client.batch.run(calls, concurrency=1, checkpoint=kept)
    assert [item.error is None for item in first] == [True, False, True]
    with kept.open("ab") as file:
        file.write(b'{"index": 1, "key": "half a li')
    faults.plays(reply(200, completed("二")))
    second = client.batch.run(calls, concurrency=1, checkpoint=kept)
    assert [item.result.text for item in second] == ["一", "二", "三"]
    assert [item.restored for item in second] == [True, False, True]
    assert len(faults.requests) == 4
    third = client.batch.run(calls, concurrency=1, checkpoint=kept)
    assert all(item.restored for item in third)
    assert type(third[1].result) is type(second[1].result)
    assert third[1].result == second[1].result
    faults.plays(reply(200, completed("another")))
    changed = [*calls[:2], ("text.generate", {"prompt": "changed"})]
    assert not (client.batch.run(changed, concurrency=1, checkpoint=kept))[2].restored


def test_results_with_content(faults: FaultServer, client: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """A picture that was restored can still be read."""
    output = {"image_url": "/api/v1/files/f/content", "width": 1, "height": 1}
    done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
    faults.plays(reply(200, done), reply(200, raw=b"PNG"), reply(200, raw=b"PNG"))
    calls = [("images.generate", {"prompt": "a cat"})]
    for _ in range(2):
        (item,) = client.batch.run(calls, checkpoint=tmp_path / "images.jsonl")
        assert item.result.read() == b"PNG"


@pytest.mark.parametrize("name", ["text", "text.nothing", "text._run", "_internal_client", "", "close.x"])
def test_what_is_no_method(faults: FaultServer, client: nexusai.NexusAIClient, name: str) -> None:
    """Told before anything is sent."""
    with pytest.raises(ValueError, match="no method of the client"):
        client.batch.run([("text.generate", {"prompt": "x"}), (name, {})])
    assert not faults.requests


@pytest.mark.parametrize("concurrency", [0, -1])
def test_none_at_a_time_is_refused(
    faults: FaultServer, client: nexusai.NexusAIClient, concurrency: int
) -> None:
    """Else nothing would be done, and nobody told."""
    calls = [("text.generate", {"prompt": "x"})]
    with pytest.raises(ValueError, match="concurrency: expected at least 1"):
        client.batch.run(calls, concurrency=concurrency)
    with pytest.raises(ValueError, match="concurrency: expected at least 1"):
        client.knowledge_bases.upload_documents("kb_1", [b"a"], concurrency=concurrency)
    assert not faults.requests


def test_what_is_no_checkpoint(client: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """A file of the user's is not overwritten."""
    precious = tmp_path / "thesis.txt"
    precious.write_bytes(b"Chapter 1\n")
    with pytest.raises(ValueError, match="no checkpoint"):
        client.batch.run([("text.generate", {"prompt": "x"})], checkpoint=precious)
    assert precious.read_bytes() == b"Chapter 1\n"
