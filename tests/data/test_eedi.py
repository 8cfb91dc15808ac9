from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.eedi import EEDI_TEMPLATE, read_eedi
from ray_pipeline.data.partition import seen_queries, split_dataset, split_report
from ray_pipeline.errors import DataError

EEDI = Path(__file__).parents[2] / "../shared/data/eedi"
HEADER = (
    "QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText,AnswerAText,AnswerBText,AnswerCText,AnswerDText,"
    "MisconceptionAId,MisconceptionBId,MisconceptionCId,MisconceptionDId\n"
)
MAPPING = 'MisconceptionId,MisconceptionName\n7,seven\n10,"ten, really"\n'
FIRST = '0,1,Use brackets,2,BIDMAS,B,"Where do\nthe brackets\n\ngo?",a,b,c,{d},10,,7.0,\n'


def folder(path: Path, rows: str, mapping: str = MAPPING, header: str = HEADER) -> str:
    (path / "train.csv").write_text(header + rows)
    (path / "misconception_mapping.csv").write_text(mapping)
    return str(path)


def test_a_query_is_a_wrong_answer(tmp_path: Path) -> None:
    dataset = read_eedi(folder(tmp_path, FIRST))
    assert dataset.query_ids.to_pylist() == ["0_A", "0_C", "0_D"]
    assert dataset.queries.column("text")[2].as_py() == (
        "Subject: BIDMAS\nConstruct: Use brackets\nQuestion: Where do\nthe brackets\n\ngo?\nCorrect answer: b\nWrong answer: {d}"
    )
    assert dataset.queries.column("group_id").to_pylist() == ["0"] * 3 and dataset.queries.column("split").null_count == 3
    assert dataset.qrels.to_pylist() == [{"query_id": "0_A", "doc_id": "10", "grade": 1}, {"query_id": "0_C", "doc_id": "7", "grade": 1}]
    assert dataset.corpus.column("text").to_pylist() == ["ten, really", "seven"]


def test_template(tmp_path: Path) -> None:
    path = folder(tmp_path, FIRST)
    assert read_eedi(path, query_template="{{{wrong}}} for {correct}").queries.column("text")[0].as_py() == "{a} for b"
    for template, said in [
        ("{answer}", "the placeholder {answer} is unknown"),
        ("{}", "the placeholder {} is unknown"),
        ("{wrong.__class__}", "the placeholder {wrong.__class__} is unknown"),
        ("{wrong!r}", "the placeholder {wrong} is unknown or formatted"),
        ("{wrong:>9}", "the placeholder {wrong} is unknown or formatted"),
        ("{wrong", "query_template: expected '}'"),
    ]:
        with pytest.raises(DataError) as caught:
            read_eedi(path, query_template=template)
        assert said in str(caught.value) and "query_template" in str(caught.value)


SECOND = "1,1,c,2,s,A,q,a,b,c,d,,7,,\n"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (FIRST + "1,1,c,2,s,A,q,a,b,c,d,,7,\n", "train.csv:6: the row has 14 columns, the header has 15"),
        (FIRST + "\n" + SECOND.replace("A,q", "E,q"), "train.csv:7: CorrectAnswer is 'E', not A, B, C or D"),
        (FIRST + SECOND.replace("A,q", ",q"), "train.csv:6: CorrectAnswer is '', not A, B, C or D"),
        (FIRST + SECOND.replace(",,7,,", ",,seven,,"), "train.csv:6: MisconceptionBId is 'seven', not a whole number"),
        (FIRST + SECOND.replace(",,7,,", ",,7.5,,"), "train.csv:6: MisconceptionBId is '7.5', not a whole number"),
        (FIRST + SECOND.replace(",,7,,", ",7,,,"), "train.csv:6: the correct answer A has a misconception"),
        (FIRST + SECOND.replace(",,7,,", ",,8,,"), "train.csv:6: judgement of the document '8', which does not exist"),
        (FIRST + SECOND.replace("1,1", ",1"), "train.csv:6: field 'QuestionId' is empty"),
        (SECOND + SECOND, "train.csv:3: query_id '1_B' was used before, at "),
        (FIRST + SECOND.replace(",q,", ',"q,'), "train.csv:6: the row that starts here is not CSV"),
    ],
)
def test_bad_rows_are_named_by_their_first_line(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_eedi(folder(tmp_path, rows))
    assert str(caught.value).startswith(f"{tmp_path}/{said}") and "\n" not in str(caught.value)


def test_bad_mapping_and_headers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"misconception_mapping\.csv:3: MisconceptionId is 'x'"):
        read_eedi(folder(tmp_path, FIRST, MAPPING.replace("10,", "x,")))
    with pytest.raises(DataError, match=r"misconception_mapping\.csv:4: doc_id '7' was used before"):
        read_eedi(folder(tmp_path, FIRST, MAPPING + "7,again\n"))
    with pytest.raises(DataError, match=r"train\.csv:1: no column QuestionText; the columns are QuestionId"):
        read_eedi(folder(tmp_path, FIRST, header=HEADER.replace("QuestionText", "Question")))
    with pytest.raises(DataError, match=r"train\.csv: the file is empty"):
        read_eedi(folder(tmp_path, "", header=""))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=8)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(TEXTS, min_size=7, max_size=7), st.sampled_from("ABCD"), st.lists(st.sampled_from(["", "7", "10.0"]), min_size=4, max_size=4)
        ),
        max_size=5,
    )
)
def test_any_text_arrives(rows: list[tuple[list[str], str, list[str]]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    expected_texts, expected_labels = [], []
    for number, ((subject, construct, question, *answers), correct, labels) in enumerate(rows):
        kept = ["" if letter == correct else label for letter, label in zip("ABCD", labels, strict=True)]
        writer.writerow([number, 0, construct, 0, subject, correct, question, *answers, *kept])
        for letter, answer, label in zip("ABCD", answers, kept, strict=True):
            if letter != correct:
                right = answers["ABCD".index(correct)]
                expected_texts.append(EEDI_TEMPLATE.format(subject=subject, construct=construct, question=question, correct=right, wrong=answer))
            if label:
                expected_labels.append((f"{number}_{letter}", label.removesuffix(".0")))
    with tempfile.TemporaryDirectory() as path:
        dataset = read_eedi(folder(Path(path), stream.getvalue()))
    assert dataset.queries.column("text").to_pylist() == expected_texts
    assert [(row["query_id"], row["doc_id"]) for row in dataset.qrels.to_pylist()] == expected_labels


def test_the_real_data() -> None:
    if not EEDI.is_dir():
        pytest.skip("shared/data/eedi is not here")
    dataset = read_eedi(str(EEDI))
    report = dataset.report
    assert (report.documents, report.judgements, report.queries) == (2_587, 4_370, 3 * 1_869)
    assert report.queries_without_positives == 3 * 1_869 - 4_370
    assert len(set(dataset.queries.column("group_id").to_pylist())) == 1_869
    split = split_dataset(dataset, 1 / 7, 42)
    numbers = split_report(split)
    assert 619 <= numbers.eval_queries <= 630 and numbers.train_queries + numbers.eval_queries == 4_370
    assert numbers.seen_eval_queries + numbers.unseen_eval_queries == numbers.eval_queries
    assert 0.6 < np.mean(seen_queries(split)[1]) < 0.9
