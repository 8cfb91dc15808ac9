"""Conversations written shard by shard: which tools each offers follows from its number alone, so a killed run goes on with the shards that are
missing and pays for nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.chats.table import values_of
from ray_pipeline.schemas import CHATS
from ray_pipeline.storage import Location
from ray_pipeline.synthesis.dialogue import Dialogue, UnusableError
from ray_pipeline.synthesis.endpoint import Endpoint
from ray_pipeline.synthesis.settings import DialogueSettings, EndpointSettings
from ray_pipeline.text.chat.conversation import Conversation, faults

FORMAT = "openai"


def nothing(shard: dict[str, Any]) -> dict[str, Any]:
    """There is nothing to prepare."""
    return shard


@dataclass(frozen=True)
class MakeDialogueShard:
    """Makes the worker; it needs no device."""

    tools: Sequence[Mapping[str, Any]]
    endpoint: EndpointSettings
    dialogue: DialogueSettings
    seed: int
    most_cost: float | None  # of a conversation, on average over a shard
    artifact: str
    prefix: str

    def __call__(self, device: str) -> DialogueShard:
        return DialogueShard(self)


class DialogueShard:
    """Writes the conversations of a shard, several at a time."""

    def __init__(self, plan: MakeDialogueShard) -> None:
        self.plan = plan

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        return asyncio.run(self._written(payload))

    async def _written(self, payload: dict[str, Any]) -> dict[str, Any]:
        plan, started = self.plan, time.time()
        numbers = range(payload["start"], payload["stop"])
        async with aiohttp.ClientSession() as session:
            endpoint = Endpoint(plan.endpoint, session, None if plan.most_cost is None else plan.most_cost * len(numbers))
            dialogue = Dialogue(endpoint, plan.dialogue)
            found = await asyncio.gather(*(self._one(dialogue, number) for number in numbers))
        kept = [one for one in found if isinstance(one, Conversation)]
        why = Counter(f"left_out: {one}" for one in found if isinstance(one, str))
        rows = [values_of(one, number, None, FORMAT) for number, one in enumerate(kept)]
        table = pa.Table.from_pylist([dict(zip(CHATS.names, row, strict=True)) for row in rows], schema=CHATS)
        spent = endpoint.spent
        counts = {"conversations": len(kept), **why, **{name: int(value) for name, value in vars(spent).items()}}
        extra = {"counts": counts, "cost": spent.cost(plan.endpoint), "started": started, "ended": time.time()}
        return write_shard(Location.of(plan.artifact), plan.prefix, payload["shard"], parquet_bytes(table), len(table), extra)

    async def _one(self, dialogue: Dialogue, number: int) -> Conversation | str:
        """The conversation, or why it is left out."""
        plan = self.plan
        try:
            found = await dialogue.write(tools_of(plan.tools, plan.dialogue, plan.seed, number), number)
        except UnusableError as problem:
            return str(problem)
        return faults(found)[0] if faults(found) else found


def tools_of(tools: Sequence[Mapping[str, Any]], settings: DialogueSettings, seed: int, number: int) -> list[Mapping[str, Any]]:
    """Those that a conversation offers."""
    generator = np.random.default_rng([seed, number])
    most = min(settings.most_tools, len(tools))
    count = int(generator.integers(min(settings.least_tools, most), most + 1))
    return [tools[place] for place in generator.permutation(len(tools))[:count]]
