"""The rows of the reliability card, and the tests that hold each.

A test under `faults/` stands in both colours: `tests/faults/…` and `tests/aio/faults/…`.
`tests/unit/test_rows.py` fails when a row has no test, or when a test that is named here is gone.
"""

from __future__ import annotations

from typing import Dict, List

ROWS: Dict[str, List[str]] = {
    "S2": ["faults/test_calls.py::test_a_broken_connection_is_replaced"],
    "S7": [
        "unit/test_sse.py::test_the_whole_grammar_at_every_cut",
        "unit/test_sse.py::test_random_streams_at_random_cuts",
    ],
}
