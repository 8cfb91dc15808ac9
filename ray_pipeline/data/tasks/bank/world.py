"""A bank: accounts, whose they are, how many cents they hold, and the tools that a clerk has.

An owner has one account at most, so a name means one account; money is counted in whole cents, so that what is right is right to the cent. An account
that is opened gets the number behind the largest one: what a world becomes depends on the calls alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from ray_pipeline.data.tasks.tool import Tool, ToolError, tools_json

Accounts: TypeAlias = dict[str, dict[str, Any]]  # number -> {"owner", "cents"}
_OWNER: Final = {"type": "string", "description": "name"}
_ACCOUNT: Final = {"type": "string", "description": "account number"}
_CENTS: Final = {"type": "integer", "minimum": 1, "description": "how many"}


class Bank:
    """Accounts that tools change."""

    def __init__(self, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        self.accounts: Accounts = {number: dict(one) for number, one in accounts.items()}

    def tools(self) -> tuple[Tool, ...]:
        return (
            Tool("find_account", "Find the account of an owner", {"owner": _OWNER}, self.find_account),
            Tool("balance", "How many cents an account holds", {"account": _ACCOUNT}, self.balance),
            Tool("transfer", "Move cents to another account", {"source": _ACCOUNT, "target": _ACCOUNT, "cents": _CENTS}, self.transfer),
            Tool("open_account", "Open an account", {"owner": _OWNER}, self.open_account),
            Tool("close_account", "Close an empty account", {"account": _ACCOUNT}, self.close_account),
        )

    def find_account(self, owner: str) -> dict[str, Any]:
        return {"account": self._of(owner)}

    def balance(self, account: str) -> dict[str, Any]:
        return {"cents": self._held(account)["cents"]}

    def transfer(self, source: str, target: str, cents: int) -> dict[str, Any]:
        giver, taker = self._held(source), self._held(target)
        if giver is taker:
            raise ToolError("source and target are one account")
        if giver["cents"] < cents:
            raise ToolError(f"{source} holds {giver['cents']} cents")
        giver["cents"] -= cents
        taker["cents"] += cents
        return {"moved": cents}

    def open_account(self, owner: str) -> dict[str, Any]:
        if not owner:
            raise ToolError("an owner has a name")
        there = self._of(owner)
        if there is not None:
            raise ToolError(f"{owner} has account {there}")
        number = next_number(self.accounts)
        self.accounts[number] = {"owner": owner, "cents": 0}
        return {"account": number}

    def close_account(self, account: str) -> dict[str, Any]:
        held = self._held(account)["cents"]
        if held:
            raise ToolError(f"{account} holds {held} cents")
        del self.accounts[account]
        return {"closed": account}

    def _of(self, owner: str) -> str | None:
        return next((number for number, one in self.accounts.items() if one["owner"] == owner), None)

    def _held(self, account: str) -> dict[str, Any]:
        if account not in self.accounts:
            raise ToolError(f"there is no account {account}")
        return self.accounts[account]


def next_number(accounts: Accounts) -> str:
    """Of the account that is opened next."""
    return f"A{max((int(one[1:]) for one in accounts), default=9) + 1}"


BANK_TOOLS: Final = tools_json(Bank({}).tools())
