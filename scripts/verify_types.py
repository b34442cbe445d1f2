"""See how much of the public face is typed, as a user's pyright sees it: fails below 99 %.

An editable install does not count, as pyright does not take it for a package with types. So the wheel is
built and installed into an environment of a few seconds' life, whose dependencies are those of this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LEAST = 0.99


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        environment = Path(directory) / "environment"
        install(environment)
        report = verify(environment, Path(directory))
    for symbol in report["symbols"]:
        for row in symbol["diagnostics"]:
            if "partially unknown" not in row["message"]:  # then something else in the list is the cause
                print(f"{symbol['name']}: {row['message']}")
    score, count = report["completenessScore"], sum(report["exportedSymbolCounts"].values())
    print(f"{score:.1%} of {count} public symbols are typed")
    if score < LEAST:
        sys.exit(f"At least {LEAST:.0%} must be: annotate what is listed above.")


def install(environment: Path) -> None:
    venv.create(environment, with_pip=False)
    packages = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    subprocess.run([*command, "install", "--quiet", "--no-deps", str(ROOT)], check=True)


def verify(environment: Path, directory: Path) -> dict[str, Any]:
    """pyright asks the `python` on the PATH where its packages are."""
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    command = [sys.executable, "-m", "pyright", "--outputjson", "--ignoreexternal"]
    done = subprocess.run(
        [*command, "--verifytypes", "nexusai"],
        cwd=directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)["typeCompleteness"]


if __name__ == "__main__":
    main()
