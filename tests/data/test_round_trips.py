"""What a writer writes, its reader reads back exactly: data sets and training rows of every kind that hypothesis can think of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.beir import read_beir, write_beir
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.flag_embedding import read_flag_groups, write_flag_embedding
from ray_pipeline.data.groups import content_id
from ray_pipeline.data.parquet import read_parquet, write_parquet
from ray_pipeline.data.statements import read_statement_table, write_statements
from ray_pipeline.data.trec import read_trec, write_trec
from ray_pipeline.data.tuples import read_tuple_groups, write_n_tuples, write_triplets
from ray_pipeline.schemas import CORPUS, GROUPS, QRELS, QUERIES, STATEMENTS

FEW = settings(max_examples=40, deadline=None)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " ", "a\u2028b", '"', "\\", "\r\n", "\x85", "\ufeffx", "𝄞"]
)
PLAIN_IDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff"), min_size=1, max_size=6)
# What white space means to Unicode but not to TREC's tools must survive too.
IDS = PLAIN_IDS | st.sampled_from(["a\u00a0b", "\u3000", "x\ufeff", "1", "01", "\uffff", "𝄞"])
FIELDS = st.none() | st.dictionaries(PLAIN_IDS.filter(lambda name: name not in ("and", "or", "not")), TEXTS | st.integers(-5, 5), min_size=1).map(
    lambda fields: json.dumps(fields, ensure_ascii=False, sort_keys=True)
)


@st.composite
def datasets(draw: st.DrawFn) -> RetrievalDataset:
    doc_ids = draw(st.lists(IDS, min_size=1, max_size=8, unique=True))
    query_ids = draw(st.lists(IDS, max_size=6, unique=True))
    corpus = [{"doc_id": name, "text": draw(TEXTS), "title": draw(st.none() | TEXTS), "fields": draw(FIELDS)} for name in doc_ids]
    queries = [
        {
            "query_id": name,
            "text": draw(TEXTS),
            "group_id": draw(st.none() | IDS),
            "reasoning": draw(st.none() | TEXTS),
            "split": draw(st.sampled_from([None, "train", "eval"])),
        }
        for name in query_ids
    ]
    pairs = draw(st.lists(st.tuples(st.sampled_from(query_ids), st.sampled_from(doc_ids)), max_size=12, unique=True)) if query_ids else []
    qrels = [{"query_id": query, "doc_id": doc, "grade": draw(st.integers(-2, 3))} for query, doc in pairs]
    tables = (
        pa.Table.from_pylist(rows, schema)
        for rows, schema in ((corpus, CORPUS.append(pa.field("fields", pa.string()))), (queries, QUERIES), (qrels, QRELS))
    )
    return build_dataset(*tables, "drawn")


def judgements(dataset: RetrievalDataset) -> set[tuple[str, str, int]]:
    return {(row["query_id"], row["doc_id"], row["grade"]) for row in dataset.qrels.to_pylist()}


@pytest.mark.parametrize(("write", "read"), [(write_beir, read_beir), (write_trec, read_trec), (write_parquet, read_parquet)])
@FEW
@given(dataset=datasets())
def test_data_sets(dataset: RetrievalDataset, write: Callable[..., None], read: Callable[..., RetrievalDataset]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(dataset, folder)
        back = read(folder)
    assert back.corpus.equals(dataset.corpus)
    assert back.queries.equals(dataset.queries)
    # BEIR keeps a file a split, so the order of judgements may change; nothing depends on it.
    assert judgements(back) == judgements(dataset)
    assert back.qrels.num_rows == dataset.qrels.num_rows
    assert back.report == dataset.report


def scored(draw: st.DrawFn, with_scores: bool) -> list[dict[str, Any]]:
    score = st.floats(width=32, allow_nan=False, allow_infinity=False) if with_scores else st.none()
    return [{"id": draw(IDS), "text": draw(TEXTS), "score": None, "teacher_score": draw(score)} for _ in range(draw(st.integers(0, 4)))]


@st.composite
def training_rows(draw: st.DrawFn) -> pa.Table:
    rows = [
        {
            "query_id": draw(st.none() | IDS),
            "query": draw(TEXTS),
            "positives": scored(draw, draw(st.booleans())),
            "negatives": scored(draw, draw(st.booleans())),
            "prompt": draw(st.none() | TEXTS),
        }
        for _ in range(draw(st.integers(0, 5)))
    ]
    return pa.Table.from_pylist(rows, GROUPS)


@FEW
@given(groups=training_rows())
def test_flag_embedding_rows(groups: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_flag_embedding(groups, f"{folder}/rows.jsonl")
        back = read_flag_groups(f"{folder}/rows.jsonl")
        write_flag_embedding(iter(groups.to_batches(max_chunksize=1)), f"{folder}/again.jsonl")
        assert read_flag_groups(f"{folder}/again.jsonl").equals(back)
    assert back.to_pylist() == groups.to_pylist()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet", "rows.jsonl.gz"])
@FEW
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, st.lists(TEXTS, min_size=2, max_size=2)), min_size=1, max_size=5))
def test_tuples(name: str, rows: list[tuple[str, str, list[str]]]) -> None:
    def item(text: str) -> dict[str, Any]:
        return {"id": content_id("t", text), "text": text, "score": None, "teacher_score": None}

    groups = pa.Table.from_pylist(
        [{"query": query, "positives": [item(positive)], "negatives": [item(text) for text in texts]} for query, positive, texts in rows], GROUPS
    )
    with tempfile.TemporaryDirectory() as folder:
        assert write_n_tuples(groups, f"{folder}/n-{name}", 2).rows == len(rows)
        assert read_tuple_groups(f"{folder}/n-{name}").to_pylist() == groups.to_pylist()
        assert write_triplets(groups, f"{folder}/{name}", 2).rows == 2 * len(rows)
        triplets = read_tuple_groups(f"{folder}/{name}").to_pylist()
    expected = [(query, positive, text) for query, positive, texts in rows for text in texts]
    assert [(row["query"], row["positives"][0]["text"], row["negatives"][0]["text"]) for row in triplets] == expected


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
@FEW
@given(rows=st.lists(st.tuples(IDS, IDS, st.none() | TEXTS, TEXTS), max_size=6))
def test_statements(name: str, rows: list[tuple[str, str, str | None, str]]) -> None:
    table = pa.Table.from_pylist([dict(zip(STATEMENTS.names, row, strict=True)) for row in rows], STATEMENTS)
    with tempfile.TemporaryDirectory() as folder:
        write_statements(table, f"{folder}/{name}")
        assert read_statement_table(f"{folder}/{name}").to_pylist() == table.to_pylist()


def test_many_rows_cross_batches(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    count = 20_000
    corpus = pa.table({"doc_id": [f"d{i}" for i in rng.permutation(count)], "text": [f"text {i}" for i in range(count)]})
    queries = pa.table({"query_id": [f"q{i}" for i in range(count)], "text": ["?"] * count, "split": ["train"] * count})
    qrels = pa.table({"query_id": [f"q{i}" for i in range(count)], "doc_id": [f"d{i}" for i in range(count)], "grade": [1] * count})
    dataset = build_dataset(corpus, queries, qrels, "made")
    for write, read in ((write_beir, read_beir), (write_trec, read_trec), (write_parquet, read_parquet)):
        write(dataset, str(tmp_path / write.__name__))
        back = read(str(tmp_path / write.__name__))
        assert back.corpus.equals(dataset.corpus) and back.queries.equals(dataset.queries) and back.qrels.equals(dataset.qrels)
