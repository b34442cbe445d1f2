"""The contenders, each in an environment of its own under `.bench/`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bench"
_TOLD = ("httpx", "httpx2", "httpcore", "httpcore2", "h11", "pyreqwest", "pydantic")
"""What a contender stands on, where it does."""

_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class NotInstalledError(Exception):
    """A contender's environment could not be made; what pip said."""


@dataclass(frozen=True)
class Contender:
    """A package that does what ours does.

    `source` is what pip installs: a name, or a directory. It is installed again when the content of
    `trees` has changed.
    """

    name: str
    distribution: str
    source: str
    trees: tuple[Path, ...] = ()
    colours: tuple[str, ...] = ("sync", "async")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return HOME / self.name / "bin" / "python"

    def prepare(self) -> None:
        """Make its environment, unless it is there and current.

        Raises:
            NotInstalledError: it cannot be installed here.
        """
        stamp = HOME / self.name / "installed"
        wanted = _digest(self.trees)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"Installing {self.name} …", file=sys.stderr)
        stamp.unlink(missing_ok=True)
        if not self.python.exists():
            _run(sys.executable, "-m", "venv", str(HOME / self.name))
        _run(str(self.python), "-m", "pip", "install", "--upgrade", self.source)
        stamp.write_text(wanted)

    def versions(self) -> dict[str, str]:
        """Its own version, and those of what it stands on."""
        names = (self.distribution, *_TOLD)
        found: dict[str, str] = json.loads(_run(str(self.python), "-c", _VERSIONS, *names))
        return found


_OURS = (ROOT / "nexusai", ROOT / "pyproject.toml")

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("nexusai", "nexus-ai-sdk", str(ROOT), _OURS),
        Contender("nexusai[fast]", "nexus-ai-sdk", f"{ROOT}[fast]", _OURS),
        Contender("keystone-ai", "keystone-ai", "keystone-ai", colours=("sync",)),
        Contender("openai", "openai", "openai"),
        Contender("anthropic", "anthropic", "anthropic"),
        Contender("raw", "httptools", "httptools"),
        Contender("pydantic", "pydantic", "pydantic"),
    )
}
"""All that are measured. `raw` (a socket, a parser, `json`) and `pydantic` are no SDKs, but what to go by."""

PEERS = {name: CONTENDERS[name] for name in ("nexusai", "keystone-ai", "openai", "anthropic")}
"""Those who meet the same faults."""


def _digest(trees: tuple[Path, ...]) -> str:
    """A hash of every source file in these trees, names included."""
    digest = hashlib.sha256()
    for tree in trees:
        files = [tree] if tree.is_file() else sorted(tree.rglob("*.py"))
        for file in files:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalledError(
            f"{' '.join(command[:6])} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}"
        )
    return done.stdout
