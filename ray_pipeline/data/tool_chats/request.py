"""Requests: what a user says, and the calls that it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.function import Function, Spread, mentioned
from ray_pipeline.data.tool_chats.values import listing
from ray_pipeline.data.tool_chats.wording import ordered, ordered_next, said_next

_MAX_DRAWS: Final = 1000


@dataclass(frozen=True)
class Planned:
    """A call that is asked for. Arguments are in the order of the schema."""

    function: Function
    arguments: Mapping[str, Any]

    def said(self) -> dict[str, str]:
        return self.function.said(self.arguments)


@dataclass(frozen=True)
class Request:
    text: str
    calls: tuple[Planned, ...]


def plain(function: Function, draw: Draw) -> Request:
    """A request for one call."""
    template = draw.pick((*function.orders, *function.asks))
    call = planned(function, mentioned(template), draw)
    text = template.format(**call.said())
    return Request(ordered((text,), draw) if template in function.orders else text, (call,))


def joined(functions: Sequence[Function], draw: Draw) -> Request:
    """A request for one call of each of two or three functions, which may be the same one."""
    texts: list[str] = []
    calls: list[Planned] = []
    in_sentences = draw.whole(0, 3) == 0
    while len(calls) < len(functions):
        function = functions[len(calls)]
        template = draw.pick(function.asks if in_sentences else function.orders)
        call = planned(function, mentioned(template), draw)
        if call not in calls:
            calls.append(call)
            texts.append(template.format(**call.said()))
    return Request(" ".join(texts) if in_sentences else ordered(texts, draw), tuple(calls))


def spread_out(function: Function, spread: Spread, count: int, draw: Draw) -> Request:
    """A request for `count` calls that differ in one parameter only."""
    template = draw.pick(spread.asks)
    calls = [planned(function, mentioned(template), draw)]
    while len(calls) < count:
        call = planned(function, {spread.parameter}, draw, calls[0].arguments)
        if call not in calls:
            calls.append(call)
    together = {spread.parameter: listing([call.said()[spread.parameter] for call in calls])}
    return Request(template.format(**{**calls[0].said(), **together}), tuple(calls))


def further(function: Function, last: Planned, draw: Draw) -> Request:
    """What is asked after `last` was answered: the same with another value, or something else."""
    if draw.pick((True, False)) and last.function.again:
        template = draw.pick(last.function.again)
        call = planned(last.function, mentioned(template), draw, last.arguments)
        return Request(template.format(**call.said()), (call,))
    template = draw.pick((*function.orders, *function.asks))
    call = planned(function, mentioned(template), draw)
    text = template.format(**call.said())
    return Request(ordered_next(text, draw) if template in function.orders else said_next(text, draw), (call,))


def planned(function: Function, named: Set[str], draw: Draw, kept: Mapping[str, Any] | None = None) -> Planned:
    """A call with the arguments `named`, drawn, and with those `kept` of an earlier call as they are.

    No two arguments are the same text (nobody flies from Oslo to Oslo), and none is what it was in the earlier call.
    """
    before = kept or {}
    for _ in range(_MAX_DRAWS):
        drawn: dict[str, Any] = {}
        for one in function.parameters:
            if one.name in named:
                drawn[one.name] = one.values.draw(draw)
            elif one.name in before:
                drawn[one.name] = before[one.name]
        texts = [value for value in drawn.values() if isinstance(value, str)]
        if len(set(texts)) == len(texts) and all(drawn[name] != before.get(name) for name in named):
            return Planned(function, drawn)
    raise RuntimeError(f"{function.name}: no values in {_MAX_DRAWS} draws differ from each other and from those before")
