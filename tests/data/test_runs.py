from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.runs import read_run, write_run
from ray_pipeline.errors import DataError
from ray_pipeline.ranking import Ranking

QUERIES = pa.chunked_array([["q2", "q1"], ["q3"]])
DOCS = pa.chunked_array([[f"d{i}" for i in range(10)]])


def run_file(path: Path, content: str) -> str:
    (path / "run.txt").write_text(content)
    return str(path / "run.txt")


def test_order_is_score_then_document_descending(tmp_path: Path) -> None:
    path = run_file(tmp_path, "q1 Q0 d1 1 0.5 t\nq2 Q0 d3 7 1e0 t\nq1\tQ0\td4\t9\t.5\tt\nq1 Q0 d2 3 +2. t\n")
    ranking = read_run(path, QUERIES, DOCS)
    assert ranking.queries.tolist() == [0, 1]
    assert ranking.docs.tolist() == [[3, -1, -1], [2, 4, 1]]
    assert ranking.scores.tolist() == [[1.0, -np.inf, -np.inf], [2.0, 0.5, 0.5]]


def test_scores_that_are_equal_in_32_bits_tie(tmp_path: Path) -> None:
    ranking = read_run(run_file(tmp_path, "q1 d1 0.10000000001\nq1 d2 0.1\n"), QUERIES, DOCS)
    assert ranking.docs.tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("q1 d1\n", "run.txt:1: the line has 2 columns, not query id, document id, score or query id, Q0"),
        ("q1 d1 1\nq1 Q0 d2 1 1 t\n", "run.txt:2: the line has 6 columns, not query id, document id, score"),
        ("q1 d1 1\n\nq1 d2 nan\n", "run.txt:3: the score 'nan' is not a finite 32-bit number"),
        ("q1 d1 inf\n", "run.txt:1: the score 'inf'"),
        ("q1 d1 1e39\n", "run.txt:1: the score '1e39'"),
        ("q1 d1 1_0\n", "run.txt:1: the score '1_0'"),
        ("q1 d1 x\n", "run.txt:1: the score 'x'"),
        ("q1 d1 2\nq1 d2 1\nq1 d1 1\n", "run.txt:3: query 'q1' retrieves document 'd1' a second time"),
        ("q1 d1 2\nq9 d2 1\n", "run.txt:2: the data set has no query 'q9' (1 of 2 lines"),
        ("q1 d1 2\nq1 d99 1\n", "run.txt:2: the data set has no document 'd99'"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_run(run_file(tmp_path, content), QUERIES, DOCS)
    assert said in str(caught.value) and str(caught.value).startswith(str(tmp_path))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 2),
        st.dictionaries(
            st.integers(0, 9),
            st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 0.5, float(np.finfo(np.float32).max)]),
            min_size=1,
        ),
    )
)
def test_round_trip_equals_a_slow_sort(retrieved: dict[int, dict[int, float]]) -> None:
    queries = sorted(retrieved)
    ranked = [sorted(retrieved[query].items(), key=lambda pair: (pair[1], pair[0]), reverse=True) for query in queries]
    width = max(map(len, ranked), default=0)
    docs, scores = np.full((len(queries), width), -1), np.full((len(queries), width), -np.inf, dtype=np.float32)
    for row, pairs in enumerate(ranked):
        docs[row, : len(pairs)] = [doc for doc, _ in pairs]
        scores[row, : len(pairs)] = [score for _, score in pairs]
    ranking = Ranking(np.array(queries, dtype=np.int64), docs, scores)
    with tempfile.TemporaryDirectory() as folder:
        write_run(ranking, QUERIES, DOCS, f"{folder}/run.gz", "tag")
        back = read_run(f"{folder}/run.gz", QUERIES, DOCS)
    np.testing.assert_array_equal(back.queries, ranking.queries)
    np.testing.assert_array_equal(back.docs, ranking.docs)
    np.testing.assert_array_equal(back.scores, ranking.scores)


def test_lines_are_trec_s(tmp_path: Path) -> None:
    ranking = Ranking(np.array([1]), np.array([[3, 2, -1]]), np.array([[0.1, -2.0, -np.inf]], dtype=np.float32))
    write_run(ranking, QUERIES, DOCS, str(tmp_path / "run"), "minilm")
    assert (tmp_path / "run").read_text() == "q1 Q0 d3 1 0.100000001 minilm\nq1 Q0 d2 2 -2 minilm\n"
    assert ranking.to_table().num_rows == 1


def test_writer_refuses_infinite_scores_and_bad_tags(tmp_path: Path) -> None:
    ranking = Ranking(np.array([1]), np.array([[3]]), np.array([[np.nan]], dtype=np.float32))
    with pytest.raises(DataError, match="query 'q1': a score is not finite"):
        write_run(ranking, QUERIES, DOCS, str(tmp_path / "run"), "t")
    with pytest.raises(DataError, match="id 'my run' is empty, holds white space"):
        write_run(ranking, QUERIES, DOCS, str(tmp_path / "run"), "my run")
    assert list(tmp_path.iterdir()) == []
