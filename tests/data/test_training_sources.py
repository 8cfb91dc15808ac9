"""Training sets from prepared data, from labels a model gave, and joined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.artifacts import Workspace
from ray_pipeline.data import training_sources as module
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.prepared import PreparedData, write_prepared
from ray_pipeline.data.statements import read_statements, write_statements
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.data.training_sources import concat, from_labels, from_prepared
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import STATEMENTS

MakeSet = Callable[..., TrainingSet]


def prepared(folder: Path, dataset: RetrievalDataset) -> PreparedData:
    attempt = Workspace.at(str(folder)).begin("data", "0" * 20)
    write_prepared(attempt, dataset)
    body = {"stage": "data", "fingerprint": "0" * 20, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}, "rows": 1}
    return PreparedData(attempt.publish(body))


def questions(judged: list[tuple[str, str, int]], reasoning: list[str | None] | None = None) -> RetrievalDataset:
    """Queries a, b (training), c (evaluation), u, v (unlabelled); documents d0 to d4, d3 with a title."""
    ids, splits = ["a", "b", "c", "u", "v"], ["train", "train", "eval", None, None]
    queries = {"query_id": ids, "text": [one.upper() for one in ids], "split": pa.array(splits, pa.string())}
    if reasoning is not None:
        queries["reasoning"] = pa.array(reasoning, pa.string())
    titles = pa.array([None, None, None, "Title", None], pa.string())
    corpus = pa.table({"doc_id": [f"d{n}" for n in range(5)], "text": [f"text {n}" for n in range(5)], "title": titles})
    columns = [list(column) for column in zip(*judged, strict=True)]
    qrels = pa.table({"query_id": columns[0], "doc_id": columns[1], "grade": pa.array(columns[2], pa.int32())})
    return build_dataset(corpus, pa.table(queries), qrels, "made")


JUDGED = [("a", "d3", 1), ("b", "d1", 2), ("b", "d3", 1), ("b", "d0", 0), ("c", "d2", 1)]


@pytest.mark.parametrize("block", [1, 2, 100])
def test_from_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_CORPUS_BLOCK", block)
    data = from_prepared(prepared(tmp_path, questions(JUDGED)), "train", task="made")
    assert (data.query_ids.to_pylist(), data.queries.to_pylist()) == (["a", "b"], ["A", "B"])
    assert data.doc_ids.to_pylist() == ["d1", "d3"]  # only what a training row names; grade 0 is no positive
    assert data.documents.to_pylist() == ["text 1", "Title text 3"]
    assert (data.positives.indptr.tolist(), data.positives.docs.tolist()) == ([0, 1, 3], [1, 0, 1])
    assert len(data.negatives.docs) == 0
    assert data.reasoning is None
    assert data.task_names == ("made",)
    assert data.groups.tolist() == [-1, -1]


def test_reasoning_comes_along(tmp_path: Path) -> None:
    data = from_prepared(prepared(tmp_path, questions(JUDGED, ["ra", "rb", None, None, "rv"])), "train")
    assert data.join_reasoning("{query}:{reasoning}").queries.to_pylist() == ["A:ra", "B:rb"]


def test_a_training_query_without_a_positive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"query 'b' has no positive \(1 of 2"):
        from_prepared(prepared(tmp_path, questions([("a", "d3", 1), ("b", "d1", 0)])), "train")


def test_a_statement_is_no_positive_of_itself_and_a_paper_is_a_group(tmp_path: Path) -> None:
    rows = [("s4", "p2", "4"), ("s1", "p1", "1"), ("s2", "p1", "2"), ("s5", "p2", "5"), ("s3", "p1", "3")]
    columns = [[row[0] for row in rows], [row[1] for row in rows], ["lemma"] * 5, [f"Statement {row[2]}" for row in rows]]
    path = str(tmp_path / "statements.jsonl")
    write_statements(pa.table(columns, schema=STATEMENTS), path)
    dataset = read_statements(path)
    dataset = dataset.with_queries(dataset.queries.set_column(4, "split", pa.array(["train"] * 5)))
    data = from_prepared(prepared(tmp_path / "prepared", dataset), "train")
    names = data.query_ids.to_pylist()
    found = {name: [data.doc_ids[int(doc)].as_py() for doc in data.positives.take(np.array([row])).docs] for row, name in enumerate(names)}
    assert found == {"s4": ["s5"], "s5": ["s4"], "s1": ["s2", "s3"], "s2": ["s1", "s3"], "s3": ["s1", "s2"]}
    assert [data.doc_ids[int(doc)].as_py() for doc in data.own] == names
    papers = {name: int(group) for name, group in zip(names, data.groups, strict=True)}
    assert papers == {"s1": 0, "s2": 0, "s3": 0, "s4": 3, "s5": 3}
    assert data.doc_groups.tolist() == [0, 0, 0, 3, 3]


def test_from_labels(tmp_path: Path) -> None:
    given = prepared(tmp_path, questions(JUDGED))
    labels = pa.table({"query_id": ["v", "u", "v"], "doc_id": ["d3", "d2", "d0"]})
    data = from_labels(given, "rest", labels, weight=0.5)
    assert data.query_ids.to_pylist() == ["u", "v"]
    assert data.doc_ids.to_pylist() == ["d0", "d2", "d3"]
    assert (data.positives.indptr.tolist(), data.positives.docs.tolist()) == ([0, 1, 3], [1, 0, 2])
    assert data.weights.tolist() == [0.5, 0.5]
    only = from_labels(given, "rest", labels.slice(0, 1))
    assert (only.query_ids.to_pylist(), only.queries.to_pylist()) == (["v"], ["V"])


@pytest.mark.parametrize(("query", "doc", "problem"), [("a", "d1", "'a' is not in split 'rest'"), ("u", "d9", "'d9' is not in the corpus")])
def test_labels_of_other_data_are_refused(tmp_path: Path, query: str, doc: str, problem: str) -> None:
    given = prepared(tmp_path, questions(JUDGED))
    with pytest.raises(DataError, match=problem):
        from_labels(given, "rest", pa.table({"query_id": ["v", query], "doc_id": ["d0", doc]}))


def test_no_labels_are_refused(tmp_path: Path) -> None:
    given = prepared(tmp_path, questions(JUDGED))
    with pytest.raises(DataError, match="no query to train on"):
        from_labels(given, "rest", pa.table({"query_id": pa.array([], pa.string()), "doc_id": pa.array([], pa.string())}))


def test_concat_joins_documents_by_id(made_set: MakeSet) -> None:
    one = made_set([[0], [1]], [[1], []], reasoning=["x", "y"], negative_scores=[[0.5], []])
    two = made_set([[1], [0]], query_ids=["p0", "p1"], doc_ids=["d1", "new"], doc_texts=["document 1", "New"], tasks=[1, 0])
    both = concat([one, two])
    assert both.query_ids.to_pylist() == ["q0", "q1", "p0", "p1"]
    assert both.doc_ids.to_pylist() == ["d0", "d1", "new"]
    assert both.documents.to_pylist() == ["document 0", "document 1", "New"]
    assert both.positives.docs.tolist() == [0, 1, 2, 1]
    assert (both.negatives.indptr.tolist(), both.negatives.docs.tolist()) == ([0, 1, 1, 1, 1], [1])
    assert both.negatives.scores is not None
    assert both.negatives.scores.tolist() == [0.5]
    assert both.positives.scores is None
    assert both.groups.tolist() == [0, 1, 2, 1]  # a pseudo label joins the label's own group
    assert both.task_names == ("", "task 0", "task 1")
    assert both.tasks.tolist() == [0, 0, 2, 1]
    assert both.reasoning is not None
    assert both.reasoning.to_pylist() == ["x", "y", None, None]
    assert both.doc_hashes.tolist() == [*one.doc_hashes, two.doc_hashes[1]]


def test_concat_fills_unknown_scores(made_set: MakeSet) -> None:
    one = made_set([[0, 1]], positive_scores=[[0.5, 0.25]])
    both = concat([made_set([[0]], query_ids=["p"]), one])
    assert both.positives.scores is not None
    assert np.array_equal(both.positives.scores, np.array([np.nan, 0.5, 0.25], dtype=np.float32), equal_nan=True)


def test_concat_of_one_is_itself(made_set: MakeSet) -> None:
    one = made_set([[2], [0, 1]], [[0], [2]])
    again = concat([one])
    assert again.doc_ids.equals(one.doc_ids)
    assert again.positives.docs.tolist() == one.positives.docs.tolist()
    assert again.weights.tolist() == one.weights.tolist()


def test_concat_refuses_one_query_twice_and_one_id_with_two_texts(made_set: MakeSet) -> None:
    with pytest.raises(DataError, match="query 'q1' is in more than one"):
        concat([made_set([[0], [1]]), made_set([[0]], query_ids=["q1"])])
    with pytest.raises(DataError, match="document 'd0' has two texts"):
        concat([made_set([[0]]), made_set([[0]], query_ids=["p"], doc_texts=["another"])])
