"""How a release is made: each script as it is run, in a clone of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import nexusai

ROOT = Path(__file__).resolve().parents[2]
VERSION_FILE = Path("nexusai", "__version__.py")
CHANGELOG = """# Changelog

## Unreleased

- 新功能：something new.

## 0.1.0 (2026-01-01)

- The first.
"""


class Clone:
    """A git repository with our scripts and package in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("nexusai", "scripts"):
            shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.write("CHANGELOG.md", CHANGELOG)
        self.write("README.md", "This is version 0.1.0.\nAnother 0.1.0 stays.\n")
        self.write("README.zh-CN.md", "当前版本 0.1.0。\n")
        self.write(VERSION_FILE, '"""The version."""\n\n__version__ = "0.1.0"\n')
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("Begin")

    def write(self, name: str | Path, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def read(self, name: str | Path) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def replace(self, name: str | Path, old: str, new: str) -> None:
        assert old in self.read(name)
        self.write(name, self.read(name).replace(old, new))

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        command = ["git", *who, "-c", "commit.gpgsign=false", *words]
        done = subprocess.run(command, cwd=self.path, check=True, capture_output=True, encoding="utf-8")
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def run(self, script: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", **more}
        for role in ("AUTHOR", "COMMITTER"):
            env.setdefault(f"GIT_{role}_NAME", "Ada")
            env.setdefault(f"GIT_{role}_EMAIL", "ada@example.com")
        command = [sys.executable, f"scripts/{script}.py", *words]
        return subprocess.run(
            command, cwd=self.path, env=env, check=False, capture_output=True, encoding="utf-8"
        )

    def state(self) -> tuple[str, str, str]:
        return self.git("rev-parse", "HEAD"), self.git("tag"), self.git("status", "--porcelain")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_release(clone: Clone) -> None:
    """The version stands wherever it did, the news below it with the date; then the commit has the tag."""
    done = clone.run("release", "0.2.0")
    assert done.returncode == 0, done.stderr
    assert "git push --atomic origin main v0.2.0" in done.stdout
    assert '__version__ = "0.2.0"\n' in clone.read(VERSION_FILE)
    assert clone.read("README.md") == "This is version 0.2.0.\nAnother 0.1.0 stays.\n"
    assert clone.read("README.zh-CN.md") == "当前版本 0.2.0。\n"
    heading = r"## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n- 新功能：something new\.\n\n## 0\.1\.0"
    assert re.search(heading, clone.read("CHANGELOG.md"))
    assert clone.git("log", "-1", "--format=%s") == "Version 0.2.0"
    assert clone.git("rev-parse", "v0.2.0^{commit}") == clone.git("rev-parse", "HEAD")
    assert clone.git("tag", "--list", "--format=%(contents)", "v0.2.0") == "0.2.0\n\n- 新功能：something new."
    assert not clone.git("status", "--porcelain")


def test_the_first_release_has_the_version_that_is_there(clone: Clone) -> None:
    """Only its changelog changes."""
    assert clone.run("release", "0.1.0").returncode == 0
    assert clone.git("show", "--format=", "--name-only") == "CHANGELOG.md"


def test_a_dry_run_changes_nothing(clone: Clone) -> None:
    """It says what would be done."""
    before = clone.state()
    done = clone.run("release", "0.2.0", "--dry-run")
    assert "something new" in done.stdout
    assert "nexusai/__version__.py" in done.stdout
    assert clone.state() == before


def _nothing_new(clone: Clone) -> None:
    clone.replace("CHANGELOG.md", "- 新功能：something new.\n", "")
    clone.commit("Forget")


def _no_section(clone: Clone) -> None:
    clone.replace("CHANGELOG.md", "## Unreleased", "## Soon")
    clone.commit("Rename")


@pytest.mark.parametrize(
    ("version", "prepare", "told"),
    [
        ("0.2", None, "three numbers"),
        ("v0.2.0", None, "three numbers"),
        ("00.2.0", None, "three numbers"),
        ("0.0.9", None, "less than 0.1.0"),
        ("0.3.0", lambda clone: clone.git("tag", "v0.3.0"), "not greater than 0.3.0"),
        ("0.3.1", lambda clone: clone.git("tag", "v0.10.0"), "not greater than 0.10.0"),
        ("0.2.0", lambda clone: clone.git("switch", "--create", "other"), "branch 'other'"),
        ("0.2.0", lambda clone: clone.write("new.txt", "x"), "new.txt"),
        ("0.2.0", _nothing_new, "write down what is new"),
        ("0.2.0", _no_section, "no section '## Unreleased'"),
    ],
)
def test_what_stops_a_release(clone: Clone, version: str, prepare: object, told: str) -> None:
    """A sentence, and nothing is changed."""
    if callable(prepare):
        prepare(clone)
    before = clone.state()
    done = clone.run("release", version)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Nothing was changed." in done.stderr
    assert "Traceback" not in done.stderr
    assert clone.state() == before


def test_a_release_that_git_refuses(clone: Clone) -> None:
    """Everything is as it was."""
    hook = clone.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho Not today; exit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    before = clone.state()
    done = clone.run("release", "0.2.0")
    assert done.returncode == 1
    assert "Not today" in done.stderr
    assert "Everything is as it was." in done.stderr
    assert clone.state() == before


def test_names_are_kept(clone: Clone) -> None:
    """A name that goes and an argument that is renamed are told, unless the version allows it."""
    assert "no release yet" in clone.run("test_api_compatibility").stdout
    clone.git("tag", "v0.1.0")
    tasks, bases = "nexusai/resources/tasks.py", "nexusai/resources/knowledge_bases.py"
    clone.replace(
        tasks, "    def cancel(self, task_id: str) -> Task:", "    def stop(self, task_id: str) -> Task:"
    )
    clone.replace(bases, "similarity_threshold: float = 0.7,", "threshold: float = 0.7,")
    clone.replace("nexusai/_internal/_retry.py", "def ", "def other_")
    clone.replace(
        "nexusai/_internal/_streaming.py", "def text_deltas(", "def deltas("
    )  # a public class in there
    clone.commit("Break")
    clone.git("tag", "v0.1.1")  # what is just being released is not compared with itself

    done = clone.run("test_api_compatibility")
    assert done.returncode == 1
    assert "nexusai.resources.tasks.TasksResource.cancel: Public object was removed" in done.stdout
    assert "KnowledgeBasesResource.search: Parameter was removed: similarity_threshold" in done.stdout
    assert "TextStream.text_deltas: Public object was removed" in done.stdout
    assert "_retry" not in done.stdout
    assert "3 change(s) since v0.1.0 that 0.1.0 may not make" in done.stderr
    assert clone.run("test_api_compatibility", "--version", "0.1.1").returncode == 1
    assert "0.2.0 may." in clone.run("test_api_compatibility", "--version", "0.2.0").stdout


def test_what_is_published(tmp_path: Path) -> None:
    """Built twice to the same bytes, and from its sources; what it brings is listed."""
    done = subprocess.run(
        [sys.executable, "scripts/build.py", "--out", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    name = f"nexus_ai_sdk-{nexusai.__version__}"
    wheel, archive, sbom = (
        tmp_path / each for each in (f"{name}-py3-none-any.whl", f"{name}.tar.gz", "sbom.cdx.json")
    )
    assert wheel.stat().st_size < 10_000_000
    assert archive.exists()
    text = sbom.read_text(encoding="utf-8")
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "nexus-ai-sdk")
    assert bom["metadata"]["component"]["version"] == nexusai.__version__
    assert {"httpx", "pydantic", "anyio", "certifi"} <= {part["name"] for part in bom["components"]}
    assert all(part["version"] and part["licenses"] for part in bom["components"])
    assert not re.findall(r"https?://(?!cyclonedx\.org)", text)
    for place in (str(tmp_path), str(ROOT), str(Path.home())):
        assert place not in text
    with zipfile.ZipFile(wheel) as opened:
        for member in opened.namelist():
            assert str(ROOT).encode() not in opened.read(member), member


def test_workflows_may_little() -> None:
    """No workflow has more rights than its jobs name, and every action has a version."""
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        flow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert flow["permissions"] in ({}, {"contents": "read"}), path.name
        for name, job in flow["jobs"].items():
            rights = job.get("permissions", {})
            writes = {right for right, kind in rights.items() if kind == "write"}
            assert writes <= {"attest": {"id-token", "attestations"}, "publish": {"id-token"}}.get(
                name, {"contents"} if name == "announce" else set()
            ), (path.name, name)
            for step in job["steps"]:
                if "uses" in step:
                    assert re.fullmatch(r"[\w-]+/[\w./-]+@(v\d+|release/v\d+|[0-9a-f]{40})", step["uses"])


def test_forms_are_valid() -> None:
    """Those for issues have what is needed to show them."""
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    assert len(forms) >= 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form), path.name
        assert all(part["type"] in ("markdown", "textarea", "input", "dropdown") for part in form["body"])
