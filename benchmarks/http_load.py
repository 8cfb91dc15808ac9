"""A closed loop of clients against an HTTP service on loopback: each sends its next request when the last was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

Body = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Bounds:
    """When a load ends, whichever comes first."""

    seconds: float
    requests: int


@dataclass
class Measured:
    """What a load saw."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def at(self, percent: float) -> float:
        return float(np.percentile(self.milliseconds, percent))


def load(address: str, path: str, body: Body, clients: int, bounds: Bounds) -> Measured:
    """So many clients, each asking as soon as it was answered; the first answers, which warm up, are left out."""
    return asyncio.run(_load(address, path, body, clients, bounds))


async def _load(address: str, path: str, body: Body, clients: int, bounds: Bounds) -> Measured:
    found = Measured()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for _ in range(3):
            await (await session.post(address + path, json=body())).read()
        started = time.perf_counter()
        until = started + bounds.seconds

        async def client() -> None:
            while time.perf_counter() < until and len(found.milliseconds) < bounds.requests:
                asked = time.perf_counter()
                async with session.post(address + path, json=body()) as answer:
                    await answer.read()
                found.statuses[answer.status] = found.statuses.get(answer.status, 0) + 1
                if answer.status == 200:
                    found.milliseconds.append(1000 * (time.perf_counter() - asked))

        await asyncio.gather(*(client() for _ in range(clients)))
        found.seconds = time.perf_counter() - started
    return found
