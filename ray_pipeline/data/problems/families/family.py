"""What a family of generated problems is: one task with parameters, programs that solve it at different speeds, programs that nearly do.

All texts are templates (`$gap`) over the parameters of a variant, so a program of one variant is wrong for another. `answer` solves the task once
more in plain Python: expected answers come from it, and no program text is run to make a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from textwrap import dedent, indent
from typing import Any, Final, TypeAlias

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.problem import Arguments

Variant: TypeAlias = Mapping[str, Any]
_INDENT: Final = "    "


@dataclass(frozen=True)
class Solution:
    """A program that solves a problem. `order`: how its time grows, in words that people use (`n^2`)."""

    name: str
    order: str
    text: str


@dataclass(frozen=True, eq=False)
class Family:
    name: str
    variants: tuple[Variant, ...]  # each makes a problem of its own
    signature: str  # `def count(numbers: list[int]) -> int:`
    task: str  # what the docstring says
    solutions: tuple[Solution, ...]  # bodies of functions, the slowest first and the fastest last
    wrong: tuple[str, ...]  # bodies with a plausible mistake; each gives a wrong answer to one of `edges`
    answer: Callable[..., Any]  # (variant, *arguments)
    edges: Callable[[Variant], tuple[Arguments, ...]]  # calls that every problem of the variant has
    small: Callable[[Draw, Variant], Arguments]  # a call to judge answers by
    large: Callable[[Draw, Variant, int], Arguments]  # a call of a size, to take the time of
    sizes: tuple[int, ...]  # of large calls, such that the slowest solution takes a fraction of a second

    @property
    def entry_point(self) -> str:
        return self.signature.removeprefix("def ").partition("(")[0]

    def prompt(self, variant: Variant, example: Arguments) -> str:
        """A signature and a docstring with an example, as a model is to go on from."""
        shown = f">>> {self.entry_point}({', '.join(map(repr, example))})\n{self.answer(variant, *example)!r}"
        lines = indent(f"{filled(self.task, variant)}\n\n{shown}\n", _INDENT)
        return f'{self.signature}\n{_INDENT}"""{lines.removeprefix(_INDENT)}{_INDENT}"""\n'

    def programs(self, variant: Variant, prompt: str) -> tuple[Solution, ...]:
        """The solutions as whole programs."""
        return tuple(Solution(one.name, one.order, prompt + filled(one.text, variant, _INDENT)) for one in self.solutions)

    def wrong_programs(self, variant: Variant, prompt: str) -> tuple[str, ...]:
        return tuple(prompt + filled(one, variant, _INDENT) for one in self.wrong)


def filled(template: str, variant: Variant, margin: str = "") -> str:
    """A template with the variant's parameters in it, at a margin."""
    return indent(Template(dedent(template).lstrip("\n")).substitute(variant), margin)


def whole_numbers(draw: Draw, count: int, low: int, high: int) -> list[int]:
    return [draw.whole(low, high) for _ in range(count)]
