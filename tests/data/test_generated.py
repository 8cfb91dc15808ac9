from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.data.generated import generate_dataset
from ray_pipeline.data.misconceptions import GeneratorSpec
from ray_pipeline.data.partition import seen_queries
from ray_pipeline.data.prepared import split_names
from ray_pipeline.errors import DataError

SPEC = GeneratorSpec(rows=400, seed=3, unlabelled_share=0.25, unseen_labels=80, eval_share=0.2)


def test_rows_become_queries_labels_documents() -> None:
    data = generate_dataset(SPEC, "{subject}|{construct}|{question}|{correct}|{wrong}")
    assert data.queries.num_rows == 400 and data.corpus.num_rows >= 400
    judged = dict(zip(data.qrels.column("query_id").to_pylist(), data.qrels.column("doc_id").to_pylist(), strict=True))
    assert len(judged) == data.qrels.num_rows == 400 - data.report.queries_without_positives
    assert 0.15 < data.report.queries_without_positives / 400 < 0.35
    assert all(text.count("|") >= 4 for text in data.queries.column("text").to_pylist())
    assert set(data.qrels.column("grade").to_pylist()) == {1}


def test_splits_hold_unseen_labels_and_leave_the_unlabelled_out() -> None:
    data = generate_dataset(SPEC)
    sides = split_names(data)
    rows, seen = seen_queries(data)
    assert {"train", "eval", "rest"} == set(sides)
    assert (sides[rows] == "eval").all()
    assert 0 < seen.sum() < len(seen)
    labelled = np.isin(data.query_ids.to_pylist(), data.qrels.column("query_id").to_pylist())
    assert not labelled[sides == "rest"].any()


def test_the_same_seed_gives_the_same_tables() -> None:
    first, second, other = (generate_dataset(GeneratorSpec(rows=60, seed=seed)) for seed in (1, 1, 2))
    assert first.queries.equals(second.queries) and first.qrels.equals(second.qrels) and first.corpus.equals(second.corpus)
    assert not first.queries.equals(other.queries)


def test_a_template_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(DataError):
        generate_dataset(SPEC, "{question} {nonsense}")
