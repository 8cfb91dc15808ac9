from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ray_pipeline.data.beir import read_beir, write_beir
from ray_pipeline.data.dataset import build_dataset
from ray_pipeline.errors import DataError

COSQA = Path(__file__).parents[2] / "../shared/data/cosqa_dev"
HEADER = "query-id\tcorpus-id\tscore\n"


def folder(path: Path, *, corpus: str | None = None, queries: str | None = None, **qrels: str) -> str:
    (path / "qrels").mkdir()
    (path / "corpus.jsonl").write_text(corpus or '{"_id": "d2", "title": "", "text": "two"}\n{"_id": "d1", "title": "T", "text": "one"}\n')
    (path / "queries.jsonl").write_text(queries or '{"_id": "q1", "text": "?"}\n{"_id": "q2", "text": "!", "metadata": {"group_id": 7}}\n')
    for name, content in (qrels or {"test": HEADER + "q1\td1\t1\n"}).items():
        (path / "qrels" / f"{name}.tsv").write_text(content)
    return str(path)


@pytest.mark.parametrize("header", [HEADER, "", "Query\tDoc\tSCORE\n"])
def test_header_is_optional(tmp_path: Path, header: str) -> None:
    dataset = read_beir(folder(tmp_path, test=header + "q1\td1\t2\nq2\td2\t0\n"))
    assert dataset.qrels.to_pylist() == [{"query_id": "q1", "doc_id": "d1", "grade": 2}, {"query_id": "q2", "doc_id": "d2", "grade": 0}]
    assert dataset.corpus.to_pylist() == [{"doc_id": "d1", "text": "one", "title": "T"}, {"doc_id": "d2", "text": "two", "title": None}]
    assert dataset.queries.column("group_id").to_pylist() == [None, "7"]


def test_sides_come_from_the_files(tmp_path: Path) -> None:
    path = folder(tmp_path, train="q1\td1\t1\n", dev="q2\td2\t1\n")
    assert read_beir(path).queries.column("split").to_pylist() == ["train", "eval"]
    only = read_beir(path, qrels_split="dev")
    assert only.query_ids.to_pylist() == ["q2"] and only.qrels.num_rows == 1
    with pytest.raises(DataError, match=r"no judgements named 'test'; there are dev, train"):
        read_beir(path, qrels_split="test")


def test_a_query_on_both_sides_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, train="q2\td1\t1\n", test="q2\td2\t1\n")
    with pytest.raises(DataError, match=r"queries\.jsonl:2: query 'q2' is judged in test\.tsv and in train\.tsv, so it would be on both sides"):
        read_beir(path)
    assert read_beir(path, qrels_split="test").queries.column("split").to_pylist() == ["eval"]


def test_metadata_names_the_side_first(tmp_path: Path) -> None:
    queries = '{"_id": "q1", "text": "?", "metadata": {"split": "train", "url": "x"}}\n'
    path = folder(tmp_path, queries=queries, train="q1\td1\t1\n", test="q1\td2\t1\n")
    assert read_beir(path).queries.column("split").to_pylist() == ["train"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus": '{"_id": "d1", "text": "x"}\n{"_id": "d2"}\n'}, "corpus.jsonl:2: field 'text' is missing; the fields are _id"),
        ({"corpus": '{"_id": "d1", "text": "x"}\n\n{"_id": "d1", "text": "y"}\n'}, "corpus.jsonl:3: doc_id 'd1' was used before, at "),
        ({"corpus": "\n"}, ": the corpus holds no document"),
        ({"corpus": '{"_id": "d1", "text": null}\n'}, "corpus.jsonl:1: field 'text' is null"),
        ({"corpus": '{"_id": "d1", "text": "x", "title": 3}\n'}, "corpus.jsonl:1: field 'title' is the number 3, not text"),
        ({"queries": '{"_id": 1.5, "text": "x"}\n'}, "queries.jsonl:1: field '_id' is the number 1.5; an id is text or a whole number"),
        ({"queries": '{"_id": "q1", "text": "x"}\n{"_id": "q1", "text": "x"}\n'}, "queries.jsonl:2: query_id 'q1' was used before, at "),
        ({"test": HEADER + "q1\td1\n"}, "test.tsv:2: the line has 2 columns, the first one has 3"),
        ({"test": "q1 d1 1\n"}, "test.tsv:1: the line has 1 columns, not 3 (query id, document id, grade)"),
        ({"test": "q1\td1\tx\n"}, "test.tsv:1: the grade 'x' is not a whole number"),
        ({"test": "q1\td1\t1\nq1\td2\t0.5\n"}, "test.tsv:2: the grade '0.5' is not a whole number"),
        ({"test": "q1\td1\t99999999999\n"}, "test.tsv:1: the grade '99999999999' is not a whole number"),
        ({"test": "q1\t\t1\n"}, "test.tsv:1: an id is empty"),
        ({"test": HEADER + "q1\td1\t1\nq3\td1\t1\n"}, "test.tsv:3: judgement of the query 'q3', which does not exist"),
        ({"test": HEADER + "q1\td9\t1\n"}, "test.tsv:2: judgement of the document 'd9', which does not exist"),
        ({"test": HEADER + "q1\td1\t1\n\nq1\td1\t2\n"}, "test.tsv:4: query 'q1' and document 'd1' have grade 2 here and 1 at "),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_beir(folder(tmp_path, **files))
    message = str(caught.value)
    assert said in message and message.startswith(str(tmp_path)) and "\n" not in message


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no corpus here; one of corpus\.jsonl"):
        read_beir(str(tmp_path))
    path = folder(tmp_path)
    (tmp_path / "qrels" / "test.tsv").unlink()
    with pytest.raises(DataError, match=r"qrels: no judgements here"):
        read_beir(path)


def test_surrogates_are_counted_over_both_files(tmp_path: Path) -> None:
    path = folder(tmp_path, corpus=r'{"_id": "d1", "text": "\ud800"}' + "\n", queries=r'{"_id": "q1", "text": "\udfff\udfff"}' + "\n")
    assert read_beir(path).report.replaced_surrogates == 3


def test_spaces_in_ids_are_kept(tmp_path: Path) -> None:
    path = folder(tmp_path, corpus='{"_id": " d 1 ", "text": "x"}\n', test="q1\t d 1 \t 1 \n")
    assert read_beir(path).qrels.to_pylist() == [{"query_id": "q1", "doc_id": " d 1 ", "grade": 1}]


def test_writer_refuses_what_the_format_cannot_hold(tmp_path: Path) -> None:
    queries = pa.table({"query_id": ["q\t1"], "text": ["x"]})
    qrels = pa.table({"query_id": ["q\t1"], "doc_id": ["a"], "grade": pa.array([1], pa.int32())})
    dataset = build_dataset(pa.table({"doc_id": ["a"], "text": ["x"]}), queries, qrels, "here")
    with pytest.raises(DataError, match=r"query_id 'q\\t1' holds a tab"):
        write_beir(dataset, str(tmp_path))
    assert list((tmp_path / "qrels").iterdir()) == []


def test_writer_refuses_a_folder_with_other_judgements(tmp_path: Path) -> None:
    path = folder(tmp_path, dev=HEADER + "q1\td1\t1\n")
    with pytest.raises(DataError, match=r"holds other judgements \(dev\.tsv\)"):
        write_beir(read_beir(path), path)


def test_cosqa() -> None:
    if not COSQA.is_dir():
        pytest.skip("shared/data/cosqa_dev is not here")
    report = read_beir(str(COSQA)).report
    assert (report.documents, report.queries, report.judgements, report.queries_without_positives) == (6267, 500, 500, 0)
