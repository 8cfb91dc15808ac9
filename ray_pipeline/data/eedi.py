"""The Eedi task, "Mining Misconceptions in Mathematics": `train.csv` and `misconception_mapping.csv` in one folder.

A question has four answers, A to D, one of them correct. One query is a (question, wrong answer), named
`<QuestionId>_<letter>`; its text comes from a template; its group is the question, so no split can put one question on both
sides; its one positive is the misconception that explains the wrong answer. Wrong answers without a label are kept: queries
with no judgement and no split. The documents are the names of all misconceptions, also of those that no question shows.

Trap: texts hold line ends inside quotes, so a row's line number is that of its first physical line, not its row number.
"""

from __future__ import annotations

import csv
import re
import string
from collections.abc import Iterator
from typing import Final

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.files import byte_lines_with_ends, decoded, first_present
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QRELS, QUERIES

EEDI_TEMPLATE: Final = "Subject: {subject}\nConstruct: {construct}\nQuestion: {question}\nCorrect answer: {correct}\nWrong answer: {wrong}"
LETTERS: Final = "ABCD"
PLACEHOLDERS: Final = ("subject", "construct", "question", "correct", "wrong")
# Some copies of the data went through a data frame, which wrote 1672 as 1672.0.
_MISCONCEPTION_ID = re.compile(r"([0-9]+)(\.0)?")
_QUESTION_COLUMNS: Final = (
    *("QuestionId", "ConstructName", "SubjectName", "CorrectAnswer", "QuestionText"),
    *(f"Answer{letter}Text" for letter in LETTERS),
    *(f"Misconception{letter}Id" for letter in LETTERS),
)


def read_eedi(path: str, *, query_template: str = EEDI_TEMPLATE) -> RetrievalDataset:
    """The data set in the folder `path`; `query_template` may use {subject}, {construct}, {question}, {correct} and {wrong}."""
    check_template(query_template)
    corpus, queries, qrels = TableBuilder(CORPUS), TableBuilder(QUERIES), TableBuilder(QRELS)
    for row in _csv_rows(first_present(path, ("misconception_mapping.csv",), "table of misconceptions"), ("MisconceptionId", "MisconceptionName")):
        corpus.add(row, _misconception_id(row, "MisconceptionId"), row.text("MisconceptionName"), None)
    for row in _csv_rows(first_present(path, ("train.csv",), "table of questions"), _QUESTION_COLUMNS):
        _add_question(row, query_template, queries, qrels)
    return build_dataset(corpus.finish(), queries.finish(), qrels.finish(), path)


def check_template(template: str) -> None:
    """Refuse a template with a placeholder that no question fills."""
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template) if name is not None]
    except ValueError as problem:
        raise DataError(f"query_template: {problem}; write {{{{ for a brace of its own") from problem
    for name, spec, conversion in fields:
        if name not in PLACEHOLDERS or spec or conversion:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise DataError(f"query_template: the placeholder {{{name}}} is unknown or formatted; there are {known}, written just so")


def _add_question(row: Row, template: str, queries: TableBuilder, qrels: TableBuilder) -> None:
    question, correct = row.identifier("QuestionId"), row.text("CorrectAnswer").strip()
    if correct not in tuple(LETTERS):
        raise row.error(f"CorrectAnswer is {correct!r}, not A, B, C or D")
    if row.text(f"Misconception{correct}Id").strip():
        raise row.error(f"the correct answer {correct} has a misconception", f"leave Misconception{correct}Id empty")
    for letter in LETTERS.replace(correct, ""):
        text = template.format(
            subject=row.text("SubjectName"),
            construct=row.text("ConstructName"),
            question=row.text("QuestionText"),
            correct=row.text(f"Answer{correct}Text"),
            wrong=row.text(f"Answer{letter}Text"),
        )
        query_id = f"{question}_{letter}"
        queries.add(row, query_id, text, question, None, None)
        if row.text(f"Misconception{letter}Id").strip():
            qrels.add(row, query_id, _misconception_id(row, f"Misconception{letter}Id"), 1)


def _misconception_id(row: Row, name: str) -> str:
    written = _MISCONCEPTION_ID.fullmatch(row.text(name).strip())
    if not written:
        raise row.error(f"{name} is {row.text(name)!r}, not a whole number")
    return written.group(1)


def _csv_rows(path: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a CSV file with a header that names at least `columns`."""
    lines = (decoded(line, path, number) for number, line in byte_lines_with_ends(path))
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    while True:
        first_line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as problem:
            raise DataError.at(path, first_line, f"the row that starts here is not CSV: {problem}") from problem
        if not header:
            header = cells
            missing = [name for name in columns if name not in header]
            if missing:
                raise DataError.at(path, first_line, f"no column {', '.join(missing)}; the columns are {', '.join(header)}")
        elif cells:
            if len(cells) != len(header):
                raise DataError.at(path, first_line, f"the row has {len(cells)} columns, the header has {len(header)}")
            yield Row(path, first_line, dict(zip(header, cells, strict=True)))
    if not header:
        raise DataError(f"{path}: the file is empty; a header and rows were expected")
