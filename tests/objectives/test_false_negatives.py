"""Each rule on a batch small enough to name every column it takes out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.objectives.batch_facts import BatchFacts, KnownPositives
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings, Direction
from ray_pipeline.objectives.false_negatives import REASONS, FalseNegatives, KeyIndex

# Three queries, each with a drawn positive (columns 0, 2, 4) and a negative of its own (1, 3, 5).
#   column      0   1   2   3   4   5
#   document   10  11  12  10  13  14     query 1 mined query 0's positive as its negative
#   text      500 501 502 500 503 502     documents 12 and 14 have one text
#   group       7  -1  -1   7   8   7     document 14 is of the group of query 0 and document 10
# query texts 900 901 900; groups 7, -1, 8; query 0 knows 10, query 1 knows 12 and 13, query 2 knows 13 and 10
OFF = {"mask_same_id": False, "mask_same_text": False, "mask_known": False}
ALL: Any = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
DOCUMENTS, QUERIES = 6, 3


def facts(rows: range = range(3)) -> BatchFacts:
    return BatchFacts(
        rows=rows,
        own=torch.tensor([[0, 1], [2, 3], [4, 5]]),
        doc_id=torch.tensor([10, 11, 12, 10, 13, 14]),
        doc_text=torch.tensor([500, 501, 502, 500, 503, 502]),
        query_text=torch.tensor([900, 901, 900]),
        query_group=torch.tensor([7, -1, 8]),
        doc_group=torch.tensor([7, -1, -1, 7, 8, 7]),
        known=KnownPositives(torch.tensor([0, 1, 3, 5]), torch.tensor([10, 12, 13, 13, 10]), torch.tensor([500, 502, 503, 503, 500])),
        guide_queries=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
        guide_documents=torch.tensor([[4.0, 3.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [3.0, 4.0]]),
    )


def taken(
    direction: Direction, rows: range = range(3), logits: torch.Tensor | None = None, **settings: Any
) -> tuple[list[list[int]], dict[str, int]]:
    """The columns that go in each row, and the counts that are not 0."""
    chosen = ContrastiveSettings(
        **{**OFF, **settings}, directions=ALL if settings.get("positives", "one") == "one" else ("query_to_doc", "doc_to_doc")
    )
    columns = DOCUMENTS if direction.endswith("doc") else QUERIES
    logits = torch.zeros(len(rows), columns) if logits is None else logits
    blank = torch.zeros(len(rows), columns, dtype=torch.bool)
    counts = FalseNegatives(facts(), chosen).blank(direction, rows, blank, logits, torch.tensor([8.0, 6.0, 4.0])[rows.start : rows.stop], 10.0)
    return [row.nonzero().flatten().tolist() for row in blank], {name: count for name, count in zip(REASONS, counts.tolist(), strict=True) if count}


@pytest.mark.parametrize(
    ("rule", "documents", "queries"),
    [
        ("mask_same_id", [[0, 3], [2], [4]], [[0], [1], [2]]),
        # query 2 knows document 10, whose text is 500; 12 and 14 are one text; queries 0 and 2 are one text
        ("mask_same_text", [[0, 3], [2, 4, 5], [0, 3, 4]], [[0, 2], [1, 2], [0, 2]]),
        # by group: documents 0, 3, 5 for query 0 and 4 for query 2; query columns by what they drew, or by whether they know what this row drew
        ("mask_known", [[0, 3, 5], [2, 4], [0, 3, 4]], [[0, 2], [1, 2], [0, 1, 2]]),
    ],
)
def test_rules_of_keys(rule: str, documents: list[list[int]], queries: list[list[int]]) -> None:
    for direction, expected in (("query_to_doc", documents), ("doc_to_doc", documents), ("query_to_query", queries), ("doc_to_query", queries)):
        found, counts = taken(direction, **{rule: True})  # type: ignore[arg-type]
        assert found == expected, direction
        assert counts == {rule.removeprefix("mask_"): sum(map(len, expected))}
        assert taken(direction, range(1, 3), **{rule: True})[0] == expected[1:]  # type: ignore[arg-type]


def test_a_column_counts_under_the_first_rule_that_takes_it_out() -> None:
    found, counts = taken("query_to_doc", mask_same_id=True, mask_same_text=True, mask_known=True)
    assert found == [[0, 3, 5], [2, 4, 5], [0, 3, 4]]
    assert counts == {"same_id": 4, "same_text": 4, "known": 1}


def test_the_margin_is_of_similarities_against_the_drawn_pair() -> None:
    logits = torch.tensor([[8.0, 9.0, 9.5, 7.0, 0.0, 0.0], [6.0, 7.5, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 4.0, 5.0]])
    # drawn 0.8, 0.6, 0.4, scale 10, margin 0.1: beyond 9, 7 and 5
    assert taken("query_to_doc", logits=logits, mask_margin=0.1) == ([[2], [1], []], {"margin": 2})
    assert taken("doc_to_doc", range(1, 3), logits[1:], mask_margin=0.1) == ([[1], []], {"margin": 1})


def test_the_guide_decides_by_its_own_cosine() -> None:
    # drawn pairs 0.8, 1, 1 in the guide's eyes; its cosines of queries and documents are
    #   0: 0.8 1 0 0 1 0.6    1: 0.6 0 1 -1 0 0.8    2: as 0
    assert taken("query_to_doc", guide_margin=0.0) == ([[1, 4], [], []], {"guide": 2})
    assert taken("query_to_doc", guide_margin=-0.25)[0] == [[0, 1, 4, 5], [2, 5], [0, 1, 4]]
    # queries with queries: 1 0 1 | 0 1 0 | 1 0 1
    assert taken("query_to_query", guide_margin=-0.1)[0] == [[0, 2], [1], [0, 2]]
    # the drawn positives with queries: 0.8 0.6 0.8 | 0 1 0 | 1 0 1
    assert taken("doc_to_query", guide_margin=-0.1)[0] == [[0, 2], [1], [0, 2]]
    # and with documents: 1 0.8 0.6 -0.6 0.8 0.96 | 0.6 0 1 -1 0 0.8 | 0.8 1 0 0 1 0.6
    assert taken("doc_to_doc", guide_margin=0.1)[0] == [[0, 5], [], []]


def test_positives_are_the_drawn_one_or_all_there_are() -> None:
    def columns(positives: Any) -> list[list[int]]:
        found = FalseNegatives(facts(), ContrastiveSettings(positives=positives, **OFF)).positives(range(3))  # type: ignore[arg-type]
        return [row.nonzero().flatten().tolist() for row in found]

    assert columns("one") == [[0], [2], [4]]
    assert columns("each") == columns("others_removed") == [[0, 3, 5], [2, 4], [0, 3, 4]]


def test_where_all_positives_count_none_is_a_negative_whatever_the_masks_say() -> None:
    assert taken("doc_to_doc", positives="each") == ([[0, 3, 5], [2, 4], [0, 3, 4]], {"same_id": 4, "known": 4})


@given(st.lists(st.integers(-3, 3), max_size=12), st.lists(st.integers(-4, 4), max_size=6))
def test_any_key_is_found_wherever_it_stands(keys: list[int], wanted: list[int]) -> None:
    at, column = KeyIndex(torch.tensor(keys, dtype=torch.int64)).find(torch.tensor(wanted, dtype=torch.int64))
    expected = [(n, place) for n, key in enumerate(wanted) for place, other in enumerate(keys) if key == other]
    assert list(zip(at.tolist(), column.tolist(), strict=True)) == expected


def test_a_query_that_is_a_document_is_neither_its_own_positive_nor_its_own_negative() -> None:
    # two statements of one paper: each is the other's positive, and both stand among the documents
    paper = BatchFacts(
        rows=range(2),
        own=torch.tensor([[0], [1]]),
        doc_id=torch.tensor([11, 10]),
        doc_text=torch.tensor([901, 900]),
        query_text=torch.tensor([900, 901]),
        query_group=torch.tensor([7, 7]),
        doc_group=torch.tensor([7, 7]),
    )
    rules = FalseNegatives(paper, ContrastiveSettings(positives="each", **OFF))  # type: ignore[arg-type]
    assert rules.positives(range(2)).tolist() == [[True, False], [False, True]]
    blank = rules.positives(range(2))
    rules.blank("query_to_doc", range(2), blank, torch.zeros(2, 2), torch.zeros(2), 1.0)
    assert blank.all()
    alone = torch.zeros(2, 2, dtype=torch.bool)
    FalseNegatives(paper, ContrastiveSettings(**{**OFF, "mask_same_text": True})).blank(  # type: ignore[arg-type]
        "query_to_doc", range(2), alone, torch.zeros(2, 2), torch.zeros(2), 1.0
    )
    assert alone.tolist() == [[True, True], [True, True]]
