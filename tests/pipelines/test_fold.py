"""Changes folded into a version: the same answers as before, and what comes later stays on top. The vectors' model is a name that nothing
stands behind, so nothing can be embedded again."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.pipelines.dry_run import DryRun, NotThereError
from ray_pipeline.pipelines.fold import fold_changes
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.index.settings import IndexSettings
from tests.retrieval.collection.test_state import DIM, WORDS, collection, drawn_doc, expected, published, run, segment

__all__ = ["collection", "run"]


def test_a_folded_version_answers_as_the_changes_did(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(0)
    docs = {f"d{number:02d}": drawn_doc(f"d{number:02d}", generator) for number in range(20)}
    collection.publish(*published(run, docs))
    for names in (["d03", "d25"], ["d04"], ["d03", "d26"]):
        changes = {name: drawn_doc(name, generator) for name in names} | ({"d07": None} if names == ["d04"] else {})
        collection.append(segment(changes))
        docs = {name: doc for name, doc in {**docs, **changes}.items() if doc is not None}
    vectors = np.round(generator.standard_normal((4, DIM)), 1).astype(np.float32)
    before = State.of(collection)
    version = fold_changes(run, collection, None, "")
    folded = State.of(collection)
    assert (version.number, version.first_change, version.note) == (2, 4, "holds the changes up to 3")
    assert folded.name == "2.3"
    assert not folded.delta.parts
    dense, lexical = expected(docs, vectors, WORDS[:3], 8)
    assert folded.dense(vectors, 8) == dense == before.dense(vectors, 8)
    assert folded.lexical(WORDS[:3], 8) == lexical
    year = {"year": {"gte": 2002}}
    assert folded.dense(vectors, 5, year) == before.dense(vectors, 5, year)
    collection.append(segment({"zz": drawn_doc("zz", generator)}))
    assert State.of(collection).document("zz") is not None
    collection.use(1)
    back = State.of(collection)  # the first version under all four batches
    assert back.name == "1.4"
    assert back.document("d25") == folded.document("d25")


def test_without_changes_nothing_is_made(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(0)
    collection.publish(*published(run, {f"d{number}": drawn_doc(f"d{number}", generator) for number in range(9)}))
    made = len(list(run.workspace.artifacts()))
    assert fold_changes(run, collection, None, "").number == 1
    assert len(list(run.workspace.artifacts())) == made


def test_another_index_may_be_asked_for_and_again_is_found_done(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(0)
    collection.publish(*published(run, {f"d{number}": drawn_doc(f"d{number}", generator) for number in range(9)}))
    collection.append(segment({"x": drawn_doc("x", generator)}))
    with pytest.raises(NotThereError):
        fold_changes(DryRun(run.workspace, run.cluster), collection, None, "")
    assert fold_changes(run, collection, IndexSettings(kind="HNSW"), "by graph").note == "by graph"
    collection.use(1)
    again = Run(run.workspace, run.cluster)
    assert fold_changes(again, collection, IndexSettings(kind="HNSW"), "").number == 3
    assert {done.status for done in again.done} == {"already done"}
