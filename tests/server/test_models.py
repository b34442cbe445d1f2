"""The catalogue, and the directory that models live in."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from server.fetching import model_of, payload

from nexus_server.models.catalogue import (
    RECOMMENDED,
    SMALLEST,
    HubFile,
    PackageParts,
    catalogue,
    find,
)
from nexus_server.models.environment import without_secrets
from nexus_server.models.errors import ModelError, WrongBytesError
from nexus_server.models.storage import ModelStore, partial_path, record_path

DATA = payload(50_000)
MODEL = model_of(DATA)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path, models=(MODEL,))


def ids(store: ModelStore) -> list[str]:
    return [installed.id for installed in store.installed()]


def test_the_catalogue_is_complete() -> None:
    assert [model.id for model in catalogue()] == [
        "qwen2.5-coder-1.5b",
        "qwen2.5-coder-0.5b",
        "smollm2-135m",
        "whisper-base",
        "kokoro-82m",
    ]
    assert find(RECOMMENDED) is catalogue()[0]
    texts = [model for model in catalogue() if model.task == "text_generation"]
    assert find(SMALLEST).size == min(model.size for model in texts)
    assert len({model.file for model in catalogue()}) == 5


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.id)
def test_every_model_has_pinned_packages(model) -> None:
    *hubs, parts = model.sources
    assert all(isinstance(hub, HubFile) for hub in hubs)
    assert isinstance(parts, PackageParts)
    assert len(bytes.fromhex(model.sha256)) == 32
    for wheel in parts.wheels:
        assert wheel.requirement.count("==") == 1
        assert len(bytes.fromhex(wheel.sha256)) == 32
    assert 0.6 * model.size < sum(wheel.size for wheel in parts.wheels) < 1.01 * model.size


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no local model 'gpt'; there are qwen.*, kokoro-82m"):
        find("gpt")


def test_an_empty_or_missing_directory_has_no_models(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "missing")
    store.verify_all(on_problem=pytest.fail)
    assert store.installed() == []


def test_a_file_put_there_by_hand_is_verified_before_it_is_used(store: ModelStore) -> None:
    store.path(MODEL).write_bytes(DATA)
    assert ids(store) == []
    assert store.verify(MODEL)
    assert ids(store) == ["tiny"]
    record = json.loads(record_path(store.path(MODEL)).read_text())
    assert record["sha256"] == MODEL.sha256


def test_it_is_hashed_once(store: ModelStore, tmp_path: Path) -> None:
    path = store.path(MODEL)
    path.write_bytes(DATA)
    store.verify(MODEL)
    before = path.stat()
    # The same size and time with other bytes: who trusts the record does not see it.
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    other = ModelStore(tmp_path, models=(MODEL,))
    assert other.verify(MODEL)
    path.touch()
    assert ids(other) == []
    with pytest.raises(WrongBytesError):
        other.verify(MODEL)


def test_another_file_of_that_name_is_ignored_and_named(store: ModelStore) -> None:
    store.path(MODEL).write_bytes(DATA[::-1])
    problems: list[str] = []
    for _ in range(2):
        store.verify_all(on_problem=problems.append)
    found = hashlib.sha256(DATA[::-1]).hexdigest()
    assert ids(store) == []
    assert len(problems) == 2
    assert f"expected {MODEL.sha256}, found {found}" in problems[0]
    assert "nexusai models pull tiny" in problems[0]


def test_another_size_needs_no_hash(store: ModelStore) -> None:
    store.path(MODEL).write_bytes(b"short")
    with pytest.raises(WrongBytesError, match="expected 50000 bytes, found 5 bytes"):
        store.verify(MODEL)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"sha256": "x"}'])
def test_a_damaged_record_counts_as_none(store: ModelStore, text: str) -> None:
    store.path(MODEL).write_bytes(DATA)
    record_path(store.path(MODEL)).write_text(text)
    assert ids(store) == []
    assert store.verify(MODEL)


def test_a_directory_that_takes_no_records(store: ModelStore) -> None:
    store.path(MODEL).write_bytes(DATA)
    record_path(store.path(MODEL)).mkdir()
    assert store.verify(MODEL)
    assert ids(store) == ["tiny"]


def test_other_files_are_offered_as_they_are(store: ModelStore, tmp_path: Path) -> None:
    for name in ("zebra.gguf", "my-model.gguf", "notes.txt", "tiny.gguf.partial"):
        (tmp_path / name).write_bytes(b"GGUF")
    (tmp_path / "folder.gguf").mkdir()
    store.path(MODEL).write_bytes(DATA)
    store.verify_all(on_problem=pytest.fail)
    assert ids(store) == ["tiny", "my-model", "zebra"]
    assert [installed.model for installed in store.installed()] == [MODEL, None, None]


def test_a_catalogue_name_is_never_lent_to_an_unverified_file(tmp_path: Path) -> None:
    (tmp_path / "smollm2-135m.gguf").write_bytes(b"GGUF")
    assert ModelStore(tmp_path).installed() == []


def test_removing_takes_all_that_belongs_to_a_model(store: ModelStore, tmp_path: Path) -> None:
    path = store.path(MODEL)
    path.write_bytes(DATA)
    store.verify(MODEL)
    partial_path(path).write_bytes(b"12345")
    store.parts_dir(MODEL).mkdir(parents=True)
    (store.parts_dir(MODEL) / "a.whl").write_bytes(b"123")
    record = record_path(path).stat().st_size
    assert store.remove("tiny") == len(DATA) + 5 + 3 + record
    assert sorted(left.name for left in tmp_path.iterdir()) == [".locks", ".parts"]
    assert ids(store) == []


def test_removing_an_own_file(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    assert store.remove("mine") == 4
    assert ids(store) == []


@pytest.mark.parametrize("model_id", ["tiny", "nope", "../x"])
def test_removing_what_is_not_there(store: ModelStore, tmp_path: Path, model_id: str) -> None:
    with pytest.raises(ModelError, match="there is no model at all"):
        store.remove(model_id)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="there is mine"):
        store.remove(model_id)


def test_secrets_are_not_handed_on() -> None:
    environment = {
        "PATH": "/bin",
        "NEXUS_API_KEY": "a",
        "NEXUS_SERVER_UPSTREAMS": "b",
        "OPENAI_API_KEY": "c",
        "openai_api_key": "d",
        "PIP_INDEX_URL": "e",
    }
    assert without_secrets(environment) == {"PATH": "/bin", "PIP_INDEX_URL": "e"}
