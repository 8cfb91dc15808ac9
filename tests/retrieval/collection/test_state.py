"""A collection against a dictionary of documents: whatever is added, changed and deleted, searches find what a fresh index would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Attempt, Input, Workspace
from ray_pipeline.data.dataset import build_dataset
from ray_pipeline.data.prepared import PreparedData, write_prepared
from ray_pipeline.errors import ArtifactError, SettingsError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.documents import build_documents
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.collection.state import Hit, State
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.documents.filters import FilterError
from ray_pipeline.retrieval.embed import vectors_table
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index.settings import IndexSettings
from ray_pipeline.retrieval.lexical.bm25 import BM25Index
from ray_pipeline.schemas import QRELS, QUERIES

DIM, MODEL = 8, "a" * 20
WORDS = ["tops", "bottoms", "adds", "halves", "½", "rounds", "down"]
Doc = dict[str, Any]


def drawn_doc(name: str, generator: np.random.Generator) -> Doc:
    words = " ".join(generator.choice(WORDS, generator.integers(1, 6)))
    fields = {"year": int(generator.integers(2000, 2004))} if generator.random() < 0.7 else {}
    vector = np.round(generator.standard_normal(DIM), 1).astype(np.float32)  # coarse, so that some documents tie
    return {"doc_id": name, "text": words, "title": None, "fields": fields, "vector": vector}


def published(run: Run, docs: Mapping[str, Doc], model: str = MODEL, part_rows: int = 7) -> tuple[Artifact, Artifact]:
    """An index and documents as the job makes them."""
    rows = [docs[name] for name in sorted(docs)]
    texts = {name: [one[name] for one in rows] for name in ("doc_id", "text", "title")}
    fields = [json.dumps(one["fields"]) if one["fields"] else None for one in rows]
    corpus = pa.table({**texts, "title": pa.array(texts["title"], pa.string()), "fields": pa.array(fields, pa.string())})
    dataset = build_dataset(corpus, QUERIES.empty_table(), QRELS.empty_table(), "made")
    content = Input(str(abs(hash(str(texts) + str(fields))))[:20], "made", "file")

    def write(attempt: Attempt, finished: Any) -> Outcome:
        write_prepared(attempt, dataset)
        return Outcome(len(rows))

    data = PreparedData(run.ensure(Stage("data", 1, {}, {"made": content}), write))
    vectors = np.stack([one["vector"] for one in rows])

    def embed(attempt: Attempt, finished: Any) -> Outcome:
        attempt.write_table("vectors/000000.parquet", vectors_table([one["doc_id"] for one in rows], vectors, "float32"))
        return Outcome(len(rows), {"dim": DIM})

    inputs = {"texts": data.artifact.as_input("corpus/"), "model": Input(model, "hub", "model")}
    embedded = run.ensure(Stage("vectors", 1, {"model": EmbedderSettings(name="tiny")}, inputs), embed)
    index = build_index(run, embedded, IndexSettings(kind="Flat", part_rows=part_rows))
    return index, build_documents(run, data, part_rows)


def segment(changes: Mapping[str, Doc | None], model: str = MODEL) -> Segment:
    vectors = np.stack([np.zeros(DIM, np.float32) if doc is None else doc["vector"] for doc in changes.values()])
    docs = list(changes.values())
    fields = [None if doc is None or not doc["fields"] else json.dumps(doc["fields"]) for doc in docs]
    return Segment(list(changes), [doc and doc["text"] for doc in docs], [None] * len(docs), fields, vectors, model)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path)), ClusterSettings(in_process="always", threads_per_worker=1))


@pytest.fixture
def collection(run: Run) -> Collection:
    return Collection(run.workspace.root, "papers")


def expected(docs: Mapping[str, Doc], vectors: NDArray[np.float32], texts: list[str], k: int) -> tuple[list[list[Hit]], list[list[Hit]]]:
    """What a fresh index of these documents would find."""
    names = sorted(docs)
    dense = search(vectors, np.stack([docs[name]["vector"] for name in names]), k)
    lexical = BM25Index.build([docs[name]["text"] for name in names]).search(texts, k)
    return tuple(  # type: ignore[return-value]
        [[Hit(names[doc], float(score)) for doc, score in zip(*row, strict=True) if doc >= 0] for row in zip(one.docs, one.scores, strict=True)]
        for one in (dense, lexical)
    )


@pytest.mark.parametrize("seed", range(4))
def test_changes_are_searched_as_if_they_had_always_been_there(run: Run, collection: Collection, seed: int) -> None:
    generator = np.random.default_rng(seed)
    docs = {f"d{number:02d}": drawn_doc(f"d{number:02d}", generator) for number in range(20)}
    collection.publish(*published(run, docs))
    state = State.of(collection)
    vectors = np.round(generator.standard_normal((4, DIM)), 1).astype(np.float32)
    for batch in range(12):
        names = generator.choice([f"d{number:02d}" for number in range(30)], generator.integers(1, 6), replace=False)
        changes: dict[str, Doc | None] = {str(name): None if generator.random() < 0.3 else drawn_doc(str(name), generator) for name in names}
        assert collection.append(segment(changes)) == batch + 1
        docs = {name: doc for name, doc in {**docs, **changes}.items() if doc is not None}
        state = state.caught_up(collection)
        assert state.name == f"1.{batch + 1}"
        assert len(state) == len(docs)
        dense, _ = expected(docs, vectors, WORDS[:3], 7)
        assert state.dense(vectors, 7) == dense
        # deleted documents are still counted in frequencies until the next index, so scores may differ a little: who is found may not
        found = state.lexical(WORDS[:3], 99)
        assert [sorted(hit.doc_id for hit in row) for row in found] == [
            sorted(name for name in docs if word in docs[name]["text"].split()) for word in WORDS[:3]
        ]
        kept = {name: doc for name, doc in docs.items() if doc["fields"].get("year", 0) >= 2002}
        filtered = state.dense(vectors, 5, {"year": {"gte": 2002}})
        assert filtered == (expected(kept, vectors, ["x"], 5)[0] if kept else [[]] * 4)
        for name in [f"d{number:02d}" for number in range(31)]:
            assert (state.document(name) or {}).get("text") == docs.get(name, {}).get("text")
    new = {**drawn_doc("zz", generator), "fields": {"only_here": True}}
    collection.append(segment({"zz": new}))
    assert [hit.doc_id for hit in State.of(collection).dense(vectors, 3, {"only_here": True})[0]] == ["zz"]
    state = state.caught_up(collection)
    reopened = State.of(collection)
    assert reopened.name == state.name
    assert reopened.dense(vectors, 7) == state.dense(vectors, 7)
    assert len(state.delta.parts) <= 6  # joined as they grow


def test_added_documents_are_scored_by_words_as_in_one_corpus(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(9)
    docs = {f"d{number:02d}": drawn_doc(f"d{number:02d}", generator) for number in range(12)}
    first = dict(list(docs.items())[:6])
    collection.publish(*published(run, first))
    collection.append(segment(dict(list(docs.items())[6:9])))
    collection.append(segment(dict(list(docs.items())[9:])))
    found, wanted = State.of(collection).lexical(WORDS, 5), expected(docs, np.zeros((1, DIM), np.float32), WORDS, 5)[1]
    assert found == wanted


def test_a_new_version_holds_the_changes_and_the_old_one_can_be_had_back(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(3)
    docs = {f"d{number:02d}": drawn_doc(f"d{number:02d}", generator) for number in range(10)}
    collection.publish(*published(run, docs), note="first")
    added = drawn_doc("zz", generator)
    collection.append(segment({"zz": added}))
    docs["zz"] = added
    second = collection.publish(*published(run, docs), first_change=2)
    assert (second.number, State.of(collection).name) == (2, "2.1")
    collection.append(segment({"d00": None}))
    vectors = generator.standard_normal((3, DIM)).astype(np.float32)
    now = State.of(collection).dense(vectors, 5)
    assert collection.use(1).note == "first"
    back = State.of(collection)
    assert back.name == "1.2"
    assert back.dense(vectors, 5) == now  # what was added and deleted since is so in the older version too
    assert collection.numbers() == [1, 2]


def test_changes_of_another_model_are_refused(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(3)
    docs = {"a": drawn_doc("a", generator), "b": drawn_doc("b", generator)}
    collection.publish(*published(run, docs))
    collection.append(segment({"c": drawn_doc("c", generator)}))
    other = published(run, docs, model="b" * 20)
    with pytest.raises(SettingsError, match="changes from 1 on have vectors of another model"):
        collection.publish(*other)
    assert collection.current().number == 1
    collection.publish(*other, first_change=2)
    with pytest.raises(SettingsError, match="another model"):
        collection.use(1) if collection.append(segment({"d": drawn_doc("d", generator)}, "b" * 20)) else None
    with pytest.raises(ArtifactError, match="vectors of another model"):
        State.of(collection).delta.with_segment(9, segment({"e": None}, "c" * 20))


def test_what_is_not_there_is_named(run: Run, collection: Collection) -> None:
    with pytest.raises(ArtifactError, match="no such collection; build one with python -m jobs.index collection=papers"):
        collection.current()
    with pytest.raises(SettingsError, match=r"collection 'a/\.\.': lower-case letters"):
        Collection(run.workspace.root, "a/..")
    generator = np.random.default_rng(3)
    docs = {"a": drawn_doc("a", generator), "b": drawn_doc("b", generator)}
    built = published(run, docs)
    collection.publish(*built)
    with pytest.raises(ArtifactError, match="there is no version 5; there are 1"):
        collection.use(5)
    with pytest.raises(FilterError, match="no document has a field 'author'"):
        State.of(collection).dense(np.zeros((1, DIM), np.float32), 1, {"author": "x"})
    other = published(run, {**docs, "c": drawn_doc("c", generator)})
    with pytest.raises(ArtifactError, match="indexes other documents than"):
        collection.publish(built[0], other[1])


def test_a_torn_segment_is_named(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(3)
    collection.publish(*published(run, {"a": drawn_doc("a", generator)}))
    collection.append(segment({"b": drawn_doc("b", generator)}))
    place = Path(collection.folder.uri) / "changes/000000000001.arrow"
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=r"000000000001\.arrow: not a segment of changes, or damaged"):
        State.of(collection)


def test_two_that_publish_at_once_get_two_numbers(run: Run, collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    built = published(run, {"a": drawn_doc("a", generator)})
    collection.publish(*built)
    assert collection.publish(*built).number == 1  # it is in use already
    monkeypatch.setattr(Collection, "numbers", lambda self: [])  # the other has just looked
    assert collection.publish(*built, first_change=2).number == 2
