"""A request: what is asked, the calls that do it, and what is right when it is done; with the words and calls that all requests are made of.

What is right (`after`) is worked out on plain numbers, not by replaying the calls: so a fault in either shows as a difference between both.
The words are few, so that a tiny model can learn them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tasks.bank.world import Accounts

Called: TypeAlias = tuple[str, dict[str, Any]]  # a tool and its arguments
OWNERS: Final = ("Anna", "Ben", "Cem", "Dara", "Elena", "Finn", "Grace", "Hugo", "Ida", "Jonas", "Keira", "Leon")


@dataclass(frozen=True)
class Request:
    """`turns`: the calls of each turn; `says`: the reference's last words; `answer`: what last words have to say (`said.answers`)."""

    text: str
    turns: tuple[tuple[Called, ...], ...]
    after: Accounts
    says: str = "Done."
    answer: Mapping[str, Any] = field(default_factory=dict)
    calls: bool = True  # false: any call is a mistake


def find(owner: str) -> Called:
    return "find_account", {"owner": owner}


def look(account: str) -> Called:
    return "balance", {"account": account}


def give(source: str, target: str, cents: int) -> Called:
    return "transfer", {"source": source, "target": target, "cents": cents}


def moved(accounts: Accounts, *moves: tuple[str, str, int]) -> Accounts:
    found = deepcopy(accounts)
    for source, target, cents in moves:
        found[source]["cents"] -= cents
        found[target]["cents"] += cents
    return found


def without(accounts: Accounts, number: str) -> Accounts:
    return {other: one for other, one in accounts.items() if other != number}


def rich(accounts: Accounts) -> list[str]:
    """Accounts that hold something."""
    return [number for number, one in accounts.items() if one["cents"]]


def pair(accounts: Accounts, draw: Draw) -> tuple[str, str]:
    """One that holds something, and another."""
    source = draw.pick(rich(accounts))
    return source, draw.pick([one for one in accounts if one != source])


def owner(accounts: Accounts, number: str) -> str:
    return str(accounts[number]["owner"])


def stranger(accounts: Accounts, draw: Draw) -> str:
    known = {one["owner"] for one in accounts.values()}
    return draw.pick([one for one in OWNERS if one not in known])


def worded(draw: Draw, *wordings: str, **values: Any) -> str:
    return draw.pick(wordings).format(**values)


def number(draw: Draw, cents: int) -> dict[str, Any]:
    return {"says": worded(draw, "{n} cents.", "It is {n} cents.", n=cents), "answer": {"number": cents}}


def refused(draw: Draw) -> dict[str, Any]:
    return {"says": worded(draw, "I cannot do that.", "That cannot be done."), "answer": {"refusal": True}}
