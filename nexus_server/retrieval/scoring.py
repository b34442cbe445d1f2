"""How likely a passage answers a query: one number from 0 to 1 out of meaning and words.

The vectors' cosines are crowded (unrelated texts have 0.75, related ones 0.9), and mean nothing to
people. A logistic regression on labelled pairs of questions and passages, in English, Chinese and
across both, turns them and the share of the query's words that the passage has into a probability.
`benchmarks/retrieval.py` fits it, and prints what a threshold of 0.7 keeps and drops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SAME_SCRIPT = (85.1, 24.89, -76.1)
"""Weights of the cosine and of the share of words, and the bias."""

ACROSS_SCRIPTS = (69.2, 0.0, -55.2)
"""The same where the query is Chinese and the passage is not, or the reverse: they share no words."""


def score(cosine: float, share: float, *, same_script: bool) -> float:
    """The probability, from the cosine (−1 to 1) and the share of words (0 to 1)."""
    cosine_weight, words_weight, bias = SAME_SCRIPT if same_script else ACROSS_SCRIPTS
    odds = cosine_weight * cosine + words_weight * share + bias
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


def share_of(wanted: Sequence[str], weights: Mapping[str, float], found: set[str]) -> float:
    """How much of what is looked for a passage has; rare words count more."""
    total = sum(weights[word] for word in wanted)
    return sum(weights[word] for word in wanted if word in found) / total if total else 0.0


def weight(passages: int, having: int) -> float:
    """How much a word tells: BM25's inverse document frequency."""
    return math.log(1 + (passages - having + 0.5) / (having + 0.5))
