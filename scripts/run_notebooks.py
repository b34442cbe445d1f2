"""Run the notebooks of the examples, and keep what they print in them.

python scripts/run_notebooks.py [--out DIRECTORY]

They use the platform that the settings name, else the one on this machine. What is kept holds no times: a new
run differs only where something else came out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "examples" / "notebooks"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the notebooks, and keep what they print in them.")
    parser.add_argument("--out", type=Path, default=NOTEBOOKS, help="where they are written (where they are)")
    out = parser.parse_args().out
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(out)}}
        NotebookClient(notebook, timeout=300, resources=resources, record_timing=False).execute()
        notebook.metadata["language_info"] = {"name": "python"}
        (out / path.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
