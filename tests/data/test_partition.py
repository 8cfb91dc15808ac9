from __future__ import annotations

import pyarrow as pa
import pytest

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.partition import fold_dataset, seen_queries, split_dataset, split_report, tuning_dataset
from ray_pipeline.errors import DataError


def made(count: int = 60, labels: int = 7) -> RetrievalDataset:
    """Queries in groups of three, the third of each without a label; the last three have no group."""
    queries = pa.table(
        {
            "query_id": [f"q{i}" for i in range(count)],
            "text": ["?"] * count,
            "group_id": pa.array([f"g{i // 3}" if i < count - 3 else None for i in range(count)]),
        }
    )
    judged = [i for i in range(count) if i % 3 != 2]
    qrels = pa.table(
        {"query_id": [f"q{i}" for i in judged], "doc_id": [f"d{i % labels}" for i in judged], "grade": pa.array([1] * len(judged), pa.int32())}
    )
    corpus = pa.table({"doc_id": [f"d{i}" for i in range(labels)], "text": ["x"] * labels})
    return build_dataset(corpus, queries, qrels, "made")


def sides(dataset: RetrievalDataset) -> list[str | None]:
    split: list[str | None] = dataset.queries.column("split").to_pylist()
    return split


def test_only_labelled_queries_are_divided_and_groups_stay_whole() -> None:
    for stratified in (False, True):
        split = sides(split_dataset(made(), 0.25, 1, stratified=stratified))
        assert all(side is None for side in split[2::3]) and None not in split[0::3] + split[1::3]
        assert all(split[i] == split[i + 1] for i in range(0, 57, 3))
        assert 8 <= split.count("eval") <= 12


def test_folds_cover_every_query_once() -> None:
    dataset = made()
    evaluated = [0] * 60
    for fold in range(4):
        for row, side in enumerate(sides(fold_dataset(dataset, 4, fold, seed=0, stratified=True))):
            evaluated[row] += side == "eval"
    assert evaluated == [0 if i % 3 == 2 else 1 for i in range(60)]
    with pytest.raises(DataError, match="fold 4 of 4: folds count from 0 to 3"):
        fold_dataset(dataset, 4, 4, seed=0)


def test_folds_for_tuning_never_hold_what_is_evaluated_in_the_end() -> None:
    whole = split_dataset(made(), 0.25, 1)
    held_out = {row["group_id"] or row["query_id"] for row in whole.queries.to_pylist() if row["split"] == "eval"}
    trained = {row["query_id"] for row in whole.queries.to_pylist() if row["split"] == "train"}
    evaluated: list[str] = []
    for fold in range(3):
        inner = tuning_dataset(whole, 3, fold, seed=0)
        rows = inner.queries.to_pylist()
        assert not held_out & {row["group_id"] or row["query_id"] for row in rows}  # nor their unlabelled answers
        assert {row["query_id"] for row in rows if row["split"]} == trained
        assert set(inner.qrels.column("query_id").to_pylist()) == trained
        evaluated += [row["query_id"] for row in rows if row["split"] == "eval"]
        groups = [{row["group_id"] or row["query_id"] for row in rows if row["split"] == side} for side in ("train", "eval")]
        assert not groups[0] & groups[1]
    assert sorted(evaluated) == sorted(trained)


def test_folds_for_tuning_want_something_to_keep_apart() -> None:
    with pytest.raises(DataError, match="data.tuning: nothing is evaluated"):
        tuning_dataset(made(), 3, 0, seed=0)
    with pytest.raises(DataError, match="fold 3 of 3: folds count from 0 to 2"):
        tuning_dataset(split_dataset(made(), 0.25, 1), 3, 3, seed=0)


def test_seen_and_unseen_by_hand() -> None:
    queries = pa.table(
        {
            "query_id": ["t1", "t2", "e1", "e2", "e3", "u1", "u2", "e4"],
            "text": ["?"] * 8,
            "group_id": ["1", "2", "3", "4", "5", "3", "1", "6"],
            "split": ["train", "train", "eval", "eval", "eval", None, None, "eval"],
        }
    )
    rows = [("t1", "a", 1), ("t2", "b", 1), ("t2", "c", 0), ("e1", "a", 2), ("e2", "c", 1), ("e3", "c", 1), ("e3", "b", 1), ("e1", "d", 0)]
    qrels = pa.Table.from_pylist([dict(zip(("query_id", "doc_id", "grade"), row, strict=True)) for row in rows])
    dataset = build_dataset(pa.table({"doc_id": list("abcd"), "text": ["x"] * 4}), queries, qrels, "hand")
    found, seen = seen_queries(dataset)
    # Grade 0 makes no label: "c" is not a training label, "d" no evaluation label. e4 has no positive.
    assert found.tolist() == [2, 3, 4] and seen.tolist() == [True, False, True]
    assert split_report(dataset).to_json() == {
        "train_queries": 2,
        "eval_queries": 4,
        "unsplit_queries": 2,
        "unsplit_queries_of_eval_groups": 1,
        "train_labels": 2,
        "eval_labels": 3,
        "seen_eval_labels": 2,
        "unseen_eval_labels": 1,
        "seen_eval_queries": 2,
        "unseen_eval_queries": 1,
    }


def test_report_of_an_undivided_data_set() -> None:
    report = split_report(made())
    assert report.unsplit_queries == 60 and report.train_queries == report.eval_queries == report.unsplit_queries_of_eval_groups == 0
