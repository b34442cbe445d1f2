"""The notebooks of the examples: as Jupyter runs them, on a live platform with real models."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from server.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
FOREIGN = rf'(?<!xmlns=\\")https?://(?!localhost)|{re.escape(str(Path.home()))}/|/tmp/|nxs_[0-9a-f]'


def outputs(notebook: Path) -> list[Any]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_notebooks_run(platform: ServerProcess, tmp_path: Path) -> None:
    """From the first cell to the last; the map shows its passages in both languages."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "run_notebooks.py"), "--out", str(tmp_path)],
        env={**os.environ, "NEXUS_API_KEY": platform.key, "NEXUS_BASE_URL": platform.url},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [path.name for path in NOTEBOOKS]
    pictures = [output["data"] for output in outputs(tmp_path / "rag.ipynb") if "data" in output]
    (drawn,) = ("".join(data["image/svg+xml"]) for data in pictures if "image/svg+xml" in data)
    assert drawn.count("<circle") == drawn.count("<text") == 16
    assert ">猫在沙发上睡觉。<" in drawn
    assert ">The cat sleeps on the sofa.<" in drawn


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_what_is_kept_in_them(notebook: Path) -> None:
    """Real outputs, small, with nothing of the machine where they came out."""
    assert notebook.stat().st_size < 100_000
    kept = outputs(notebook)
    assert len(kept) >= 4
    assert not [output for output in kept if output["output_type"] == "error"]
    assert not re.findall(FOREIGN, json.dumps(kept, ensure_ascii=False))
