"""What the SDK and the platform cost, measured beside their peers: `python -m benchmarks`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # the server that misbehaves
