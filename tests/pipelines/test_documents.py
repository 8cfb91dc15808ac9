"""The stage that keeps documents for serving: one answer whatever the parts, by row, by id, by words and under filters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.config import parse
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import ArtifactError
from ray_pipeline.pipelines.documents import build_documents
from ray_pipeline.pipelines.prepare import FileData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.documents.build import document_parts
from ray_pipeline.retrieval.documents.opened import Documents
from ray_pipeline.retrieval.lexical.bm25 import BM25Index

LINES = [
    {"_id": "b", "text": "adds the tops", "title": "Fractions", "metadata": {"subject": "fractions", "year": 2001}},
    {"_id": "a", "text": "Grüße, ½ of it", "metadata": {"subject": "ratio", "authors": ["left out"]}},
    {"_id": "d", "text": "", "title": None},
    {"_id": "c", "text": "adds the bottoms, adds them twice", "metadata": {"year": 2005}},
    {"_id": "e", "text": "rounds 2.5 down"},
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path / "outputs")), ClusterSettings(in_process="always"))


@pytest.fixture
def data(tmp_path: Path, run: Run) -> PreparedData:
    (tmp_path / "beir/qrels").mkdir(parents=True)
    (tmp_path / "beir/corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    (tmp_path / "beir/queries.jsonl").write_text('{"_id": "q", "text": "tops"}\n', encoding="utf-8")
    (tmp_path / "beir/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tb\t1\n", encoding="utf-8")
    return prepare(run, parse(FileData, {"kind": "files", "format": "beir", "path": str(tmp_path / "beir")}))


def opened(run: Run, data: PreparedData, part_rows: int) -> tuple[Artifact, Documents]:
    built = build_documents(run, data, part_rows)
    return built, Documents.of(built)


@pytest.mark.parametrize("part_rows", [2, 100])
def test_documents_come_back_as_they_were_given(run: Run, data: PreparedData, part_rows: int) -> None:
    built, documents = opened(run, data, part_rows)
    assert not damaged(built)
    assert len(documents) == 5
    assert documents.document(0) == {"doc_id": "a", "text": "Grüße, ½ of it", "title": None, "fields": {"subject": "ratio"}}
    assert documents.document(1)["fields"] == {"subject": "fractions", "year": 2001}
    assert documents.document(4)["doc_id"] == "e"
    assert documents.rows_of(["e", "nowhere", "a", "c", ""]) == [4, -1, 0, 2, -1]


@pytest.mark.parametrize("part_rows", [2, 100])
def test_words_are_searched_as_one_corpus(run: Run, data: PreparedData, part_rows: int) -> None:
    _, documents = opened(run, data, part_rows)
    texts = [f"{document['title']} {document['text']}" if document["title"] else document["text"] for document in map(documents.document, range(5))]
    queries = ["adds tops", "½", "fractions", "unknown"]
    found, oracle = documents.search(queries, 5), BM25Index.build(texts).search(queries, 5)
    assert np.array_equal(found.docs, oracle.docs)
    assert found.scores.tobytes() == oracle.scores.tobytes()
    kept = documents.search(["adds"], 5, documents.matching({"year": {"gt": 2001}}))
    assert kept.docs.tolist() == [[2]]


@pytest.mark.parametrize("part_rows", [2, 100])
def test_filters(run: Run, data: PreparedData, part_rows: int) -> None:
    _, documents = opened(run, data, part_rows)
    assert documents.fields == ["subject", "year"]
    assert np.flatnonzero(documents.matching({"subject": ["fractions", "ratio"]})).tolist() == [0, 1]
    assert np.flatnonzero(documents.matching({"not": {"year": {"exists": True}}})).tolist() == [0, 3, 4]
    assert not documents.matching({"author": "x"}).any()


def test_built_once_and_again_where_the_documents_differ(run: Run, data: PreparedData) -> None:
    first, again = (build_documents(run, data, 100) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert [done.status for done in run.done if done.stage == "documents"] == ["computed"]
    assert first.fingerprint != build_documents(run, data, 2).fingerprint


def test_a_file_cut_short_is_refused(run: Run, data: PreparedData) -> None:
    built, _ = opened(run, data, 100)
    path = Path(built.file("documents/000000.arrow").uri)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArtifactError, match="not of the"):
        Documents.of(built)
    path.write_bytes(bytes(built.files("documents/")[0].size))
    with pytest.raises(ArtifactError, match="not an Arrow file, or damaged"):
        Documents.of(built)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(0, 900_000), index_part_rows=st.integers(1000, 1_200_000))
def test_parts_cover_the_corpus_and_end_where_those_of_the_index_do(rows: int, index_part_rows: int) -> None:
    parts = document_parts(rows, index_part_rows)
    ends = [part["stop"] for part in parts]
    assert [part["start"] for part in parts] == [0, *ends][: len(parts)]
    assert ends[-1:] == ([rows] if rows else [])
    assert {*range(index_part_rows, rows, index_part_rows)} <= {*ends}
    assert all(0 < part["stop"] - part["start"] <= 1 << 18 for part in parts)
