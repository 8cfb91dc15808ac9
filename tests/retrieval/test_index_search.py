"""Approximate search: exact scores, recall that is really measured, and faiss's refusals in plain words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.artifacts import parquet_bytes, read_parquet
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.embed import vectors_table
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.exact.topk import merge
from ray_pipeline.retrieval.index_search import IndexSearch, IndexShard, MakeIndexShard, read_exact, recall, recall_rows
from ray_pipeline.storage import Location


def unit(rows: int, seed: int, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def stored(folder: Path, name: str, vectors: np.ndarray) -> Rows:
    table = vectors_table([f"{name}{row:05d}" for row in range(len(vectors))], vectors, "float32")
    (Location.of(str(folder)) / f"{name}.parquet").write(parquet_bytes(table))
    return Rows((str(folder / f"{name}.parquet"),), (len(vectors),))


def run(folder: Path, queries: np.ndarray, docs: np.ndarray, settings: IndexSearch) -> tuple[Ranking, Ranking]:
    """The merged ranking of all parts, and the merged exact answers of the sample."""
    plan = MakeIndexShard(stored(folder, "q", queries), stored(folder, "d", docs), settings, str(folder), "attempts/a")
    starts = range(0, len(docs), settings.part_rows)
    records = [
        IndexShard(plan, "cpu")({"shard": part, "start": start, "stop": min(start + settings.part_rows, len(docs))})
        for part, start in enumerate(starts)
    ]
    place = Location.of(str(folder))
    found = merge([Ranking.from_table(read_parquet(place / record["file"]["path"])) for record in records], settings.k)
    return found, merge([read_exact(place, record) for record in records], settings.k)


def test_a_flat_index_is_exact_search_to_the_bit(tmp_path: Path) -> None:
    queries, docs = unit(40, 0), unit(700, 1)
    settings = IndexSearch(factory="Flat", parameters="", k=10, part_rows=300, recall_queries=8)
    found, exact = run(tmp_path, queries, docs, settings)
    oracle = search(queries, docs, 10)
    assert np.array_equal(found.docs, oracle.docs)
    assert found.scores.tobytes() == oracle.scores.tobytes()
    assert recall(found, exact) == 1.0
    assert exact.queries.tolist() == recall_rows(40, settings).tolist()
    assert np.array_equal(exact.docs, oracle.docs[exact.queries])


def test_a_coarse_index_misses_documents_and_says_how_many(tmp_path: Path) -> None:
    queries, docs = unit(60, 2), unit(2000, 3)
    settings = IndexSearch(factory="IVF32,Flat", parameters="nprobe=1", k=20, part_rows=1000, recall_queries=60)
    found, exact = run(tmp_path, queries, docs, settings)
    oracle = search(queries, docs, 20)
    truly = np.mean([np.isin(oracle.docs[row], found.docs[row]).mean() for row in range(60)])
    assert 0.05 < truly < 0.9
    assert recall(found, exact) == pytest.approx(truly)
    known = {
        (query, doc): score
        for query in range(60)
        for doc, score in zip(range(2000), queries[query].astype(np.float64) @ docs.T.astype(np.float64), strict=True)
    }
    held = found.docs >= 0
    assert all(abs(known[(row, found.docs[row, at])] - found.scores[row, at]) < 1e-6 for row, at in zip(*np.nonzero(held), strict=True))


def test_recall_by_hand() -> None:
    found = Ranking(np.array([4, 7]), np.array([[1, 2, -1], [3, 4, 5]]), np.zeros((2, 3), np.float32))
    exact = Ranking(np.array([7, 4]), np.array([[4, 9, 5], [2, 8, -1]]), np.zeros((2, 3), np.float32))
    assert recall(found, exact) == 3 / 5


@pytest.mark.parametrize(("factory", "parameters"), [("IVF999,Flat", "nprobe=1"), ("Nonsense", ""), ("Flat", "nprobes=3")])
def test_what_faiss_refuses_names_the_setting(tmp_path: Path, factory: str, parameters: str) -> None:
    with pytest.raises(DataError, match=f"search.factory='{factory}'.*faiss says"):
        run(tmp_path, unit(4, 0), unit(50, 1), IndexSearch(factory=factory, parameters=parameters, k=3, recall_queries=2))
