"""Which generated tasks of a bank's clerk: to be done in the environment (`prepare_tasks`), or as the reference did them (`prepare_chats`)."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity
from ray_pipeline.data.tasks.bank.generate import BankSpec

Level = Literal[1, 2, 3, 4, 5]


class BankChoice(Settings):
    """The same values give the same tasks, wherever they are wanted."""

    rows: int = identity(4000, "how many tasks", ge=1)
    seed: int = identity(0, "the same seed gives the same tasks", ge=0)
    levels: tuple[Level, ...] = identity(
        (1, 2, 3, 4, 5),
        "in turn: 1 one call; 2 look up, then act; 3 what to do depends on a balance; 4 several steps; 5 refused, or no call",
        min_length=1,
    )
    accounts: int = identity(4, "accounts of a world", ge=3, le=10)
    further_share: float = identity(0.25, "share of tasks of the levels 1 to 3 with a second request", ge=0, le=1)

    def spec(self) -> BankSpec:
        return BankSpec(self.rows, self.seed, self.levels, self.accounts, self.further_share)
