"""Generated sums: what is asked is an expression's value, and the answer is the last whole number that is said.

Levels, in turn: 1 two numbers of one digit, added or taken away; 2 of two digits; 3 three numbers, also multiplied; 4 parentheses; 5 larger numbers,
also divided (`//`, `%`). A row has its own random stream, seeded by (seed, row number), so fewer rows are a prefix of more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tasks.expressions import value_of
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.data.tasks.tool import Tool, tools_json
from ray_pipeline.errors import SettingsError
from ray_pipeline.text.chat.conversation import Message

LEVELS: Final = (1, 2, 3, 4, 5)
_ASKED: Final = ("What is {sum}?", "Work out {sum}.", "Compute {sum}.")
_EXPRESSION: Final = {"type": "string", "description": "whole numbers, + - * // % and parentheses"}
CALCULATOR: Final = Tool("calculator", "The value of an expression", {"expression": _EXPRESSION}, lambda expression: {"value": value_of(expression)})


@dataclass(frozen=True)
class ArithmeticSpec:
    """What to generate."""

    rows: int
    seed: int = 0
    levels: tuple[int, ...] = LEVELS  # in turn
    calculator: bool = False  # offer a tool

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise SettingsError(f"rows: must be at least 1, not {self.rows}")
        if self.seed < 0:
            raise SettingsError(f"seed: must be 0 or more, not {self.seed}")
        if not self.levels or any(one not in LEVELS for one in self.levels):
            raise SettingsError(f"levels: must be some of {', '.join(map(str, LEVELS))}, not {list(self.levels)}")


def arithmetic_tasks(spec: ArithmeticSpec) -> list[Task]:
    """`spec.rows` tasks. Facts: the level, the expression, its value."""
    return [_task(spec, number) for number in range(spec.rows)]


def _task(spec: ArithmeticSpec, number: int) -> Task:
    draw = Draw(f"arithmetic:{spec.seed}:{number}")
    level = spec.levels[number % len(spec.levels)]
    expression = _expression(level, draw)
    facts = {"level": level, "expression": expression, "value": value_of(expression)}
    tools = tools_json([CALCULATOR]) if spec.calculator else None
    asked = Message("user", draw.pick(_ASKED).format(sum=expression))
    return Task(f"arithmetic-{spec.seed}/{number:06d}", (asked,), tools, facts)


def _expression(level: int, draw: Draw) -> str:
    if level <= 2:
        low, high = ((1, 9), (10, 99))[level - 1]
        return f"{draw.whole(low, high)} {draw.pick('+-')} {draw.whole(low, high)}"
    if level == 3:
        return f"{draw.whole(2, 99)} {draw.pick('+-')} {draw.whole(2, 12)} * {draw.whole(2, 12)}"
    if level == 4:
        inner = f"({draw.whole(2, 50)} {draw.pick('+-')} {draw.whole(2, 50)})"
        return f"{draw.whole(2, 12)} * {inner} {draw.pick('+-')} {draw.whole(2, 99)}"
    inner = f"({draw.whole(100, 999)} {draw.pick('+-')} {draw.whole(10, 99)} * {draw.whole(2, 20)})"
    return f"{inner} {draw.pick(('//', '%'))} {draw.whole(2, 20)} {draw.pick('+-')} {draw.whole(100, 999)}"
