from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ray_pipeline.data.dataset import build_dataset
from ray_pipeline.data.trec import read_trec, write_trec
from ray_pipeline.errors import DataError


def folder(path: Path, **files: str) -> str:
    content = {"corpus.tsv": "d2\ttwo\nd1\tone\n", "queries.tsv": 'q1\ta "quote\nq2\tb\n', "qrels.txt": "q1 0 d1 1\nq2\t0\td2\t-1\n"}
    for name, text in (content | {name.replace("_", "."): text for name, text in files.items()}).items():
        if text:
            (path / name).write_text(text)
    return str(path)


def test_tsv_collection(tmp_path: Path) -> None:
    dataset = read_trec(folder(tmp_path))
    assert dataset.corpus.to_pylist() == [{"doc_id": "d1", "text": "one", "title": None}, {"doc_id": "d2", "text": "two", "title": None}]
    assert dataset.queries.column("text").to_pylist() == ['a "quote', "b"]
    assert [part.tolist() for part in dataset.qrels_rows()] == [[0, 1], [0, 1], [1, -1]]


@pytest.mark.parametrize("qrels", ["q1 d1 1\nq2 d2 -1\n", "qid docid rel\nq1  d1\t1\nq2 d2 -1\n", "query Q0 doc relevance\nq1 0 d1 1\nq2 0 d2 -1\n"])
def test_three_columns_and_headers(tmp_path: Path, qrels: str) -> None:
    assert [part.tolist() for part in read_trec(folder(tmp_path, qrels_txt=qrels)).qrels_rows()] == [[0, 1], [0, 1], [1, -1]]


def test_titles_and_json_lines(tmp_path: Path) -> None:
    path = folder(
        tmp_path, corpus_tsv="d1\tT\tone\nd2\t\ttwo\n", queries_tsv="", queries_jsonl='{"_id": "q1", "text": "x"}\n{"_id": "q2", "text": "y"}\n'
    )
    dataset = read_trec(path)
    assert dataset.corpus.column("title").to_pylist() == ["T", None] and dataset.queries.column("text").to_pylist() == ["x", "y"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus_tsv": "d1\tone\nd2\ttwo\tthree\n"}, "corpus.tsv:2: the line has 3 columns, not 2"),
        ({"corpus_tsv": "d1\n"}, "corpus.tsv:1: the line has 1 columns, not id, text or id, title, text"),
        ({"queries_tsv": "q1\tx\n\nq1\ty\n"}, "queries.tsv:3: query_id 'q1' was used before, at "),
        ({"qrels_txt": "q1 d1\n"}, "qrels.txt:1: the line has 2 columns, not 3 (query id, document id, grade) or 4 ("),
        ({"qrels_txt": "q1 0 d1 1\nq1 d1 1\n"}, "qrels.txt:2: the line has 3 columns, the first one has 4"),
        ({"qrels_txt": "q1 0 d1 1_0\n"}, "qrels.txt:1: the grade '1_0' is not a whole number"),
        ({"qrels_txt": "q1 0 d1 1\nq1 0 d3 1\n"}, "qrels.txt:2: judgement of the document 'd3'"),
        ({"qrels_tsv": "q1 0 d1 1\n"}, "more than one judgements: qrels.tsv, qrels.txt"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_trec(folder(tmp_path, **files))
    assert said in str(caught.value)


def test_writer_refuses_white_space_in_ids(tmp_path: Path) -> None:
    queries = pa.table({"query_id": ["q 1"], "text": ["x"]})
    qrels = pa.table({"query_id": ["q 1"], "doc_id": ["a"], "grade": pa.array([1], pa.int32())})
    with pytest.raises(DataError, match=r"id 'q 1' is empty, holds white space"):
        write_trec(build_dataset(pa.table({"doc_id": ["a"], "text": ["x"]}), queries, qrels, "here"), str(tmp_path))
