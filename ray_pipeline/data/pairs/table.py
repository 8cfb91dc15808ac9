"""Pairs and imitated solutions as Arrow tables that trainings read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ray_pipeline.data.pairs.make import Pair
from ray_pipeline.data.pairs.solution import Solution
from ray_pipeline.schemas import CHATS, PREFERENCES
from ray_pipeline.text.chat.conversation import Message


def preference_table(pairs: Sequence[Pair], name: str) -> pa.Table:
    """PREFERENCES of the set `name`: the prompt a user's message, both programs an assistant's. An id tells problem and samples."""
    columns: dict[str, list[Any]] = {
        "pair_id": [f"{pair.task_id}/{pair.chosen_sample}>{pair.rejected_sample}" for pair in pairs],
        "set": [name] * len(pairs),
        "prompt": [_message("user", pair.prompt) for pair in pairs],
        "chosen": [_message("assistant", pair.chosen) for pair in pairs],
        "rejected": [_message("assistant", pair.rejected) for pair in pairs],
        "tools": [None] * len(pairs),
        "weight": [pair.weight for pair in pairs],
        "source": [None] * len(pairs),
    }
    return pa.table(columns, schema=PREFERENCES)


def imitation_table(solutions: Iterable[Solution]) -> pa.Table:
    """CHATS: each solution the answer to its prompt."""
    rows = list(solutions)
    columns: dict[str, list[Any]] = {
        "chat_id": [f"{one.task_id}/{one.sample}" for one in rows],
        "messages": [_message("user", one.prompt) + _message("assistant", one.text) for one in rows],
        "tools": [None] * len(rows),
        "source": [None] * len(rows),
        "format": [None] * len(rows),
    }
    return pa.table(columns, schema=CHATS)


def _message(role: str, content: str) -> list[dict[str, Any]]:
    return [asdict(Message(role, content))]
