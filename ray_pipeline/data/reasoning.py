"""Queries joined with a chain of thought: what the stage `qcot` trains and searches with.

Training, mining and evaluation must join in the same way, so they all call this one function.
"""

from __future__ import annotations

import string
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.errors import DataError, SettingsError

REASONING_TEMPLATE: Final = "{query}\n\nReasoning: {reasoning}"
_PLACEHOLDERS: Final = ("query", "reasoning")


def join_reasoning(query_ids: pa.Array, queries: pa.Array, reasoning: pa.Array | None, template: str = REASONING_TEMPLATE) -> pa.Array:
    """Each query in `template`, with its chain of thought; an error where a query has none."""
    pieces = _pieces(template)
    if reasoning is None:
        raise DataError(
            f"none of the {len(queries)} queries has a chain of thought to be joined with: give the data a `reasoning` column, or skip this stage"
        )
    lacking = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(reasoning), ""), True)
    count = pc.sum(lacking).as_py()
    if count:
        first = query_ids[pc.index(lacking, True).as_py()].as_py()
        raise DataError(
            f"query {first!r} has no chain of thought ({count} of {len(queries)} have none), so it cannot be joined with one:"
            " fill in `reasoning` or leave these queries out"
        )
    columns = {"query": queries, "reasoning": reasoning}
    parts = [columns[text] if is_column else pa.scalar(text, queries.type) for text, is_column in pieces]
    return pc.binary_join_element_wise(*parts, pa.scalar("", queries.type))


def check_reasoning_template(template: str) -> None:
    """Refuse a template that does not hold {query} and {reasoning}, each once."""
    _pieces(template)


def _pieces(template: str) -> list[tuple[str, bool]]:
    """The template's literal texts and its placeholders (True) in order."""
    pieces: list[tuple[str, bool]] = []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(template):
            pieces.append((literal, False))
            if name is None:
                continue
            if name not in _PLACEHOLDERS or spec or conversion:
                raise SettingsError(f"reasoning template: the placeholder {{{name}}} is unknown or formatted; there are {{query}} and {{reasoning}}")
            pieces.append((name, True))
    except ValueError as problem:
        raise SettingsError(f"reasoning template: {problem}; write {{{{ for a brace of its own") from problem
    names = [text for text, is_column in pieces if is_column]
    if sorted(names) != sorted(_PLACEHOLDERS):
        raise SettingsError(f"reasoning template {template!r}: {{query}} and {{reasoning}} must each stand in it once")
    return pieces
