"""SQuAD's JSON: the reader that docs/data.md takes as its example of one file and one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ray_pipeline.data.registry import read_dataset
from ray_pipeline.errors import DataError

ARTICLE = {
    "title": "Fractions",
    "paragraphs": [
        {"context": "A fraction has two parts.", "qas": [{"id": "q1", "question": "How many parts?"}]},
        {"context": "The lower one is the denominator.", "qas": [{"id": "q2", "question": "Which is lower?"}, {"id": "q3", "question": "Its name?"}]},
    ],
}


def test_paragraphs_are_documents_and_questions_are_queries(tmp_path: Path) -> None:
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"version": "2.0", "data": [ARTICLE, {"title": "x", "paragraphs": []}]}))
    data = read_dataset("squad", str(file), {})
    assert data.corpus.to_pylist() == [
        {"doc_id": "000000-0000", "text": "A fraction has two parts.", "title": "Fractions"},
        {"doc_id": "000000-0001", "text": "The lower one is the denominator.", "title": "Fractions"},
    ]
    assert data.queries.column("group_id").to_pylist() == ["000000"] * 3
    assert [array.tolist() for array in data.qrels_rows()] == [[0, 1, 2], [0, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a SQuAD file"),
        ('{"rows": []}', "'data'"),
        ('{"data": [{"title": "x"}]}', "article 0 .* 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "q"}]}]}]}', "article 0 .* 'question'"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(DataError, match=rf"bad\.json.*{message}"):
        read_dataset("squad", str(file), {})
