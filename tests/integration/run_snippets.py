"""Run snippets one after the other in one process: each alone would mostly wait for imports.

Reads `[[name, code], …]` as JSON. Each has its own namespace and directory, and the settings are as new.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from pathlib import Path

import nexusai


def main() -> None:
    for number, (name, code) in enumerate(json.load(sys.stdin)):
        directory = Path(f"snippet{number}").resolve()
        directory.mkdir()
        os.chdir(directory)
        try:
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc()
            sys.exit(f"{name} failed:\n{code}")
        nexusai.config.reset()
        gc.collect()
        os.chdir("..")


if __name__ == "__main__":
    main()
