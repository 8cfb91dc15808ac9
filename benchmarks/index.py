"""Which index: recall@10 and queries a second of each kind against exact search, over 200,000 vectors of 384 dimensions.

Vectors: all-MiniLM-L6-v2's, of passages of real text, asked by sentences of texts that are not among them (benchmarks/passages.py);
`--vectors drawn` gives clustered ones instead, which every inverted file finds too easily. Every kind is built, trained on the same
sample, and asked at each effort, one query at a time as a service is; candidates are scored exactly from the stored vectors, as
published indexes do.

`ratio` is the speed of the default kind at the recall that `index.min_recall` asks for over that of faiss `IndexFlatIP`.
`default_on_front` says whether any measured point both finds more and is faster than it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.passages import beir_folder
from benchmarks.report import finish, print_table
from jobs.command_line import settings_from, start_logging
from jobs.embed import EmbedJob
from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.pipelines.embed import embed_corpus, embed_queries
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index.factory import KINDS, factory_string
from ray_pipeline.retrieval.index.faiss_index import FaissIndex
from ray_pipeline.retrieval.index.part import IndexPart
from ray_pipeline.retrieval.index.recall import recall, sample
from ray_pipeline.retrieval.index.settings import IndexSettings

Floats = NDArray[np.float32]
K: Final = 10


@dataclass(frozen=True)
class Point:
    """One kind at one effort."""

    kind: str
    effort: str
    recall: float
    per_second: float
    bytes_per_vector: float
    built_in: float

    def beaten_by(self, other: Point) -> bool:
        return other.recall > self.recall and other.per_second > self.per_second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--vectors", choices=("embedded", "drawn"), default="embedded")
    parser.add_argument("--workspace", default="outputs/index", help="where texts and their vectors are kept")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    options = parser.parse_args()
    start_logging("info")
    queries, docs = drawn(options) if options.vectors == "drawn" else embedded(options)
    exact = search(queries, docs, K)
    flat = faiss.IndexFlatIP(docs.shape[1])
    flat.add(docs)
    peer = per_second(lambda one: flat.search(one, K), queries)
    points = [point for kind in options.kinds for point in measured(kind, queries, docs, exact)]
    settings = IndexSettings()
    table = [[one.kind, one.effort or "-", one.recall, one.per_second, one.per_second / peer, one.bytes_per_vector, one.built_in] for one in points]
    print_table(["kind", "effort", f"recall@{K}", "queries/s", "times exact", "bytes/vector", "built in s"], table)
    chosen = next(one for one in points if one.kind == settings.kind and one.recall >= settings.min_recall)
    better = [f"{one.kind} {one.effort}" for one in points if chosen.beaten_by(one)]
    print(f"{chosen.kind} at {chosen.effort}: {'on the front' if not better else 'beaten by ' + ', '.join(better)}")
    finish(
        "index",
        chosen.per_second / peer,
        default=chosen.kind,
        default_on_front=not better,
        beaten_by=better,
        recall=chosen.recall,
        exact_per_second=peer,
        at_recall=best_at(points, settings.min_recall),
        docs=len(docs),
        dim=docs.shape[1],
        vectors=options.vectors,
        peer="faiss IndexFlatIP, one query at a time",
        packages=["faiss-cpu"],
    )


def drawn(options: argparse.Namespace) -> tuple[Floats, Floats]:
    """Unit queries and documents."""
    generator = np.random.default_rng(0)
    rows, latent = options.queries + options.docs, 32
    inner = generator.standard_normal((2000, latent), dtype=np.float32)[generator.integers(0, 2000, rows)]
    inner += np.float32(0.5) * generator.standard_normal((rows, latent), dtype=np.float32)
    vectors = inner @ generator.standard_normal((latent, options.dim), dtype=np.float32)
    vectors += np.float32(1.0) * generator.standard_normal((rows, options.dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[: options.queries], vectors[options.queries :]


def embedded(options: argparse.Namespace) -> tuple[Floats, Floats]:
    """Computed once a workspace."""
    folder = beir_folder(Path(options.workspace), options.docs, options.queries)
    words = ["data=beir", f"data.path={folder}", "model=minilm_fp32", "model.max_length=64", f"workspace={options.workspace}"]
    settings = parse(EmbedJob, settings_from("embed", words))
    run = Run(Workspace.at(settings.workspace), ClusterSettings(in_process="always"))
    data = prepare(run, settings.data)
    queries = embed_queries(run, data, "eval", settings.model, settings.embed)
    docs = embed_corpus(run, data, settings.model, settings.embed)
    asked, found = (vectors_of(Rows.of(one, "vectors/").table(["vector"])) for one in (queries, docs))
    return asked, found


def measured(kind: str, queries: Floats, docs: Floats, exact: Ranking) -> list[Point]:
    settings = IndexSettings()
    trained = min(len(docs), settings.train_rows)
    factory = factory_string(kind, len(docs), trained, docs.shape[1])
    started = time.perf_counter()
    index = FaissIndex.trained(factory, docs[sample(len(docs), trained, settings.seed)])
    index.add(docs)
    built_in = time.perf_counter() - started
    size = len(index.to_bytes()) / len(docs)
    part, points = IndexPart(index, docs, 0, settings.oversample), []
    for effort in index.efforts():
        index.set_parameters(effort)
        found = recall(part.search(queries, K), exact)
        points.append(Point(kind, effort, found, per_second(lambda one: part.search(one, K), queries), size, built_in))
        if found > 0.995:
            break
    print(f"{factory}: {len(points)} efforts, built in {built_in:.0f} s", flush=True)
    return points


def per_second(ask: Callable[[Floats], object], queries: Floats) -> float:
    """Queries a second, asked one after another, the faster of two rounds."""
    best = 0.0
    for _ in range(2):
        started = time.perf_counter()
        for row in range(len(queries)):
            ask(queries[row : row + 1])
        best = max(best, len(queries) / (time.perf_counter() - started))
    return best


def best_at(points: list[Point], enough: float) -> dict[str, float]:
    """The speed of each kind at the least effort that finds enough."""
    found: dict[str, float] = {}
    for one in points:
        if one.recall >= enough:
            found.setdefault(one.kind, one.per_second)
    return found


if __name__ == "__main__":
    main()
