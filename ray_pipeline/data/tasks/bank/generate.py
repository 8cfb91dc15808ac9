"""Generated tasks of a bank's clerk, and conversations in which a reference policy does them.

A row has its own random stream, seeded by (seed, row number), and its level is the next of the spec's in turn: it depends on the spec's other values
and its own number, and fewer rows are a prefix of more.

A task may hold several requests: the first stands in its messages, the others are told by the environment when the one before is done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeAlias

import pyarrow as pa

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tasks.bank.levels import FOLLOWING, LEVELS
from ray_pipeline.data.tasks.bank.request import OWNERS, Request
from ray_pipeline.data.tasks.bank.world import BANK_TOOLS, Accounts, Bank
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.data.tasks.tool import result_text
from ray_pipeline.errors import SettingsError
from ray_pipeline.schemas import CHATS
from ray_pipeline.text.chat.conversation import Message, ToolCall

SYSTEM: Final = "You work at a bank. Use the tools, then say the answer or Done. If something cannot be done, change nothing and say so."
_MOST_ACCOUNTS: Final = len(OWNERS) - 2  # some names have to be left for who has none
Turns: TypeAlias = Sequence[Sequence[ToolCall]]


@dataclass(frozen=True)
class BankSpec:
    """What to generate."""

    rows: int
    seed: int = 0
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)  # in turn
    accounts: int = 4  # of a world
    further_share: float = 0.25  # of rows of the levels 1 to 3 that have a second request

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise SettingsError(f"rows: must be at least 1, not {self.rows}")
        if self.seed < 0:
            raise SettingsError(f"seed: must be 0 or more, not {self.seed}")
        if not self.levels or any(one not in LEVELS for one in self.levels):
            raise SettingsError(f"levels: must be some of {', '.join(map(str, LEVELS))}, not {list(self.levels)}")
        if not 3 <= self.accounts <= _MOST_ACCOUNTS:
            raise SettingsError(f"accounts: must be from 3 to {_MOST_ACCOUNTS}, not {self.accounts}")
        if not 0 <= self.further_share <= 1:
            raise SettingsError(f"further_share: must be a share from 0 to 1, not {self.further_share}")


@dataclass(frozen=True)
class Solved:
    """How the reference does one request: the calls of each turn, and what it says in the end."""

    turns: tuple[tuple[ToolCall, ...], ...] = field(default=())
    says: str = ""


def bank_tasks(spec: BankSpec) -> list[Task]:
    """`spec.rows` tasks."""
    return [_task(spec, number) for number in range(spec.rows)]


def solution(task: Task) -> list[Solved]:
    """The reference, request by request."""
    return [
        Solved(
            tuple(tuple(ToolCall(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in turn) for turn in one["turns"]), one["says"]
        )
        for one in task.facts["requests"]
    ]


def tool_task_chats(spec: BankSpec) -> pa.Table:
    """The reference's conversations, columns as in CHATS: to imitate before there is anything to reward."""
    rows = [
        {"chat_id": task.task_id, "messages": [asdict(one) for one in conversed(task)], "tools": task.tools, "source": None, "format": None}
        for task in bank_tasks(spec)
    ]
    return pa.Table.from_pylist(rows, schema=CHATS)


def conversed(task: Task) -> list[Message]:
    """A task done by the reference, with the results that the world gives."""
    bank = Bank(task.facts["accounts"])
    tools = {one.name: one for one in bank.tools()}
    messages = list(task.messages)
    for place, (request, solved) in enumerate(zip(task.facts["requests"], solution(task), strict=True)):
        messages += [Message("user", request["text"])] if place else []
        for turn in solved.turns:
            messages.append(Message("assistant", tool_calls=turn))
            results = [tools[call.name].run(**json.loads(call.arguments)) for call in turn]
            messages += [Message("tool", result_text(result), name=call.name) for call, result in zip(turn, results, strict=True)]
        messages.append(Message("assistant", solved.says))
    return messages


def _task(spec: BankSpec, number: int) -> Task:
    draw = Draw(f"bank tasks:{spec.seed}:{number}")
    level = spec.levels[number % len(spec.levels)]
    accounts = _accounts(spec.accounts, draw)
    requests = [draw.pick(LEVELS[level])(accounts, draw)]
    if level <= 3 and draw.whole(1, 1000) <= 1000 * spec.further_share:
        requests.append(draw.pick(FOLLOWING)(requests[0].after, draw))
    facts = {"level": level, "accounts": accounts, "requests": [_facts(one) for one in requests]}
    messages = (Message("system", SYSTEM), Message("user", requests[0].text))
    return Task(f"bank-{spec.seed}/{number:06d}", messages, BANK_TOOLS, facts)


def _facts(request: Request) -> dict[str, Any]:
    """Numbers of accounts have an order that means nothing, so they are sorted: one world has one text."""
    return {
        "text": request.text,
        "after": dict(sorted(request.after.items())),
        "answer": dict(request.answer),
        "calls": request.calls,
        "turns": [[[name, arguments] for name, arguments in turn] for turn in request.turns],
        "says": request.says,
    }


def _accounts(count: int, draw: Draw) -> Accounts:
    """One of them is empty; the others hold different sums."""
    numbers = draw.some(range(10, 100), count)
    owners = draw.some(OWNERS, count)
    cents = (0, *draw.some(range(20, 500), count - 1))
    return {f"A{one}": {"owner": who, "cents": held} for one, who, held in sorted(zip(numbers, owners, cents, strict=True))}
