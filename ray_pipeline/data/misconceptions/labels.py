"""The label corpus: every misconception name a row can have, and the near misses that no row has."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pyarrow as pa

from ray_pipeline.data.misconceptions.distractors import NEAR_MISSES
from ray_pipeline.data.misconceptions.rules import RULES
from ray_pipeline.schemas import CORPUS


class Label(NamedTuple):
    """A label by the place of its rule in `RULES` and of its variant in that rule."""

    rule: int
    variant: int

    @property
    def label_id(self) -> str:
        return RULES[self.rule].label_id(self.variant)

    @property
    def text(self) -> str:
        return RULES[self.rule].label_text(self.variant)


@cache
def all_labels() -> tuple[Label, ...]:
    """Every label that rows can have, in the order of the rules."""
    return tuple(Label(r, v) for r, rule in enumerate(RULES) for v in range(len(rule.variants)))


def distractors() -> dict[str, str]:
    """doc_id -> name of the corpus documents that no row has."""
    return {
        f"{occasion.replace(' ', '-').lower()}.near-{number}": f"When {occasion}, {name}"
        for occasion, names in NEAR_MISSES.items()
        for number, name in enumerate(names, start=1)
    }


def corpus_labels() -> pa.Table:
    """Real labels and distractors as a corpus table, sorted by doc_id."""
    texts = {label.label_id: label.text for label in all_labels()} | distractors()
    ids = sorted(texts)
    return pa.table([ids, [texts[i] for i in ids], pa.nulls(len(ids), pa.string())], schema=CORPUS)
