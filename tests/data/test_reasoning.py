"""Queries joined with chains of thought."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ray_pipeline.data.reasoning import check_reasoning_template, join_reasoning
from ray_pipeline.errors import DataError, SettingsError

IDS = pa.array(["a", "b", "c"], pa.large_string())
QUERIES = pa.array(["1 + 1?", "2 - {x}?", "3"], pa.large_string())


def thoughts(*values: str | None) -> pa.Array:
    return pa.array(values, pa.large_string())


def test_the_default_template() -> None:
    joined = join_reasoning(IDS, QUERIES, thoughts("adds", "takes {query}", "x"))
    assert joined.to_pylist() == ["1 + 1?\n\nReasoning: adds", "2 - {x}?\n\nReasoning: takes {query}", "3\n\nReasoning: x"]
    assert joined.type == pa.large_string()


def test_a_template_in_another_order_with_braces_of_its_own() -> None:
    joined = join_reasoning(IDS, QUERIES, thoughts("p", "q", "r"), "{{{reasoning}}} -> {query}!")
    assert joined.to_pylist() == ["{p} -> 1 + 1?!", "{q} -> 2 - {x}?!", "{r} -> 3!"]


@pytest.mark.parametrize("blank", [None, "", " \n\t"])
def test_a_query_without_one_is_named_and_counted(blank: str | None) -> None:
    with pytest.raises(DataError, match=r"query 'b' has no chain of thought \(2 of 3 have none\)"):
        join_reasoning(IDS, QUERIES, thoughts("adds", blank, blank))


def test_data_without_any_is_refused() -> None:
    with pytest.raises(DataError, match="none of the 3 queries has a chain of thought"):
        join_reasoning(IDS, QUERIES, None)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{query} and no more", "must each stand in it once"),
        ("{query}{query}{reasoning}", "must each stand in it once"),
        ("{query} {cot}", r"placeholder \{cot\} is unknown"),
        ("{query!r} {reasoning}", r"placeholder \{query\} is unknown or formatted"),
        ("{query} {reasoning", "reasoning template: expected '}'"),
    ],
)
def test_a_wrong_template_is_refused(template: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        check_reasoning_template(template)
