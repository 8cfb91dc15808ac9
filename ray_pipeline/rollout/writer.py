"""Who writes answers: what an engine in this process and engines elsewhere have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ray_pipeline.rollout.settings import SamplingSettings


@dataclass(frozen=True)
class Request:
    """A prompt to be answered. `seed`: of its draws; None where nothing is drawn by chance. `max_tokens`: None: as many as the sampling allows."""

    ids: Sequence[int]
    seed: int | None = None
    samples: int = 1
    max_tokens: int | None = None


@dataclass(frozen=True)
class Answer:
    """What was drawn for a prompt."""

    ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] | None
    finished: bool  # it ended by itself; else it was cut off


class LetGo(Exception):  # noqa: N818 - nothing is wrong: what was being answered is not wanted any more
    """Answers were given up before they were done."""


class Writer(ABC):
    """Prompts as tokens in, answers as tokens out. `version`: of the weights that write."""

    version: int = 0

    @property
    @abstractmethod
    def room(self) -> int:
        """Tokens of prompt and answer together at most."""

    @abstractmethod
    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        """The answers to each request; raises `LetGo` where these are given up. `sampling.samples` and `sampling.seed` do not count here."""

    @abstractmethod
    def let_go(self) -> None:
        """From another thread: give up what is being answered."""

    @abstractmethod
    def take_weights(self, file: Path, version: int) -> None:
        """From here on the model has these weights (`rollout/weights.py`), and nothing that older ones computed is kept."""

    @abstractmethod
    def each(self) -> Sequence[Writer]:
        """Every engine of it, to be asked alone."""

    @abstractmethod
    def rest(self) -> None:
        """Give back what is not needed until `wake`, where that is wanted."""

    @abstractmethod
    def wake(self) -> None:
        """Be ready again."""

    @abstractmethod
    def close(self) -> None:
        """End what is held."""

    def generate(self, prompts: Sequence[Sequence[int]], sampling: SamplingSettings, first: int = 0) -> list[list[Answer]]:
        """The answers to each prompt. `first`: the place of the first prompt among all, which decides its draws."""
        drawn = sampling.temperature > 0
        asked = [Request(ids, draw_seed(sampling.seed, first + place) if drawn else None, sampling.samples) for place, ids in enumerate(prompts)]
        return self.answer(asked, sampling)


def draw_seed(*numbers: int) -> int:
    """Of the draws that these numbers name."""
    return int(np.random.SeedSequence(list(numbers)).generate_state(1)[0]) & 0x7FFFFFFF
