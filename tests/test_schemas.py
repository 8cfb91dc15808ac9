from __future__ import annotations

import pyarrow as pa
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, GROUPS, QRELS, conform, vectors_schema


def test_columns_are_ordered_filled_and_cast() -> None:
    table = pa.table({"text": pa.array(["a"]).dictionary_encode(), "extra": [1], "doc_id": pa.array(["d"], pa.large_string())})
    assert conform(table, CORPUS, "x").equals(pa.table({"doc_id": ["d"], "text": ["a"], "title": pa.array([None], pa.string())}, schema=CORPUS))
    judged = conform(pa.table({"query_id": ["q"], "doc_id": ["d"], "grade": [1.0]}), QRELS, "x")
    assert judged.column("grade").to_pylist() == [1]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"doc_id": ["d"]}), "x: column 'text' is missing; the columns are doc_id"),
        (pa.table({}), "x: column 'doc_id' is missing; the columns are none"),
        (pa.table({"doc_id": ["d", None, None], "text": ["a", "b", "c"]}), "x: column 'doc_id' is null in row 1; 2 rows have no value there"),
        (pa.table({"doc_id": [["d"]], "text": ["a"]}), "x: column 'doc_id' is list<"),
        (pa.table([["d"], ["a"], ["b"]], names=["doc_id", "text", "text"]), "x: column 'text' is there 2 times; keep one"),
    ],
)
def test_what_does_not_fit_is_named(table: pa.Table, said: str) -> None:
    with pytest.raises(DataError) as caught:
        conform(table, CORPUS, "x")
    assert str(caught.value).startswith(said)


def test_a_grade_that_is_no_whole_number_is_not_cut() -> None:
    with pytest.raises(DataError, match="column 'grade' is double, not int32"):
        conform(pa.table({"query_id": ["q"], "doc_id": ["d"], "grade": [1.5]}), QRELS, "x")


def test_null_inside_a_list_is_seen() -> None:
    group = {"query": "q", "positives": [{"id": "a", "text": None}], "negatives": []}
    with pytest.raises(DataError, match="column 'positives'"):
        conform(pa.Table.from_pylist([group]), GROUPS, "x")


def test_vectors_have_one_width_and_precision() -> None:
    schema = vectors_schema(3, "float16")
    assert schema.field("vector").type == pa.list_(pa.float16(), 3)
    assert not schema.field("id").nullable and not schema.field("vector").nullable
