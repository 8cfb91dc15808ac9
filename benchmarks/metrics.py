"""Ranking measures: ours against pytrec_eval, and the largest evaluation streamed.

First part. Both get the same integer arrays (judgements as pairs; documents and float32 scores as [queries, depth]) and
compute MAP, MRR, and MAP, nDCG, P, recall and success at every k. pytrec_eval takes dictionaries of strings, so building
them is part of its time; at its best setting: document names are made beforehand, each dictionary is `dict(zip(names,
list))`, garbage collection is off, and all queries go in one call. Its values must equal ours to 1e-9. Scores are rounded,
so ties abound. The ratio is that of the medians for lists in no order, which both sides sort; lists in order, as a search
returns them and where we only check, are shown beside it.

Second part, in a process of its own: 787,684 queries x 1,000 documents made block by block and measured, with its peak
memory. Making the blocks is timed apart.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import finish, peak_resident_bytes, print_table
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingMetrics, RankingResult

KS: Final = (1, 2, 4, 8, 16, 25, 32, 64, 100, 1000)
POSITIVES: Final = 19  # a query, the mean of the theorem data
CUT_NAMES: Final = {"map": "map_cut", "ndcg": "ndcg_cut", "precision": "P", "recall": "recall", "hit": "success"}


@dataclass(frozen=True)
class Judgements:
    queries: NDArray[np.int64]
    docs: NDArray[np.int64]
    grades: NDArray[np.int64]


@dataclass(frozen=True)
class Lists:
    """Query i's list is `(start + step * rank) % documents`: distinct documents without holding a permutation."""

    start: NDArray[np.int64]
    step: NDArray[np.int64]
    documents: int

    def docs(self, rows: slice, depth: int) -> NDArray[np.int64]:
        return (self.start[rows, None] + self.step[rows, None] * np.arange(depth)) % self.documents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5_000, help="of the comparison")
    parser.add_argument("--depth", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stream-queries", type=int, default=787_684)
    parser.add_argument("--stream-only", action="store_true", help="measure the streaming part and print JSON (the benchmark calls itself so)")
    options = parser.parse_args()
    if options.stream_only:
        print(json.dumps(stream(options.stream_queries, options.depth)))
        return
    command = [sys.executable, "-m", "benchmarks.metrics", "--stream-only"]
    command += ["--stream-queries", str(options.stream_queries), "--depth", str(options.depth)]
    streamed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    report(compare(options.queries, options.depth, options.runs), streamed, options)


def make_data(queries: int, depth: int, documents: int) -> tuple[Lists, Judgements]:
    """Lists, and judgements of which about three in four are found somewhere in them."""
    rng = np.random.default_rng(0)
    lists = Lists(rng.integers(0, documents, queries), rng.integers(1, documents // depth, queries), documents)
    rows = np.repeat(np.arange(queries), POSITIVES)
    ranks = (depth * rng.random(len(rows)) ** 3).astype(np.int64)
    found = (lists.start[rows] + lists.step[rows] * ranks) % documents
    docs = np.where(rng.random(len(rows)) < 0.75, found, rng.integers(0, documents, len(rows)))
    keys = np.unique(rows * documents + docs)
    return lists, Judgements(keys // documents, keys % documents, 1 + keys % 3)


def compare(queries: int, depth: int, runs: int) -> dict[str, float]:
    """Seconds of both sides, and how far their values differ at most."""
    import pytrec_eval  # not at the top: the streaming process needs neither it nor its memory

    lists, judgements = make_data(queries, depth, documents=1_000 * depth)
    docs = lists.docs(slice(None), depth)
    scores = np.round(np.random.default_rng(1).random((queries, depth), dtype=np.float32), 3)
    order = np.lexsort((-docs, -scores), axis=-1)
    sorted_docs, sorted_scores = np.take_along_axis(docs, order, 1), np.take_along_axis(scores, order, 1)
    names = [f"{doc:08}" for doc in range(lists.documents)]  # of one length: their order as text is that of the numbers
    cuts = ",".join(map(str, KS))
    wanted = {"map", "recip_rank", *(f"{name}.{cuts}" for name in CUT_NAMES.values())}

    def ours(docs: NDArray[np.int64], scores: NDArray[np.float32]) -> RankingResult:
        metrics = RankingMetrics(Qrels.from_pairs(judgements.queries, judgements.docs, judgements.grades, queries), KS)
        metrics.update(np.arange(queries), docs, scores)
        return metrics.result()

    def peer(docs: NDArray[np.int64], scores: NDArray[np.float32]) -> dict[str, dict[str, float]]:
        qrels: dict[str, dict[str, int]] = {}
        pairs = zip(judgements.queries.tolist(), judgements.docs.tolist(), judgements.grades.tolist(), strict=True)
        for query, doc, grade in pairs:
            qrels.setdefault(str(query), {})[names[doc]] = grade
        name = names.__getitem__
        rows = enumerate(zip(docs.tolist(), scores.tolist(), strict=True))
        run = {str(query): dict(zip(map(name, line), values, strict=True)) for query, (line, values) in rows}
        return dict(pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run))

    result, reference = ours(docs, scores), peer(docs, scores)
    difference = largest_difference(result, reference)
    del result, reference
    calls: dict[str, Callable[[], object]] = {
        "ours_in_order_s": lambda: ours(sorted_docs, sorted_scores),
        "peer_in_order_s": lambda: peer(sorted_docs, sorted_scores),
        "ours_no_order_s": lambda: ours(docs, scores),
        "peer_no_order_s": lambda: peer(docs, scores),
    }
    return {"largest_difference": difference, **{name: median(times) for name, times in in_turn(calls, runs).items()}}


def largest_difference(result: RankingResult, reference: dict[str, dict[str, float]]) -> float:
    """Over every query and every measure both sides have."""
    shared = {
        "map": "map",
        "mrr": "recip_rank",
        **{f"{ours}@{k}": f"{theirs}_{k}" for ours, theirs in CUT_NAMES.items() for k in KS},
    }
    queries = range(len(result.evaluated))
    peer_values = np.array([[reference[str(query)][theirs] for query in queries] for theirs in shared.values()])
    return float(np.abs(np.stack([result.values[ours] for ours in shared]) - peer_values).max())


def in_turn(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """The seconds of every call, taken in turn so that a busy moment falls on all sides, garbage collection off."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
            gc.enable()
    return times


def blocks(lists: Lists, queries: int, depth: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for at in range(0, queries, 4096):
        rows = np.arange(at, min(at + 4096, queries))
        yield rows, lists.docs(slice(at, at + len(rows)), depth)


def stream(queries: int, depth: int) -> dict[str, float]:
    """Measure `queries` lists block by block; the seconds and the peak memory of this process."""
    lists, judgements = make_data(queries, depth, documents=max(queries, 2 * depth))
    start = time.perf_counter()
    qrels = Qrels.from_pairs(judgements.queries, judgements.docs, judgements.grades, queries)
    metrics = RankingMetrics(qrels, KS)
    spent = prepared = time.perf_counter() - start
    scores = np.linspace(1, 0, depth, dtype=np.float32)
    started = time.perf_counter()
    for rows, docs in blocks(lists, queries, depth):
        start = time.perf_counter()
        metrics.update(rows, docs, np.broadcast_to(scores, docs.shape))
        spent += time.perf_counter() - start
    streamed = time.perf_counter() - started
    start = time.perf_counter()
    result = metrics.result()
    spent += time.perf_counter() - start
    return {
        "stream_s": spent,
        "stream_prepare_s": prepared,
        "stream_making_s": streamed - (spent - prepared),
        "stream_peak_gb": peak_resident_bytes() / 1e9,
        "stream_evaluated": result.counts.evaluated,
        "stream_map": result.means["map"],
    }


def report(compared: dict[str, float], streamed: dict[str, float], options: argparse.Namespace) -> None:
    if not compared["largest_difference"] <= 1e-9:  # NaN fails too
        raise SystemExit(f"values differ from pytrec_eval by {compared['largest_difference']:.3g}, more than 1e-9: the times mean nothing")
    print(f"{options.queries:,} queries x {options.depth:,}, {POSITIVES} judgements a query, k = {', '.join(map(str, KS))}")
    print(f"values agree to {compared['largest_difference']:.1g}; medians\n")
    rows: list[tuple[Any, ...]] = []
    for label, kind in (("lists in order", "in_order"), ("lists in no order", "no_order")):
        ours, peer = compared[f"ours_{kind}_s"], compared[f"peer_{kind}_s"]
        rows.append((label, ours, peer, peer / ours))
    print_table(["", "ours, s", "pytrec_eval with its dictionaries, s", "ratio"], rows)
    print(f"{options.stream_queries:,} queries x {options.depth:,}, streamed; limits: 180 s, 4 GB\n")
    figures = {
        "seconds": "stream_s",
        "of these, preparing judgements": "stream_prepare_s",
        "making the lists (apart), s": "stream_making_s",
    }
    figures["peak memory, GB"] = "stream_peak_gb"
    print_table(["", "ours"], [(label, streamed[key]) for label, key in figures.items()])
    finish(
        "metrics",
        compared["peer_no_order_s"] / compared["ours_no_order_s"],
        ratio_in_order=compared["peer_in_order_s"] / compared["ours_in_order_s"],
        **compared,
        **streamed,
        sizes={"queries": options.queries, "depth": options.depth, "stream_queries": options.stream_queries, "ks": KS},
        packages=["pytrec_eval-terrier"],
    )


if __name__ == "__main__":
    main()
