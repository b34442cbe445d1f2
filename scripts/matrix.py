"""Run the SDK's tests on every supported Python that is found, each in an environment of its own.

python scripts/matrix.py [3.8 3.12 …]

An interpreter is looked for on the PATH (`python3.8`) and among those of pyenv. The platform's tests
need Python 3.11 and are not part of it: `make test` runs them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PREFIX = "Programming Language :: Python :: "
VERSIONS = [
    found[1]
    for line in PROJECT["project"]["classifiers"]
    if (found := re.fullmatch(rf"{PREFIX}(3\.\d+)", line))
]
BOTH_CORES = ["--numprocesses", "2", "--dist", "loadfile"]
TESTS = ["tests/unit", "tests/faults", "tests/aio/faults", "tests/aio/unit"]


def main() -> None:
    results = {version: run(version) for version in sys.argv[1:] or VERSIONS}
    print("\n" + "\n".join(f"Python {version:5} {result}" for version, result in results.items()))
    if any(result.startswith("FAILED") for result in results.values()):
        sys.exit(1)


def run(version: str) -> str:
    interpreter = find(version)
    if interpreter is None:
        return "skipped: no interpreter found"
    environment = ROOT / ".matrix" / version
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter, "-m", "venv", environment], check=True)
    install = ["-m", "pip", "install", "--quiet", ".", *PROJECT["dependency-groups"]["test"]]
    subprocess.run([python, *install], check=True, cwd=ROOT)
    # pytest's own command leaves the checkout off the path: the installed copy is what is tested.
    done = subprocess.run(
        [python.with_name("pytest"), "--quiet", "-p", "no:cacheprovider", *BOTH_CORES, *TESTS],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
    return f"{'FAILED' if done.returncode else 'passed'}: {summary}"


def find(version: str) -> str | None:
    """The newest interpreter of this version."""
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    of_pyenv = sorted(installed.glob(f"{version}.*/bin/python{version}"))
    candidates = [str(path) for path in reversed(of_pyenv)] + [shutil.which(f"python{version}")]
    return next((path for path in candidates if path and works(path)), None)


def works(interpreter: str) -> bool:
    """pyenv puts commands on the PATH for versions that are not there."""
    return not subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode


if __name__ == "__main__":
    main()
