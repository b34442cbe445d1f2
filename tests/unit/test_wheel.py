"""What is published: the packages as they are here, and nothing else."""

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, List, Set

import pytest

import nexusai

ROOT = Path(nexusai.__file__).parent.parent
PACKAGES = ("nexusai", "nexus_server")
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="the tests run on an installed wheel"
)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> List[Path]:
    """Built twice, in places of different names."""
    pytest.importorskip("hatchling", reason="it builds the wheel, and is not installed here")
    return [_built(tmp_path_factory.mktemp(name)) for name in ("first", "another_second")]


def _built(place: Path) -> Path:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in NEEDED:
        shutil.copy(ROOT / name, place / name)
    code = "from hatchling.build import build_wheel; print(build_wheel('dist'))"
    (place / "dist").mkdir()
    done = subprocess.run([sys.executable, "-c", code], cwd=place, check=True, capture_output=True, text=True)
    return place / "dist" / done.stdout.split()[-1]


def test_the_wheel_is_the_packages(wheels: List[Path]) -> None:
    """File by file; no `.pth`, nothing that runs when it is installed, nothing of the tests."""
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        content = {name: hashlib.sha256(wheel.read(name)).digest() for name in names}
        about = [name for name in wheel.namelist() if ".dist-info/" in name]
    here: Dict[str, bytes] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                here[path.relative_to(ROOT).as_posix()] = hashlib.sha256(path.read_bytes()).digest()
    assert content == here
    assert {name.rpartition("/")[2] for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "LICENSE",
        "entry_points.txt",
    }


def test_the_packages_are_what_git_has(wheels: List[Path]) -> None:
    """A file that was forgotten here would be missing there, or the other way round."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = [git, "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES]
    done = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(wheels[0]) as wheel:
        assert {n for n in wheel.namelist() if ".dist-info/" not in n} == set(done.stdout.split())


def test_built_twice_it_is_the_same(wheels: List[Path]) -> None:
    """Byte for byte: whoever builds it can check what was published."""
    assert wheels[0].read_bytes() == wheels[1].read_bytes()


def test_it_needs_little(wheels: List[Path]) -> None:
    """At most five packages, and no upper bound but the next major version."""
    with zipfile.ZipFile(wheels[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        lines = wheel.read(name).decode().splitlines()
    needed = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert 1 <= len(needed) <= 5, needed


WALL_CLOCKS = {
    "nexusai._internal._retry": "a server tells dates",
    "nexusai._internal._cache_disk": "what is kept outlives the process, and the machine's last start",
    "nexusai.webhooks": "the sender tells when it signed",
}


def test_only_the_monotonic_clock_measures() -> None:
    """Whoever sets the computer's clock neither ends a wait nor prolongs it."""
    users: Set[str] = set()
    for path in (ROOT / "nexusai").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if _is_wall_clock(node):
                users.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert users == set(WALL_CLOCKS)


def _is_wall_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        return any(alias.name in ("time", "time_ns", "localtime", "gmtime") for alias in node.names)
    if not isinstance(node, ast.Attribute):
        return False
    of_time = isinstance(node.value, ast.Name) and node.value.id == "time"
    return (of_time and node.attr in ("time", "time_ns", "localtime", "gmtime")) or node.attr in (
        "utcnow",
        "today",
    )


CODE = """
import sys
seen = []
def watch(name, args):
    if name.startswith(("socket.", "subprocess", "os.fork", "os.posix_spawn", "urllib", "sqlite3")):
        seen.append((name, args[:1]))
    if name == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append((name, args[0]))
sys.addaudithook(watch)
import pkgutil, importlib, nexusai
for found in pkgutil.walk_packages(nexusai.__path__, "nexusai."):
    if not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except ImportError:
            pass  # of an extra that is not installed
harmless = "socket.__new__", "/sbin/ldconfig"  # asyncio looks for IPv6, and trio, if it is there, for threads
seen = [what for what in seen if not any(word in repr(what) for word in harmless)]
print(seen)
"""


def test_importing_any_module_does_nothing() -> None:
    """No connection, no process, no file: not even that of a client's settings."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", CODE], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]", done.stderr
