"""Exact top k: ours, streaming over shards, against faiss `IndexFlatIP.search`.

Both get the same unit vectors in one process, take turns (so that a busy machine slows both), and use the same number of threads.
faiss holds the whole corpus in its index; filling it is reported apart, as is choosing our kernel. Ours runs in two ways:
`streamed`, one search that is handed the shards' blocks one after another, and `sharded`, a search of each shard by itself and a merge,
which is what actors on a cluster do at the same time and this process does one after another: its figures are the actors' work added up, each
of which has to find its own k best. Two kinds of vectors: `gaussian`, and `clustered`, where documents and queries lie around common
centres as embeddings do. `ratio` is faiss's median time over that of `streamed`, for the worse kind.

Results count as the same when the documents agree wherever faiss's neighbouring scores differ by more than 1e-6 (faiss's float32
sums err by as much; ours are exact) and the scores by at most 1e-6.

Peak memory is measured in a process of its own that reads blocks from files, so that the corpus is not in it: its peak above what it
held before, over what the search plans to hold (`planned_bytes`) and the block it was handed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Final

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import finish, peak_resident_bytes, print_table
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact.product import choose_kernel
from ray_pipeline.retrieval.exact.search import BLOCK_ROWS, StreamingSearch, planned_bytes
from ray_pipeline.retrieval.exact.topk import merge

Floats = NDArray[np.float32]

KINDS: Final = ("gaussian", "clustered")
WAYS: Final = ("streamed", "sharded")
SHARDS: Final = 4
HANDED_ROWS: Final = 8192  # documents handed to the search at a time
TIE: Final = 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--docs", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory-of", type=Path, help="measure the memory of one search of the files there (the benchmark calls itself so)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        print(peak_above_inputs(options.memory_of, options.docs, options.k))
        return
    faiss.omp_set_num_threads(options.threads)
    start = time.perf_counter()
    kernel = choose_kernel("auto", options.dim, "cpu")
    figures: dict[str, float] = {"start_up_seconds": time.perf_counter() - start}
    for kind in KINDS:
        figures |= compare(kind, options)
    ratios = {f"{way}_{kind}": figures[f"faiss_{kind}"] / figures[f"{way}_{kind}"] for kind in KINDS for way in WAYS}
    rows = [(f"{kind}, faiss IndexFlatIP", figures[f"faiss_{kind}"], 1.0) for kind in KINDS]
    rows += [(f"{kind}, {way}", figures[f"{way}_{kind}"], ratios[f"{way}_{kind}"]) for kind in KINDS for way in WAYS]
    print_table(["search", "seconds", "times faiss's speed"], rows)
    memory = measured_memory(options)
    print_table(["memory of streaming", "MiB"], [("planned", memory["planned_mib"]), ("peak", memory["peak_mib"])])
    sizes = {"queries": options.queries, "docs": options.docs, "dim": options.dim, "k": options.k, "threads": options.threads, "shards": SHARDS}
    finish(
        "search",
        min(ratios[f"streamed_{kind}"] for kind in KINDS),
        **figures,
        **{f"ratio_{name}": ratio for name, ratio in ratios.items()},
        **memory,
        **sizes,
        kernel=kernel,
        peer="faiss IndexFlatIP.search, all queries in one call",
        packages=["faiss-cpu"],
    )


def vectors(kind: str, query_count: int, doc_count: int, dim: int) -> tuple[Floats, Floats]:
    """Unit queries and documents."""
    generator = np.random.default_rng(0)
    drawn = generator.standard_normal((query_count + doc_count, dim), dtype=np.float32)
    if kind == "clustered":
        centres = 1 + generator.standard_normal((1000, dim), dtype=np.float32)
        drawn = centres[generator.integers(0, len(centres), len(drawn))] + np.float32(0.8) * drawn
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn[:query_count], drawn[query_count:]


def compare(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each side on one kind of vectors, after checking that they agree."""
    queries, docs = vectors(kind, options.queries, options.docs, options.dim)
    start = time.perf_counter()
    index = faiss.IndexFlatIP(options.dim)
    index.add(docs)
    added = time.perf_counter() - start
    sides: dict[str, Callable[[], Ranking]] = {
        "faiss": lambda: faiss_search(index, queries, options.k),
        "streamed": lambda: streamed(queries, docs, options.k),
        "sharded": lambda: sharded(queries, docs, options.k),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        found = {}
        for side, search in sides.items():
            start = time.perf_counter()
            found[side] = search()
            seconds[side].append(time.perf_counter() - start)
        check_same(found)
    return {f"{side}_{kind}": median(times) for side, times in seconds.items()} | {f"faiss_add_{kind}": added}


def faiss_search(index: faiss.IndexFlatIP, queries: Floats, k: int) -> Ranking:
    scores, docs = index.search(queries, k)
    return Ranking(np.arange(len(queries)), docs, scores)


def blocks(rows: NDArray[np.int64]) -> Iterator[slice]:
    """The rows of a shard, a block at a time."""
    for start in range(int(rows[0]), int(rows[-1]) + 1, HANDED_ROWS):
        yield slice(start, min(start + HANDED_ROWS, int(rows[-1]) + 1))


def streamed(queries: Floats, docs: Floats, k: int) -> Ranking:
    """One search of all shards."""
    stream = StreamingSearch(queries, k)
    for shard in np.array_split(np.arange(len(docs)), SHARDS):
        for rows in blocks(shard):
            stream.add(rows.start, docs[rows])
    return stream.result()


def sharded(queries: Floats, docs: Floats, k: int) -> Ranking:
    """A search of each shard, merged."""

    def searched(shard: NDArray[np.int64]) -> Ranking:
        stream = StreamingSearch(queries, k)
        for rows in blocks(shard):
            stream.add(rows.start, docs[rows])
        return stream.result()

    return merge((searched(shard) for shard in np.array_split(np.arange(len(docs)), SHARDS)), k)


def check_same(found: dict[str, Ranking]) -> None:
    """Ours agree to the byte; faiss agrees but for documents whose scores nearly tie."""
    peer, ours, other = found["faiss"], found["streamed"], found["sharded"]
    if ours.docs.tobytes() != other.docs.tobytes() or ours.scores.tobytes() != other.scores.tobytes():
        raise SystemExit("streamed and sharded search disagree")
    close = np.abs(np.diff(peer.scores, axis=1)) <= TIE
    edge = np.zeros((len(close), 1), dtype=bool)
    tied = np.hstack([close, edge | True]) | np.hstack([edge, close])  # the last place may tie with one that is not in the list
    if (np.abs(peer.scores - ours.scores) > TIE).any() or ((peer.docs != ours.docs) & ~tied).any():
        raise SystemExit("ours and faiss disagree by more than faiss's rounding")


def measured_memory(options: argparse.Namespace) -> dict[str, float]:
    """Peak and planned memory of a search whose corpus stays in files."""
    queries, docs = vectors("gaussian", options.queries, options.docs, options.dim)
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "queries.npy", queries)
        docs.tofile(Path(name) / "docs.f32")
        command = [sys.executable, "-m", "benchmarks.search", "--memory-of", name]
        for option in ("docs", "k", "threads"):
            command += [f"--{option}", str(getattr(options, option))]
        peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    planned = planned_bytes(options.queries, options.dim, BLOCK_ROWS, options.k) + HANDED_ROWS * options.dim * 4
    return {"planned_mib": planned / 2**20, "peak_mib": peak / 2**20, "peak_over_planned": peak / planned}


def peak_above_inputs(folder: Path, doc_count: int, k: int) -> int:
    """Search the files in `folder`; the most memory held above what was held when the queries were loaded."""
    queries = np.load(folder / "queries.npy")
    dim = queries.shape[1]
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = peak_resident_bytes()
    stream = StreamingSearch(queries, k)
    with (folder / "docs.f32").open("rb") as file:
        for start in range(0, doc_count, HANDED_ROWS):
            count = min(HANDED_ROWS, doc_count - start)
            stream.add(start, np.fromfile(file, dtype=np.float32, count=count * dim).reshape(count, dim))
    stream.result()
    return peak_resident_bytes() - before


if __name__ == "__main__":
    main()
