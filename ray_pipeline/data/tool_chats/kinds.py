"""The kinds of conversation: a single call, several at once, several in turn, none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.function import Function, mentioned
from ray_pipeline.data.tool_chats.request import Request, further, joined, plain, planned, spread_out
from ray_pipeline.data.tool_chats.small_talk import small_talk
from ray_pipeline.data.tool_chats.toolbox import Toolbox
from ray_pipeline.data.tool_chats.wording import refusal, told
from ray_pipeline.text.chat.conversation import Message, ToolCall


@dataclass
class Talk:
    """A conversation while it is made: messages, the functions that have to be offered, and one that must not be."""

    messages: list[Message] = field(default_factory=list)
    offered: list[Function] = field(default_factory=list)
    withheld: Function | None = None
    _calls: int = 0

    def say(self, user: str, assistant: str) -> None:
        self.messages += [Message("user", user), Message("assistant", assistant)]

    def ask(self, request: Request) -> tuple[ToolCall, ...]:
        """The request and the calls that answer it."""
        calls = tuple(
            ToolCall(call.function.name, json.dumps(call.arguments, ensure_ascii=False), f"call_{number}")
            for number, call in enumerate(request.calls, start=self._calls)
        )
        self._calls += len(calls)
        self.offered = list(dict.fromkeys([*self.offered, *(call.function for call in request.calls)]))
        self.messages += [Message("user", request.text), Message("assistant", tool_calls=calls)]
        return calls

    def answer(self, request: Request, calls: tuple[ToolCall, ...], draw: Draw) -> None:
        """A result of each call, and what the assistant makes of them."""
        sentences = []
        for asked, call in zip(request.calls, calls, strict=True):
            result = asked.function.result(draw, asked.arguments)
            self.messages.append(Message("tool", json.dumps(result, ensure_ascii=False), name=call.name, call_id=call.call_id))
            sentences.append(draw.pick(asked.function.answers).format(**asked.said(), **told(result)))
        self.messages.append(Message("assistant", " ".join(sentences)))


def single(toolbox: Toolbox, draw: Draw) -> Talk:
    return _asked(plain(draw.pick(toolbox.functions), draw), draw)


def parallel(toolbox: Toolbox, draw: Draw) -> Talk:
    count = draw.pick((2, 2, 3))
    function = draw.pick(toolbox.functions)
    if function.spread is not None and draw.pick((True, False)):
        return _asked(spread_out(function, function.spread, count, draw), draw)
    if draw.whole(0, 2) == 0:
        return _asked(joined([function] * count, draw), draw)
    different = draw.some(toolbox.functions, min(count, toolbox.most))
    return _asked(joined([different[number % len(different)] for number in range(count)], draw), draw)


def multi_turn(toolbox: Toolbox, draw: Draw) -> Talk:
    first, other = (draw.pick(toolbox.functions) for _ in range(2))
    request = plain(first, draw)
    talk = Talk()
    talk.answer(request, talk.ask(request), draw)
    next_request = further(other if toolbox.most > 1 else first, request.calls[0], draw)
    talk.answer(next_request, talk.ask(next_request), draw)
    return talk


def no_call(toolbox: Toolbox, draw: Draw) -> Talk:
    talk = Talk()
    reason = draw.whole(0, 2)
    if reason == 0:
        talk.say(*small_talk(draw))
        return talk
    function = draw.pick(toolbox.functions)
    if reason == 1:
        talk.withheld = function
        talk.say(plain(function, draw).text, refusal(function.description, draw))
    else:
        talk.offered.append(function)
        talk.say(*_lacking(function, draw))
    return talk


def _asked(request: Request, draw: Draw) -> Talk:
    """A request and its calls; half of them are followed by the results and an answer."""
    talk = Talk()
    calls = talk.ask(request)
    if draw.pick((True, False)):
        talk.answer(request, calls, draw)
    return talk


def _lacking(function: Function, draw: Draw) -> tuple[str, str]:
    """A request that lacks a required argument, and the question for it."""
    template, question = draw.pick(function.lacking)
    call = planned(function, mentioned(template), draw)
    return template.format(**call.said()), question.format(**call.said())


KINDS: Final[Mapping[str, Callable[[Toolbox, Draw], Talk]]] = {
    "single": single,
    "parallel": parallel,
    "multi-turn": multi_turn,
    "no call": no_call,
}
