"""Which columns of a block of scores may not count as negatives.

A block is [c, N]: c queries of this rank (or their drawn positives) against N columns, either all documents or all
queries. For row i with the drawn positive t, a **document** column k is no negative by

* `same_id`    k is t's document again (another query drew or mined it);
* `same_text`  k has the normalised text of t, of any known positive of i, or of i itself;
* `known`      k is a known positive of i, or of i's label group;
* `margin`     k's similarity exceeds that of the drawn pair by more than `mask_margin`;
* `guide`      the guide model says so: its cosine exceeds that of the drawn pair by more than `guide_margin`
               (GISTEmbed, arXiv 2402.16829; its margin m is `guide_margin = -m` here).

A **query** column j is judged by what it drew: by the first three rules for j's drawn positive; by `same_text` also if i
and j have one text; by `known` also if t is a known positive of j, or the two are of one group. Margins look at the
block's own similarities, always against the drawn pair (query i, document t).

A column is counted under the first rule that takes it out. What is a positive is never taken out by a rule.

Trap: where queries are documents too (statements of one paper), a query's own document is of its group. It is no positive,
or every query would be trained to find itself.

The first three find columns by their keys in a sorted list, so a chunk of rows costs its matches and one boolean [c, N],
and no Q x D matrix is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ray_pipeline.errors import DataError
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings, Direction

REASONS: Final = ("same_id", "same_text", "known", "margin", "guide")


class KeyIndex:
    """Which columns hold a key."""

    def __init__(self, keys: Tensor) -> None:
        self._keys, self._columns = torch.sort(keys, stable=True)

    def mark(self, blank: Tensor, rows: Tensor, wanted: Tensor) -> None:
        """Set `blank[rows[n], column]` wherever a column's key is wanted[n]."""
        at, column = self.find(wanted)
        blank[rows[at], column] = True

    def find(self, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """(place in `wanted`, column) of every match."""
        first = torch.searchsorted(self._keys, wanted)
        counts = torch.searchsorted(self._keys, wanted, right=True) - first
        at = torch.repeat_interleave(torch.arange(len(wanted), device=wanted.device), counts)
        within = torch.arange(len(at), device=wanted.device) - (counts.cumsum(0) - counts)[at]
        return at, self._columns[first[at] + within]


@dataclass(frozen=True)
class _Wanted:
    """The keys of a chunk of rows, each list beside the row (counted from 0) that each entry belongs to."""

    row: Tensor  # [c]
    id: Tensor  # [c] of the drawn positive
    text: Tensor  # [c]
    query_text: Tensor  # [c] of the query
    known_row: Tensor  # [n]
    known_id: Tensor  # [n]
    known_text: Tensor  # [n]
    group_row: Tensor  # [m] rows that have a group
    group: Tensor  # [m]


class _Columns:
    """The columns of one side, by the keys they are found by."""

    def __init__(self, doc_id: Tensor, doc_text: Tensor, group: Tensor | None) -> None:
        self.id, self.text = KeyIndex(doc_id), KeyIndex(doc_text)
        self._group = None if group is None else KeyIndex(group)

    def same_id(self, blank: Tensor, wanted: _Wanted) -> None:
        self.id.mark(blank, wanted.row, wanted.id)

    def same_text(self, blank: Tensor, wanted: _Wanted) -> None:
        self.text.mark(blank, wanted.row, wanted.text)
        self.text.mark(blank, wanted.known_row, wanted.known_text)

    def known(self, blank: Tensor, wanted: _Wanted) -> None:
        self.id.mark(blank, wanted.known_row, wanted.known_id)
        if self._group is not None:
            self._group.mark(blank, wanted.group_row, wanted.group)


class FalseNegatives:
    """The rules for one batch: made once a step, asked once for each block of scores."""

    def __init__(self, facts: BatchFacts, settings: ContrastiveSettings) -> None:
        self._facts, self._settings = facts, settings
        self._documents = _Columns(facts.doc_id, facts.doc_text, facts.doc_group)
        if {"query_to_query", "doc_to_query"} & set(settings.directions):
            self._queries = _Columns(facts.doc_id[facts.target], facts.doc_text[facts.target], facts.query_group)
            self._query_texts = KeyIndex(facts.query_text)
            self._holders = None if facts.known is None else (KeyIndex(facts.known.doc_id), facts.known.queries())
        if settings.guide_margin is not None:
            if facts.guide_queries is None or facts.guide_documents is None:
                raise DataError("guide_margin is set, but the batch has no vectors of a guide model; name a guide model, or set guide_margin=null")
            self._guide = {"query": _unit(facts.guide_queries), "doc": _unit(facts.guide_documents)}

    def positives(self, rows: range) -> Tensor:
        """bool [c, D] the positives of each query: the drawn one and, if all count, every other one in the batch."""
        wanted = self._wanted(rows)
        found = torch.zeros(len(rows), len(self._facts.doc_id), dtype=torch.bool, device=wanted.row.device)
        found[wanted.row, self._facts.target[rows.start : rows.stop]] = True
        if self._settings.positives != "one":
            self._documents.same_id(found, wanted)
            self._documents.known(found, wanted)
            itself = torch.zeros_like(found)
            self._documents.text.mark(itself, wanted.row, wanted.query_text)
            itself[wanted.row, self._facts.target[rows.start : rows.stop]] = False
            found &= ~itself
        return found

    def blank(self, direction: Direction, rows: range, blank: Tensor, logits: Tensor, drawn: Tensor, scale: float | Tensor) -> Tensor:
        """Add to `blank` [c, N] what the rules take out, and say how many each took: int64 [len(REASONS)]. `logits` [c, N]
        and `drawn` [c] (the drawn pair's) are similarities times `scale`."""
        settings, rules = self._settings, self._of_documents if direction.endswith("doc") else self._of_queries
        counts = torch.zeros(len(REASONS), dtype=torch.int64, device=blank.device)
        before = torch.count_nonzero(blank)
        for reason in rules(rows, blank):
            after = torch.count_nonzero(blank)
            counts[REASONS.index(reason)], before = after - before, after
        if settings.mask_margin is not None:
            blank |= logits > (drawn + settings.mask_margin * scale)[:, None]
            after = torch.count_nonzero(blank)
            counts[REASONS.index("margin")], before = after - before, after
        if settings.guide_margin is not None:
            blank |= self._guide_says(direction, rows, settings.guide_margin)
            counts[REASONS.index("guide")] = torch.count_nonzero(blank) - before
        return counts

    def _of_documents(self, rows: range, blank: Tensor) -> Iterator[str]:
        """Mark the documents that each rule of keys takes out, and name the rule."""
        wanted = self._wanted(rows)
        if self._masks_same_id:
            self._documents.same_id(blank, wanted)
            yield "same_id"
        if self._settings.mask_same_text:
            self._documents.same_text(blank, wanted)
            self._documents.text.mark(blank, wanted.row, wanted.query_text)
            yield "same_text"
        if self._masks_known:
            self._documents.known(blank, wanted)
            yield "known"

    def _of_queries(self, rows: range, blank: Tensor) -> Iterator[str]:
        """The same for queries, by what they drew, by their own text, and by whether they hold this row's positive."""
        wanted = self._wanted(rows)
        if self._masks_same_id:
            self._queries.same_id(blank, wanted)
            yield "same_id"
        if self._settings.mask_same_text:
            self._queries.same_text(blank, wanted)
            self._query_texts.mark(blank, wanted.row, wanted.query_text)
            yield "same_text"
        if self._masks_known:
            self._queries.known(blank, wanted)
            if self._holders is not None:
                at, entry = self._holders[0].find(wanted.id)
                blank[wanted.row[at], self._holders[1][entry]] = True
            yield "known"

    @property
    def _masks_same_id(self) -> bool:
        """Where every positive in the batch counts as one, none of them may count as a negative in any direction."""
        return self._settings.mask_same_id or self._settings.positives != "one"

    @property
    def _masks_known(self) -> bool:
        return self._settings.mask_known or self._settings.positives != "one"

    def _guide_says(self, direction: Direction, rows: range, margin: float) -> Tensor:
        left, columns = direction.split("_to_")
        queries = self._guide["query"][rows.start : rows.stop]
        drawn = self._guide["doc"][self._facts.target[rows.start : rows.stop]]
        bound = (queries * drawn).sum(-1) + margin
        return (queries if left == "query" else drawn) @ self._guide[columns].T > bound[:, None]

    def _wanted(self, rows: range) -> _Wanted:
        facts = self._facts
        target = facts.target[rows.start : rows.stop]
        row = torch.arange(len(rows), device=target.device)
        none = row[:0]
        known = (none, none, none) if facts.known is None else facts.known.of(rows)
        group = none if facts.query_group is None else facts.query_group[rows.start : rows.stop]
        grouped = torch.nonzero(group >= 0).flatten()
        texts = facts.query_text[rows.start : rows.stop]
        return _Wanted(row, facts.doc_id[target], facts.doc_text[target], texts, *known, grouped, group[grouped])


def _unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1 in at least float32."""
    return normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)
