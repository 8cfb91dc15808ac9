"""What a misconception rule is.

A `Rule` is a family of questions on one skill: how its numbers are drawn, what is asked, the right answer, and the
ways pupils get it wrong. Each `Variant` is one misconception, and so one label of the corpus: a pure function from
the drawn numbers to the answer a pupil who holds it gives, and one that writes down how that pupil got there.

Variants of a rule share their question, subject and construct on purpose: only the arithmetic tells them apart. A
`wrong` function returns None where its misconception does not show in the numbers drawn; the caller then redraws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import Answer


class Numbers(SimpleNamespace):
    """The numbers drawn for a question, by name; templates are filled from them."""


@dataclass(frozen=True)
class Variant:
    """One misconception: its `name`, the `wrong` answer it leads to, and the `thought` that leads there."""

    key: str
    name: str
    wrong: Callable[[Any], Answer | None]
    thought: Callable[[Any], str]


@dataclass(frozen=True)
class Rule:
    key: str
    subject: str
    construct: str
    when: str  # the occasion, put before each variant's name in its label
    draw: Callable[[Draw], Numbers]
    asks: tuple[str, ...]  # question templates for training rows, filled with the drawn numbers and a {name}
    held_out: tuple[str, ...]  # templates that only evaluation rows use
    correct: Callable[[Any], Answer]
    variants: tuple[Variant, ...]
    form: str = "{}"  # how an answer that is not text is written, e.g. "{} cm"

    def label_id(self, variant: int) -> str:
        return f"{self.key}.{self.variants[variant].key}"

    def label_text(self, variant: int) -> str:
        name = self.variants[variant].name
        return f"When {self.when}, {name[0].lower()}{name[1:]}"
