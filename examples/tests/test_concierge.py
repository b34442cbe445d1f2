"""How to test a program that uses the SDK: copy this file, and put your program in the place of this one.

Run it with `pytest`. There is no network and no key; the fixture `nexus_platform` comes with the SDK.
"""

from __future__ import annotations

import asyncio

import pytest

import nexusai
from nexusai.testing import Platform

# The program. It would stand in a file of its own, and need not know that it is tested.


class Concierge:
    """Answers guests of a hotel, in short sentences."""

    def __init__(self) -> None:
        self._client = nexusai.NexusAIClient()

    def answer(self, question: str) -> str:
        try:
            return self._client.text.generate(f"Answer a guest briefly: {question}", temperature=0).text
        except nexusai.APIError:
            return "Please ask at the reception."

    def read_out(self, question: str) -> list[str]:
        said = []
        try:
            for text in self._client.text.stream(question).text_deltas:
                said.append(text)
        except nexusai.StreamInterruptedError:
            said.append("…")
        return said


async def translate(lines: list[str]) -> list[str]:
    async with nexusai.AsyncNexusAIClient() as client:
        calls = [client.text.generate(f"Translate into French: {line}") for line in lines]
        return [answer.text for answer in await asyncio.gather(*calls)]


# Its tests.


def test_an_answer(nexus_platform: Platform) -> None:
    nexus_platform.text("At nine.")
    assert Concierge().answer("When does breakfast end?") == "At nine."
    nexus_platform.assert_called(prompt="Answer a guest briefly: When does breakfast end?", temperature=0)


def test_a_busy_platform_is_waited_for(nexus_platform: Platform) -> None:
    nexus_platform.error(429, retry_after=20)
    nexus_platform.text("At nine.")
    assert Concierge().answer("When?") == "At nine."
    assert nexus_platform.clock.now >= 20  # seconds that have passed at once


@pytest.mark.parametrize("status", [400, 401, 503])
def test_what_goes_wrong_is_not_the_guest_s_problem(nexus_platform: Platform, status: int) -> None:
    nexus_platform.error(status, times=None)
    assert Concierge().answer("When?") == "Please ask at the reception."


def test_no_connection_is_not_either(nexus_platform: Platform) -> None:
    nexus_platform.drop(times=None)
    assert Concierge().answer("When?") == "Please ask at the reception."


def test_an_answer_that_breaks_off(nexus_platform: Platform) -> None:
    nexus_platform.text(["Breakfast ", "ends ", "at nine."], cut_after=2)
    assert Concierge().read_out("When does breakfast end?") == ["Breakfast ", "ends ", "…"]


def test_translations_keep_their_order(nexus_platform: Platform) -> None:
    nexus_platform.text("oui", prompt="Translate into French: yes")
    nexus_platform.text("non", prompt="Translate into French: no")
    assert asyncio.run(translate(["no", "yes"])) == ["non", "oui"]
    nexus_platform.assert_all_used()
