"""Sums as text: whole numbers, + - * // % and parentheses, worked out as Python does.

What a policy wrote is never given to Python: it is read here, sign by sign. A text is bounded in length and depth, and nothing raises to a power, so
no value has more digits than the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ray_pipeline.data.tasks.tool import ToolError

LONGEST: Final = 200  # characters
DEEPEST: Final = 30  # parentheses and signs within each other
_TOKEN: Final = re.compile(r"\s*([0-9]+|//|[-+*%()])")


def value_of(text: str) -> int:
    """The value of an expression; `ToolError` says what is wrong with one that has none."""
    if len(text) > LONGEST:
        raise ToolError(f"the expression has {len(text)} characters; {LONGEST} are read at most")
    return _Reader(_tokens(text)).whole()


def _tokens(text: str) -> list[str]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise ToolError(f"{text[at:].strip()[:1]!r} cannot be read; write whole numbers, + - * // % and parentheses")
        found.append(token[1])
        at = token.end()
    return found


class _Reader:
    """Sums of products of signed numbers and parentheses: a method a rank, the weakest first."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> int:
        value = self._sum()
        if self._next() is not None:
            raise ToolError(f"{self._next()!r} stands where the expression should end")
        return value

    def _sum(self) -> int:
        value = self._product()
        while (sign := self._taken("+", "-")) is not None:
            other = self._product()
            value = value + other if sign == "+" else value - other
        return value

    def _product(self) -> int:
        value = self._signed()
        while (sign := self._taken("*", "//", "%")) is not None:
            other = self._signed()
            if sign != "*" and other == 0:
                raise ToolError("divides by 0")
            value = value * other if sign == "*" else value // other if sign == "//" else value % other
        return value

    def _signed(self) -> int:
        sign = self._taken("-", "+")
        if sign is None:
            return self._number()
        value = self._deeper(self._signed)
        return -value if sign == "-" else value

    def _number(self) -> int:
        if self._taken("(") is not None:
            value = self._deeper(self._sum)
            if self._taken(")") is None:
                raise ToolError("a parenthesis is not closed")
            return value
        token = self._next()
        if token is None or not token.isdigit():
            raise ToolError("a number is missing" + (f" before {token!r}" if token else " at the end"))
        self._at += 1
        return int(token)

    def _deeper(self, read: Callable[[], int]) -> int:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ToolError(f"is nested more than {DEEPEST} deep")
        value = read()
        self._depth -= 1
        return value

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _taken(self, *tokens: str) -> str | None:
        """The next token, where it is one of these."""
        token = self._next()
        if token not in tokens:
            return None
        self._at += 1
        return token
