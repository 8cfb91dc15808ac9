"""Hard negatives from vectors: ours against sentence-transformers `mine_hard_negatives`.

Both are handed the same vectors and texts and end with training rows that hold texts and scores: 15 random negatives from
ranks 2 to 200 of an exact search. The peer takes a model, so it gets a stand-in whose encode returns the given arrays at
once and whose similarity is the plain dot product (the vectors are normalised; its default would normalise them again); its
output is the fastest of its formats, `n-tuple`. It runs with `use_faiss` off (its default) and on, and the faster counts.
Ours hashes every text and excludes by it, which the peer does by comparing strings.

Each side runs in a process of its own, and the sides take turns, so that a busy machine slows all of them. The first round
warms up and gives the memory: the highest resident size above what the process held once imports and inputs were there.
The time is the median of the other rounds.

Then the case of a 5% relative margin, where positives score anywhere between hopeless and clear: how many queries keep their 15
negatives, and what either side says about the others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.report import finish, print_table
from ray_pipeline.retrieval.mining.audit import Audit

SIDES: Final = ("ours", "peer", "peer_faiss")
NEGATIVES: Final = 15
RANGE: Final = (2, 200)
MARGIN: Final = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--docs", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each side, after the one that warms up")
    parser.add_argument("--side", choices=SIDES, help="serve runs of one side over stdin (the benchmark calls itself so)")
    parser.add_argument("--folder", type=Path, help="where --side finds the inputs")
    options = parser.parse_args()
    if options.side:
        serve(options.side, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name), options.queries, options.docs, options.dim)
        workers = {side: Worker(side, Path(name)) for side in SIDES}
        first = {side: worker.run(None) for side, worker in workers.items()}
        rounds = [{side: worker.run(None)["seconds"] for side, worker in workers.items()} for _ in range(options.rounds)]
        margin = {side: worker.run(MARGIN) for side, worker in workers.items()}
        for worker in workers.values():
            worker.close()
    report(first, rounds, margin, options)


def write_inputs(folder: Path, query_count: int, doc_count: int, dim: int) -> None:
    """Random unit vectors; document i is query i's positive, at a cosine to it drawn evenly from 0.05 to 0.6."""
    generator = np.random.default_rng(0)
    docs = unit(generator.standard_normal((doc_count, dim), dtype=np.float32))
    queries = unit(generator.standard_normal((query_count, dim), dtype=np.float32))
    across = docs[:query_count] - (docs[:query_count] * queries).sum(axis=1, keepdims=True) * queries
    cosine = np.linspace(0.05, 0.6, query_count, dtype=np.float32)[:, None]
    docs[:query_count] = cosine * queries + np.sqrt(1 - cosine**2) * unit(across)
    np.save(folder / "docs.npy", docs)
    np.save(folder / "queries.npy", queries)


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: np.ndarray = vectors / lengths
    return normalised


