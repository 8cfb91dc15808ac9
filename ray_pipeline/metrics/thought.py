"""A reply's chain of thought and what follows it.

Trap: a template may supply the opening `<think>` itself (Qwen3-Thinking's does), so what the model writes holds the closing mark alone. The whole
reply, with what was supplied, is what is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OPENS: Final = "<think>"
CLOSES: Final = "</think>"


@dataclass(frozen=True)
class Thought:
    """`thought`: what stands in the block, None without a whole one; `rest`: what comes behind; `well_formed`: one block, at the beginning."""

    thought: str | None
    rest: str
    well_formed: bool


def thought_of(reply: str, supplied: str = "") -> Thought:
    """`reply` is what the model wrote behind what the prompt `supplied`."""
    whole = supplied + reply
    before, opened, inside = whole.partition(OPENS)
    thought, closed, rest = inside.partition(CLOSES)
    if not opened:  # none, or its beginning was supplied and is not known here
        head, closed, rest = whole.partition(CLOSES)
        return Thought(None, rest if closed else head, False)
    if not closed:  # it never came to an end, so nothing was said
        return Thought(None, before, False)
    once = whole.count(OPENS) == 1 and whole.count(CLOSES) == 1
    return Thought(thought.strip(), rest, once and not before.strip())
