"""The `Prefer` header."""

from __future__ import annotations

import pytest

from nexus_server.routes.preferences import Preferences, parse_prefer


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], Preferences()),
        ([""], Preferences()),
        (["respond-async"], Preferences(respond_async=True)),
        (["Respond-Async"], Preferences(respond_async=True)),
        (["wait=10"], Preferences(wait=10)),
        (["WAIT = 10"], Preferences(wait=10)),
        (['wait="10"'], Preferences(wait=10)),
        (["wait=0"], Preferences(wait=0)),
        (["respond-async, wait=10"], Preferences(respond_async=True, wait=10)),
        (["respond-async", "wait=10"], Preferences(respond_async=True, wait=10)),
        (["wait=5, wait=50"], Preferences(wait=5)),
        (["wait=5", "wait=50"], Preferences(wait=5)),
        (["wait=100"], Preferences(wait=60)),
        (["wait=999999999999"], Preferences()),
        (["wait=-1"], Preferences()),
        (["wait=1.5"], Preferences()),
        (["wait=soon"], Preferences()),
        (["wait"], Preferences()),
        (["wait="], Preferences()),
        (["wait=٣"], Preferences()),
        (["return=minimal; foo=bar, wait=3"], Preferences(wait=3)),
        (['foo="a, respond-async, b", wait=3'], Preferences(wait=3)),
        (['foo="a \\" , wait=1", wait=3'], Preferences(wait=3)),
        (['foo; bar="x, y", wait=3'], Preferences(wait=3)),
        (["respond-async; x=1"], Preferences(respond_async=True)),
        (['"respond-async"'], Preferences()),
        (['wait="3'], Preferences()),
        ([",,, ,respond-async,,"], Preferences(respond_async=True)),
        (["not-respond-async"], Preferences()),
        (["=5, wait=3"], Preferences(wait=3)),
    ],
)
def test_reading(headers: list[str], expected: Preferences) -> None:
    """What is known is read, in all its spellings; the rest is ignored."""
    assert parse_prefer(headers) == expected


def test_a_hostile_header_costs_no_time() -> None:
    """Neither many commas nor unbalanced quotes make the reading slow."""
    assert parse_prefer(['"' * 20_000, "a=" * 20_000, ";," * 20_000, "\\" * 20_000]) == Preferences()


@pytest.mark.parametrize(
    ("preferences", "header"),
    [
        (Preferences(), {}),
        (Preferences(respond_async=True), {"Preference-Applied": "respond-async"}),
        (Preferences(wait=3), {"Preference-Applied": "wait=3"}),
        (Preferences(respond_async=True, wait=3), {"Preference-Applied": "wait=3"}),
    ],
)
def test_telling(preferences: Preferences, header: dict[str, str]) -> None:
    """An answer tells what it honours."""
    assert preferences.applied == header