class Worker:
    """One side in a process of its own, which holds the inputs and runs when told to."""

    def __init__(self, side: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.mine", "--side", side, "--folder", str(folder)]
        environment = os.environ | {"TQDM_DISABLE": "1"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def run(self, margin: float | None) -> dict[str, Any]:
        print(json.dumps(margin), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"a side of the benchmark died with status {self._process.wait()}; its error is above")
        made: dict[str, Any] = json.loads(line)
        return made

    def close(self) -> None:
        self._process.communicate()


def serve(side: str, folder: Path) -> None:
    """For each margin on stdin mine once; answer what came out, the seconds, and the memory above the inputs in MiB."""
    queries, docs = np.load(folder / "queries.npy"), np.load(folder / "docs.npy")
    texts = [f"document number {row}" for row in range(len(docs))]
    questions = [f"question number {row}" for row in range(len(queries))]
    mine = ours(queries, docs, questions, texts) if side == "ours" else peer(queries, docs, questions, texts, side == "peer_faiss")
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    for line in sys.stdin:
        start = time.perf_counter()
        made = mine(json.loads(line))
        seconds = time.perf_counter() - start
        print(json.dumps(made | {"seconds": seconds, "peak_mib": (resident("VmHWM") - before) / 1024}), flush=True)


def resident(field: str) -> int:
    """A figure of this process's memory in KiB. Not ru_maxrss: it starts at the size of the process that spawned this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


Mine = Callable[[float | None], dict[str, Any]]


def ours(queries: np.ndarray, docs: np.ndarray, questions: list[str], texts: list[str]) -> Mine:
    """Mining by this project, from vectors to groups."""
    from ray_pipeline.data.doc_lists import DocLists
    from ray_pipeline.retrieval.exact.search import search
    from ray_pipeline.retrieval.mining.groups import to_groups
    from ray_pipeline.retrieval.mining.mine import mine
    from ray_pipeline.retrieval.mining.positives import positive_scores
    from ray_pipeline.retrieval.mining.rules import MiningRules
    from ray_pipeline.schemas import CORPUS, QUERIES, conform
    from ray_pipeline.text.normalise import text_hash

    query_table = conform(pa.table({"query_id": [f"q{row}" for row in range(len(questions))], "text": questions}), QUERIES, "queries")
    corpus = conform(pa.table({"doc_id": [f"d{row}" for row in range(len(texts))], "text": texts}), CORPUS, "corpus")
    pairs = DocLists(np.arange(len(queries) + 1), np.arange(len(queries)))

    def run(margin: float | None) -> dict[str, Any]:
        rules = MiningRules(range=RANGE, negatives=NEGATIVES, sampling="random", margin_relative=margin)
        start = time.perf_counter()
        ranking = search(queries, docs, k=rules.depth)
        searched = time.perf_counter()
        hashes = text_hash(corpus.column("text"))
        positives = DocLists(pairs.indptr, pairs.docs, positive_scores(queries, docs, pairs))
        mined = mine(ranking, rules, query_table.column("query_id"), positives, doc_hashes=hashes)
        groups = to_groups(mined, query_table, corpus, positives)
        complete = sum(len(row) == NEGATIVES for row in groups.column("negatives"))
        spent = {"search": searched - start, "hash, filter, sample, gather": time.perf_counter() - searched}
        return {"complete": complete, "rows": groups.num_rows, "spent": spent, "audit": mined.audit.to_json()}

    return run


def peer(queries: np.ndarray, docs: np.ndarray, questions: list[str], texts: list[str], use_faiss: bool) -> Mine:
    """Mining by sentence-transformers; a row that lacks a negative is left out of its `n-tuple` output."""
    import torch
    from datasets import Dataset
    from sentence_transformers.util import dot_score, mine_hard_negatives, pairwise_dot_score

    if use_faiss:
        import faiss  # noqa: F401  loaded before the clock starts, as everything else

    class Vectors:
        """A model that has already encoded everything."""

        device = torch.device("cpu")
        similarity = staticmethod(dot_score)
        similarity_pairwise = staticmethod(pairwise_dot_score)

        def encode_document(self, texts: list[str], **_: object) -> np.ndarray:
            return docs

        def encode_query(self, texts: list[str], **_: object) -> np.ndarray:
            return queries

        def get_embedding_dimension(self) -> int:
            return int(docs.shape[1])

    pairs = Dataset.from_dict({"query": questions, "positive": texts[: len(questions)]})

    def run(margin: float | None) -> dict[str, Any]:
        mined = mine_hard_negatives(
            pairs,
            Vectors(),
            corpus=texts,
            range_min=RANGE[0],
            range_max=RANGE[1],
            num_negatives=NEGATIVES,
            sampling_strategy="random",
            relative_margin=margin,
            output_format="n-tuple",
            output_scores=True,
            use_faiss=use_faiss,
            verbose=False,
        )
        return {"complete": len(mined), "rows": len(mined)}

    return run


def report(first: dict[str, dict[str, Any]], rounds: list[dict[str, float]], margin: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    seconds = {side: median(each[side] for each in rounds) for side in SIDES}
    fastest = min(("peer", "peer_faiss"), key=seconds.__getitem__)
    names = {"ours": "ours", "peer": "sentence-transformers (default)", "peer_faiss": "sentence-transformers, use_faiss"}
    size = f"{options.queries:,} queries x {options.docs:,} documents x {options.dim}"
    print(f"{size}, ranks {RANGE[0]} to {RANGE[1]}, {NEGATIVES} negatives\n")
    figures = [(seconds[side], first[side]["seconds"], first[side]["peak_mib"], first[side]["complete"], margin[side]["complete"]) for side in SIDES]
    header = ["", "seconds", "first run", "MiB above inputs", "complete queries", f"with a margin of {MARGIN:.0%}"]
    print_table(header, [(names[side], *row) for side, row in zip(SIDES, figures, strict=True)])
    parts = ", ".join(f"{part} {spent:.2f} s" for part, spent in margin["ours"]["spent"].items())
    print(f"Of ours (with the margin): {parts}.")
    kept = margin[fastest]["rows"]
    print(f"Under a margin of {MARGIN:.0%} the peer returns {kept:,} of {options.queries:,} queries and names none of the others.")
    print("Ours keeps every query and says:\n")
    audit = Audit.from_json(margin["ours"]["audit"])
    print(audit.to_markdown())
    finish(
        "mine",
        seconds[fastest] / seconds["ours"],
        seconds=seconds,
        rounds=rounds,
        first_run={side: made["seconds"] for side, made in first.items()},
        fastest_peer=names[fastest],
        peak_mib={side: made["peak_mib"] for side, made in first.items()},
        memory_ratio=first["ours"]["peak_mib"] / first["peer"]["peak_mib"],
        margin_complete={side: made["complete"] for side, made in margin.items()},
        margin_short=audit.short,
        queries=options.queries,
        docs=options.docs,
        dim=options.dim,
        packages=["sentence-transformers", "faiss-cpu", "datasets"],
    )


if __name__ == "__main__":
    main()
