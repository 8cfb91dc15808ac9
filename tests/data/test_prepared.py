from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.artifacts import Workspace
from ray_pipeline.data import prepared as module
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.prepared import PreparedData, split_names, write_prepared
from ray_pipeline.errors import DataError


def dataset(splits: list[str | None], judged: list[tuple[int, int, int]]) -> RetrievalDataset:
    """Queries q0, q1, ... and documents d4 ... d0; `judged` are (query, document, grade)."""
    ids = [f"q{n}" for n in range(len(splits))]
    queries = pa.table({"query_id": ids, "text": [f"text of {one}" for one in ids], "split": pa.array(splits, pa.string())})
    corpus = pa.table({"doc_id": [f"d{n}" for n in (4, 3, 2, 1, 0)], "text": [f"text {n}" for n in (4, 3, 2, 1, 0)]})
    names = {"query_id": [f"q{q}" for q, _, _ in judged], "doc_id": [f"d{d}" for _, d, _ in judged]}
    qrels = pa.table({**names, "grade": pa.array([g for _, _, g in judged], pa.int32())})
    return build_dataset(corpus, queries, qrels, "made")


def written(folder: Path, given: RetrievalDataset) -> tuple[PreparedData, dict[Any, int]]:
    attempt = Workspace.at(str(folder)).begin("data", "0" * 20)
    counts = write_prepared(attempt, given)
    body = {"stage": "data", "fingerprint": "0" * 20, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}, "rows": 5}
    return PreparedData(attempt.publish(body)), counts


def test_without_any_split_what_is_judged_positive_is_evaluated() -> None:
    given = dataset([None, None, None], [(0, 1, 1), (1, 1, 0)])
    assert split_names(given).tolist() == ["eval", "rest", "rest"]


def test_with_a_split_the_others_are_left_out_even_judged() -> None:
    given = dataset(["train", None, "eval", None], [(1, 1, 1), (2, 2, 1)])
    assert split_names(given).tolist() == ["train", "rest", "eval", "rest"]


def test_tables_read_back_split_by_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_ROWS", 2)  # so that tables lie in several files
    given = dataset(["train", "eval", "train", None, "train"], [(0, 3, 1), (4, 0, 2), (4, 2, 0), (1, 1, 1)])
    data, counts = written(tmp_path, given)
    assert counts == {"train": 3, "eval": 1, "rest": 1}
    assert len(data.corpus().uris) == 3
    assert data.doc_ids().to_pylist() == ["d0", "d1", "d2", "d3", "d4"]  # in the order of their ids
    assert data.corpus().table(["text"]).column("text").to_pylist() == [f"text {n}" for n in range(5)]
    assert data.query_ids("train").to_pylist() == ["q0", "q2", "q4"]
    queries, docs, grades = data.judgements("train")
    assert list(zip(queries.tolist(), docs.tolist(), grades.tolist(), strict=True)) == [(0, 3, 1), (2, 0, 2), (2, 2, 0)]  # rows within the split
    assert [part.tolist() for part in data.judgements("eval")] == [[0], [1], [1]]
    assert [part.tolist() for part in data.judgements("rest")] == [[], [], []]


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    data, counts = written(tmp_path, dataset(["train", "eval"], [(0, 1, 1)]))
    assert counts["rest"] == 0
    with pytest.raises(DataError, match="no queries in split 'rest'; there are train, eval"):
        data.queries("rest")
