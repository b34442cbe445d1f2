"""What the package promises as a whole."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

import nexusai

ROOT = Path(nexusai.__file__).parent
HEAVY = ["httpx", "httpcore", "pydantic", "dotenv", "asyncio", "anyio", "ssl", "socket", "typer", "rich"]


def test_importing_loads_nothing_heavy_and_touches_nothing() -> None:
    """No library, no file opened for writing, no socket."""
    code = (
        "import sys; seen = []\n"
        "sys.addaudithook(lambda name, args: seen.append((name, args)) "
        "if name.startswith('socket') or name == 'open' and args[1] not in ('r', 'rb') else None)\n"
        "import nexusai\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], seen)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT.parent), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.strip() == "[] []", done.stderr


def test_every_public_name_is_there() -> None:
    """And no other can be had."""
    for name in nexusai.__all__:
        assert getattr(nexusai, name) is not None
    assert set(nexusai.__all__) <= set(dir(nexusai))
    for module in (nexusai, nexusai.aio):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018
    assert nexusai.aio.AsyncNexusAIClient is nexusai.AsyncNexusAIClient


LAYERS = [
    {"nexusai.constants", "nexusai.types", "nexusai.__version__"},
    {"nexusai.models"},
    {"nexusai.error"},
    {"nexusai.config", "nexusai.webhooks"},
    {"nexusai._internal", "nexusai.cache"},
    {"nexusai.resources"},
    {"nexusai.client"},
    {"nexusai.cli", "nexusai.__main__"},
    {"nexusai.testing"},
]


def layer(module: str) -> int:
    plain = module.replace("nexusai.aio", "nexusai")
    for number, names in enumerate(LAYERS):
        if any(plain == name or plain.startswith(f"{name}.") for name in names):
            return number
    raise AssertionError(f"{module} has no place in the design")


def imports(path: Path) -> Iterator[str]:
    """What a file imports when it is imported; not what stands under TYPE_CHECKING or in functions."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say from where"
            module = node.module or ""
            yield from (
                f"{module}.{alias.name}"
                if (ROOT.parent / module.replace(".", "/") / f"{alias.name}.py").exists()
                else module
                for alias in node.names
            )


def modules() -> Dict[str, Path]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        if path.name != "__init__.py":
            found[name] = path
    return found


def test_the_arrows_point_one_way() -> None:
    """constants, types → models → error → config → _internal → resources → client → cli."""
    wrong: List[str] = []
    for name, path in modules().items():
        for imported in imports(path):
            if imported.startswith("nexusai.") and layer(imported) > layer(name):
                wrong.append(f"{name} imports {imported}")
    assert not wrong


def test_few_modules_know_an_http_library() -> None:
    """So that each can be replaced in one place."""
    users: Set[str] = set()
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            libraries = {imported.split(".")[0] for imported in names}
            if libraries & {"httpx", "httpcore", "httpx2", "h11", "pyreqwest"}:
                users.add(name.replace("nexusai.aio.", "nexusai."))
    known = ("_http11", "_httpx", "_httpx_parts", "_pyreqwest")
    assert users == {f"nexusai._internal.{name}" for name in known}


def test_the_platform_stands_apart() -> None:
    """`nexus_server` takes models and types from `nexusai`; `nexusai` starts it, and imports it only to
    lend its commands to the command line, where they speak its language."""
    for path in (ROOT.parent / "nexus_server").rglob("*.py"):
        for imported in imports(path):
            if imported.startswith("nexusai") and (path.name, imported) != ("cli.py", "nexusai.cli.words"):
                assert layer(imported) <= layer("nexusai.models"), f"{path.name} imports {imported}"
    users = [
        name for name, path in modules().items() if "nexus_server" in {i.split(".")[0] for i in _all(path)}
    ]
    assert users in ([], ["nexusai.cli.platform"])


def _all(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.skipif(not (ROOT.parent / "scripts").exists(), reason="the tests run on an installed wheel")
def test_the_twins_are_current(tmp_path: Path) -> None:
    """The check compares whole files; a stray line, a missing end and an orphan are all found."""
    pytest.importorskip("ruff", reason="the twins are formatted by ruff, which is not installed here")
    import shutil

    for name in ("scripts", "nexusai", "tests", "examples", "pyproject.toml"):
        source = ROOT.parent / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    check = [sys.executable, str(tmp_path / "scripts" / "unasync.py"), "--check"]

    def complaint() -> str:
        return subprocess.run(check, capture_output=True, text=True, check=False).stderr

    assert complaint() == ""
    twin = tmp_path / "nexusai" / "client.py"
    whole = twin.read_text(encoding="utf-8")
    twin.write_text(whole + "stray = 1\n", encoding="utf-8")
    cut = tmp_path / "nexusai" / "resources" / "text.py"
    cut.write_text(cut.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    (tmp_path / "nexusai" / "resources" / "orphan.py").write_text(whole, encoding="utf-8")
    script = tmp_path / "scripts" / "unasync.py"
    code = script.read_text(encoding="utf-8")
    script.write_text(code.replace("RULES = {", 'RULES = {\n    "no_such_word": "",'), encoding="utf-8")
    told = complaint()
    assert "not current: nexusai/client.py" in told
    assert "not current: nexusai/resources/text.py" in told
    assert "no source for nexusai/resources/orphan.py" in told
    assert "this rule matches nothing: no_such_word" in told


def test_importing_costs_next_to_nothing() -> None:
    """Neither `typing` nor anything of what the package stands on is loaded before it is used."""
    code = (
        "import sys; before = set(sys.modules); import nexusai; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) <= {"nexusai", "__future__", "os", "posixpath", "genericpath", "stat"}
