"""How requests and answers are worded around a function's own words.

Templates over clauses in the imperative: {0} is the first. The first letter of what comes out is made a capital.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.values import listing

_JOINS: Final = {
    1: (
        "{0}.", "{0}.", "{0}, please.", "please {0}.", "can you {0}?", "could you {0}, please?", "I need you to {0}.", "hey, {0}.",
        "I'd like you to {0}.", "would you {0}?",
    ),
    2: (
        "{0} and {1}.", "please {0} and {1}.", "{0}, then {1}.", "first {0}, then {1}.", "can you {0} and also {1}?",
        "two things: {0}, and {1}.", "{0}. Also, {1}.", "{0}. After that, {1}, please.", "I need you to {0} and to {1}.",
        "please take care of these:\n- {0}\n- {1}",
    ),
    3: (
        "{0}, {1} and {2}.", "please {0}, {1} and {2}.", "first {0}, then {1}, and finally {2}.", "three things: {0}, {1}, and {2}.",
        "{0}. Also, {1}, and {2}.", "{0} and {1}. Then {2}, please.", "could you {0}, {1}, and {2}?",
        "please take care of these:\n- {0}\n- {1}\n- {2}",
    ),
}  # fmt: skip
_FURTHER: Final = ("thanks! Now {0}.", "great. Please {0}.", "now {0}.", "thank you. Can you also {0}?", "next, {0}, please.")
_THANKS: Final = ("Thanks. {}", "Okay. {}", "Great, thank you. {}", "{}", "{}")
_SORRY: Final = (
    "I'm sorry, but none of my tools can {}.",
    "I can't do that: I have no tool to {}.",
    "Sorry, with the tools I have I can't {}.",
    "None of the tools that I have can {}.",
)


def ordered(orders: Sequence[str], draw: Draw) -> str:
    """One request out of one to three clauses."""
    return _capital(draw.pick(_JOINS[len(orders)]).format(*orders))


def ordered_next(order: str, draw: Draw) -> str:
    """A request that follows an answer."""
    return _capital(draw.pick(_FURTHER).format(order))


def said_next(sentence: str, draw: Draw) -> str:
    return draw.pick(_THANKS).format(sentence)


def refusal(description: str, draw: Draw) -> str:
    """`description`: of the function that is not there."""
    return draw.pick(_SORRY).format(description[0].lower() + description[1:])


def told(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result's values as an answer says them."""
    return {name: listing(value) if isinstance(value, list) else value for name, value in result.items()}


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
