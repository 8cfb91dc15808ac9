"""Engines in processes of their own, apart from the training: they share the prompts, and one that dies or hangs is replaced by another with the
same weights, which answers what the lost one had been asked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.placement.residents import Residents
from ray_pipeline.rollout.settings import EngineSettings, EnginesSettings, SamplingSettings
from ray_pipeline.rollout.writer import Answer, Request, Writer


@dataclass(frozen=True)
class MakeSeat:
    """Makes an engine in the process that will hold it."""

    model: PolicySettings
    engine: EngineSettings
    device: str

    def __call__(self) -> EngineSeat:
        return EngineSeat(self)


class EngineSeat:
    """An engine and what a process needs to hold one: a place for the weights that reach it, and an end with its engine's end."""

    def __init__(self, plan: MakeSeat) -> None:
        from ray_pipeline.rollout.engine import Engine  # vLLM: only where text is generated

        self._engine = Engine(plan.model, plan.engine, plan.device, takes_weights=True)
        self._folder = Path(tempfile.mkdtemp(prefix="weights-"))
        self.room = self._engine.room

    @property
    def moved(self) -> float:
        return self._engine.moved

    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            return self._engine.answer(requests, sampling)
        except EngineDeadError:
            os._exit(1)  # without its engine this process is of no use; whoever asked sees it go and gets another

    def let_go(self) -> None:
        self._engine.let_go()

    def take_file(self, file: str, version: int) -> bool:
        """Take weights from a file, if this machine has it."""
        if not Path(file).exists():
            return False
        self._engine.take_weights(Path(file), version)
        return True

    def take_bytes(self, data: NDArray[np.uint8], version: int) -> None:
        """Take weights that came over the network."""
        file = self._folder / "weights.safetensors"
        data.tofile(file)
        self._engine.take_weights(file, version)
        file.unlink()

    def close(self) -> None:
        self._engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class EnginePool(Writer):
    """Several engines as one."""

    def __init__(self, model: PolicySettings, engine: EngineSettings, settings: EnginesSettings, device: str) -> None:
        self._weights: tuple[Path, int] | None = None
        needs = {"num_cpus": settings.cpus, "num_gpus": settings.gpus}
        self._held = Residents(MakeSeat(model, engine, device), settings.count, needs, settings.hung_after, settings.restarts, self._settle)
        self._room = int(self._held.one(0, "room"))

    @property
    def room(self) -> int:
        return self._room

    @property
    def restarted(self) -> int:
        """Engines that were replaced so far."""
        return self._held.restarted

    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        bounds = np.linspace(0, len(requests), len(self._held) + 1).astype(int)  # neighbours together: they share their beginnings
        parts = {place: (list(requests[bounds[place] : bounds[place + 1]]), sampling) for place in range(len(self._held))}
        found = self._held.all("answer", {place: given for place, given in parts.items() if given[0]})
        return [answers for place in sorted(found) for answers in found[place]]

    def let_go(self) -> None:
        self._held.tell("let_go")

    def take_weights(self, file: Path, version: int) -> None:
        self._weights = (file, version)
        here = self._held.all("take_file", {place: (str(file), version) for place in range(len(self._held))})
        self._send([place for place, taken in here.items() if not taken])
        self.version = version

    def rest(self) -> None:
        """Engines apart share no memory with the training, so there is nothing to give back."""

    def wake(self) -> None:
        """They never rest."""

    def each(self) -> Sequence[Writer]:
        return [_Alone(self, place) for place in range(len(self._held))]

    def alone(self, place: int, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        """One engine's answers to all of them."""
        found: list[list[Answer]] = self._held.all("answer", {place: (list(requests), sampling)})[place]
        return found

    def close(self) -> None:
        self._held.close()

    def _settle(self, place: int) -> None:
        """Bring a new engine to where the others are."""
        if self._weights is not None and not self._held.one(place, "take_file", str(self._weights[0]), self._weights[1]):
            self._send([place])

    def _send(self, places: Sequence[int]) -> None:
        """Weights to engines on other machines."""
        if places and self._weights is not None:
            file, version = self._weights
            data = np.fromfile(file, dtype=np.uint8)
            self._held.all("take_bytes", dict.fromkeys(places, (data, version)))


class _Alone(Writer):
    """One engine of a pool."""

    def __init__(self, pool: EnginePool, place: int) -> None:
        self._pool, self._place, self.version = pool, place, pool.version

    @property
    def room(self) -> int:
        return self._pool.room

    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        return self._pool.alone(self._place, requests, sampling)

    def let_go(self) -> None:
        self._pool.let_go()

    def take_weights(self, file: Path, version: int) -> None:
        self._pool.take_weights(file, version)

    def rest(self) -> None:
        """See the pool."""

    def wake(self) -> None:
        """See the pool."""

    def each(self) -> Sequence[Writer]:
        return [self]

    def close(self) -> None:
        """The pool is what is closed."""


def opened(model: PolicySettings, engine: EngineSettings, engines: EnginesSettings, device: str) -> Writer:
    """An engine beside the training, in its own process group; or engines apart from it."""
    if engines.apart:
        return EnginePool(model, engine, engines, device)
    from ray_pipeline.rollout.engine import Engine

    return Engine(model, engine, device, takes_weights=True)
