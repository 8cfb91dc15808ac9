"""The stage that builds an index: one answer whatever the parts, nothing published that finds too little, nothing built twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Attempt, Workspace, damaged
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines import index as index_module
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.search import search_index
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.embed import vectors_table
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index.opened import OpenedIndex
from ray_pipeline.retrieval.index.recall import RecallError, recall
from ray_pipeline.retrieval.index.settings import IndexSettings
from ray_pipeline.retrieval.index_search import IndexSearch
from ray_pipeline.retrieval.search_shards import ranking_of
from tests.retrieval.index.vectors import unit

DOCS, QUERIES = unit(2000, 1), unit(60, 2)
HERE = ClusterSettings(in_process="always", threads_per_worker=1)


def stored(run: Run, name: str, vectors: NDArray[np.float32]) -> Artifact:
    """A vectors artifact as an embedding job leaves it."""
    from ray_pipeline.artifacts import Input

    model = Input("0" * 20, "hub:tiny", "model")
    stage = Stage("vectors", 1, {"model": EmbedderSettings(name="tiny")}, {"model": model}, {"what": name, "rows": len(vectors)})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        for number, start in enumerate(range(0, len(vectors), 700)):
            rows = vectors[start : start + 700]
            attempt.write_table(
                f"vectors/{number:06d}.parquet", vectors_table([f"{name}{start + row:06d}" for row in range(len(rows))], rows, "float32")
            )
        return Outcome(len(vectors), {"dim": vectors.shape[1]})

    return run.ensure(stage, build)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path)), HERE)


def test_parts_give_what_one_index_gives(run: Run) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    oracle = search(QUERIES, DOCS, 10)
    for part_rows in (10_000, 600):
        built = build_index(run, docs, IndexSettings(kind="Flat", part_rows=part_rows), queries)
        assert built.metrics["recall@10"] == 1.0
        assert len(built.metrics["parts"]) == (1 if part_rows > len(DOCS) else 4)
        found = OpenedIndex.of(built).search(QUERIES, 10)
        assert np.array_equal(found.docs, oracle.docs)
        assert found.scores.tobytes() == oracle.scores.tobytes()
        assert not damaged(built)


def test_the_recall_on_record_is_the_true_one_and_the_effort_the_least_that_is_enough(run: Run) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    built = build_index(run, docs, IndexSettings(kind="IVF32,SQ8", min_recall=0.9, part_rows=800), queries)
    curve = built.metrics["recall_by_parameters"]
    assert list(curve) == [f"nprobe={count}" for count in (1, 2, 4, 8, 16, 32)]
    assert curve["nprobe=1"] < 0.9 <= curve[built.metrics["parameters"]] == built.metrics["recall@10"]
    assert all(found < 0.9 for name, found in curve.items() if int(name[7:]) < int(built.metrics["parameters"][7:]))
    found, exact = OpenedIndex.of(built).search(QUERIES, 10), search(QUERIES, DOCS, 10)
    assert recall(found, exact) == pytest.approx(built.metrics["recall@10"])


def test_documents_that_ask_do_not_count_for_finding_themselves(run: Run) -> None:
    lonely = np.eye(64, dtype=np.float32)  # every document is orthogonal to the others
    lonely[:, 0] += np.linspace(0.1, 0.2, 64, dtype=np.float32)
    built = build_index(run, stored(run, "d", lonely), IndexSettings(kind="IVF8,Flat", parameters="nprobe=1", min_recall=0.0))
    assert built.metrics["recall_queries"] == "documents"
    assert built.metrics["recall@10"] < 0.9  # each finds itself at once; counted, that would be 0.1 more of the ten


def test_an_index_that_finds_too_little_is_not_published_and_its_parts_are_kept(run: Run) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    poor = IndexSettings(kind="IVF32,Flat", parameters="nprobe=1", min_recall=0.99)
    with pytest.raises(RecallError, match=r"recall@10 is 0\.\d+ at nprobe=1, and index.min_recall=0.99 .*nothing is published.*more effort"):
        build_index(run, docs, poor, queries)
    assert [one.stage for one in run.workspace.artifacts()] == ["vectors", "vectors"]
    with pytest.raises(RecallError, match="another index.kind"):
        build_index(run, docs, IndexSettings(kind="IVF32,PQ2x4fs", oversample=1.0, min_recall=0.99), queries)


def test_a_killed_build_goes_on_where_it_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    settings = IndexSettings(kind="IVF16,Flat", part_rows=500)
    done: list[int] = []
    whole = index_module.run_shards

    def stops_after_two(shards: Any, *rest: Any) -> Any:
        for record in whole(shards, *rest):
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append(record["shard"])
            yield record

    monkeypatch.setattr(index_module, "run_shards", stops_after_two)
    with pytest.raises(KeyboardInterrupt):
        build_index(run, docs, settings, queries)
    assert done == [0, 1, 2]
    done.clear()
    monkeypatch.setattr(index_module, "run_shards", lambda shards, *rest: (done.extend(one["shard"] for one in shards), whole(shards, *rest))[1])
    continued = build_index(run, docs, settings, queries)
    assert done == [4]  # the third part's record was written before the kill
    other = Run(Workspace.at(str(Path(run.workspace.root.uri) / "other")), HERE)
    fresh = build_index(other, stored(other, "d", DOCS), settings, stored(other, "q", QUERIES))
    assert [(file.sha256, file.rows) for file in continued.files()] == [(file.sha256, file.rows) for file in fresh.files()]


def test_workers_of_a_cluster_build_the_same_bytes(run: Run, ray_session: ClusterSettings) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    settings = IndexSettings(kind="IVF16,Flat", part_rows=500)
    here = build_index(run, docs, settings, queries)
    there = Run(run.workspace, ray_session.model_copy(update={"workers": 2, "in_process": "never"}), force=True)
    placed = build_index(there, docs, settings, queries)
    assert placed.fingerprint == here.fingerprint
    assert [file.sha256 for file in placed.files()] == [file.sha256 for file in here.files()]


def test_search_by_index_names_its_recall_and_is_exact_for_a_flat_one(run: Run) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    ranking = search_index(run, "eval", docs, queries, IndexSearch(k=20, index=IndexSettings(kind="Flat"), query_block=16))
    oracle = search(QUERIES, DOCS, 20)
    assert np.array_equal(ranking_of(ranking).docs, oracle.docs)
    assert ranking.metrics["recall@10"] == 1.0
    assert ranking.metrics["documents"] == 2000
    again = [done.status for done in run.done if done.stage == "index"]
    search_index(run, "eval", docs, queries, IndexSearch(k=30, index=IndexSettings(kind="Flat")))
    assert [done.status for done in run.done if done.stage == "index"] == again  # built once for both depths


@pytest.mark.parametrize("kept", ["float16", "none"])
def test_vectors_may_be_halved_or_left_out(run: Run, kept: str) -> None:
    docs, queries = stored(run, "d", DOCS), stored(run, "q", QUERIES)
    built = build_index(run, docs, IndexSettings.model_validate({"kind": "IVF16,Flat", "vectors": kept}), queries)
    assert built.metrics["bytes"]["vectors"] == pytest.approx(2000 * 16 * 2 if kept == "float16" else 0, abs=200)
    found, exact = OpenedIndex.of(built).search(QUERIES, 10), search(QUERIES, DOCS, 10)
    assert recall(found, exact) >= 0.95
    assert np.allclose(found.scores[:, 0], exact.scores[:, 0], atol=2e-3)
