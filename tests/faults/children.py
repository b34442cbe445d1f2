"""What tests let other processes do. It is found there by its name, which a test's own module is not."""

from __future__ import annotations

import os
from typing import Any, List

import nexusai


def crossed(client: nexusai.NexusAIClient, name: str, calls: int) -> List[str]:
    """The answers that were somebody else's."""
    prompts = [f"{name} {number} {os.getpid()}" for number in range(calls)]
    answers = [(prompt, client.text.generate(prompt).text) for prompt in prompts]
    return [answer for prompt, answer in answers if prompt != answer]


def call_in_child(client: nexusai.NexusAIClient, results: Any, calls: int) -> None:
    """Put what came crossed into a queue."""
    results.put(crossed(client, "child", calls))
