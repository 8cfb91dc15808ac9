"""Questions with identifiers, and orders out of whatever was answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.text.listwise_prompts import lettered_question, numbered_question, order_of


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ("[2] > [1] > [3]", [1, 0, 2]),
        ("[3]", [2, 0, 1]),  # what was left out comes behind, as it was
        ("[2] > [2] > [1]", [1, 0, 2]),  # a repeated one counts once
        ("[9] > [0] > [3] > [-1]", [2, 0, 1]),  # unknown ones do not count
        ("The best is 2, then 3.", [1, 2, 0]),
        ("I cannot say.", [0, 1, 2]),
        ("", [0, 1, 2]),
    ],
)
def test_by_hand(answer: str, order: list[int]) -> None:
    assert order_of(answer, 3) == order


@given(answer=st.text(alphabet="[]> 0123456789x", max_size=60), count=st.integers(0, 30))
def test_every_document_comes_out_once(answer: str, count: int) -> None:
    assert sorted(order_of(answer, count)) == list(range(count))


def test_the_questions_name_every_document() -> None:
    assert "[1] a\n[2] b\n[3] c" in numbered_question("q?", ["a", "b", "c"])
    assert numbered_question("q?", ["a", "b", "c"]).endswith("[2] > [1] > [3]")
    assert "A. a\nB. b" in lettered_question("q?", ["a", "b"])
    with pytest.raises(ValueError, match="27 documents, and there are 26 letters"):
        lettered_question("q?", ["d"] * 27)
