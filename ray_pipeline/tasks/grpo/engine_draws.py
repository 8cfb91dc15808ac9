"""Draws from an engine that this process holds: weights handed over and checked, rollouts drawn, judged, kept, and made into what is learned.

Files of a draw (`rollouts/`): a row a rollout, with its reward and the parts of it, as it was drawn and whatever became of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import File, parquet_bytes, read_parquet
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.rollout.drawing import Draw, Prompt, draw
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.parity import require_parity
from ray_pipeline.rollout.rewards.judge import Judge
from ray_pipeline.rollout.weights import write_weights
from ray_pipeline.schemas import ROLLOUTS
from ray_pipeline.storage import Location
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.rollouts import Drawn, Rollout, learned_from
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class Kept:
    """Where rollouts are kept: under an attempt's prefix."""

    artifact: Location
    prefix: str

    def write(self, number: int, rank: int, rows: Sequence[dict[str, Any]]) -> None:
        place = self.artifact / f"{self.prefix}/rollouts/{number:06d}-{rank:03d}.parquet"
        place.write(parquet_bytes(pa.Table.from_pylist(list(rows), schema=ROLLOUTS)))

    def files(self) -> list[dict[str, Any]]:
        """All that were kept, by this attempt and by those before; of a draw that was made twice the later one."""
        found: dict[str, Location] = {}
        for attempt in sorted((self.artifact / "attempts").children(), key=lambda place: place.name):
            found |= {place.name: place for place in (attempt / "rollouts").children()}
        return [{"name": f"rollouts/{name}", "file": vars(self._described(place))} for name, place in sorted(found.items())]

    def _described(self, place: Location) -> File:
        digest, size = place.sha256()
        return File(self.artifact.relative(place), size, digest, read_parquet(place).num_rows)


class EngineDraws:
    """What `RolloutSource` asks. `decode` keeps special tokens; `folder`: where weights are handed over."""

    def __init__(
        self,
        engine: Engine,
        task: GrpoTask,
        prompts: Sequence[Prompt],
        settings: GrpoTraining,
        judge: Judge,
        decode: Callable[[Sequence[int]], str],
        folder: Path,
        kept: Kept,
        group: Group,
    ) -> None:
        self.engine, self.task, self.prompts, self.settings = engine, task, prompts, settings
        self.judge, self.decode, self.folder, self.kept, self.group = judge, decode, folder, kept, group
        self._handed = 0

    def hand_over(self, step: int) -> None:
        self.engine.take_weights(write_weights(self.policy, self.folder, step), step)
        parity = self.settings.parity
        if self._handed % parity.every == 0:
            probes = [list(one.ids) for one in self.prompts[: parity.prompts]]
            require_parity(self.engine, self.policy, probes, parity.most, step)
        self._handed += 1

    @property
    def policy(self) -> Policy:
        return self.task.model

    def draw(self, rows: NDArray[np.int64], number: int) -> RolloutBatch:
        prompts = [self.prompts[row] for row in rows]
        first = (number * self.group.world + self.group.rank) * self.settings.train.batch_size
        drawn = draw(self.engine, prompts, first, self.settings.draw, self.judge, self.decode)
        self.kept.write(number, self.group.rank, [_row(one, place % self.settings.draw.rollouts) for place, one in enumerate(drawn)])
        found = learned_from([_rollout(one) for one in drawn], self.settings, lambda batch: self.task.likelihoods(batch)[1])
        return replace(found.batch, figures=_figures(drawn, found, list(self.settings.reward.parts)))


def _figures(drawn: Sequence[Draw], found: Drawn, parts: Sequence[str]) -> dict[str, float]:
    """What is logged of a draw: the same names for each."""
    count = len(drawn)
    rewards = [one.rewarded.reward for one in drawn]
    by_part = {f"reward_{name}": float(np.mean([one.rewarded.parts.get(name, 0.0) for one in drawn])) for name in parts} if len(parts) > 1 else {}
    return {
        "reward": float(np.mean(rewards)),
        "reward_std": float(np.std(rewards)),
        **by_part,
        "uniform": found.uniform / count,
        "failed": found.failed / count,
        "truncated": sum(not one.answer.finished for one in drawn) / count,
        "answer_tokens": sum(len(one.answer.ids) for one in drawn) / count,
        "thought_tokens": sum(one.thought for one in drawn) / count,
    }


def _rollout(one: Draw) -> Rollout:
    answer = one.answer
    return Rollout(
        prompt_id=one.prompt.prompt_id,
        prompt=one.prompt.ids,
        ids=answer.ids,
        written=(True,) * len(answer.ids),
        logprobs=answer.logprobs or (),
        thought=one.thought,
        reward=one.rewarded.reward,
        failed=one.rewarded.failed is not None,
        truncated=not answer.finished,
        version=one.version,
    )


def _row(one: Draw, sample: int) -> dict[str, Any]:
    return {
        "prompt_id": one.prompt.prompt_id,
        "sample": sample,
        "prompt_ids": list(one.prompt.ids),
        "ids": list(one.answer.ids),
        "logprobs": list(one.answer.logprobs or ()),
        "text": one.answer.text,
        "reward": one.rewarded.reward,
        "parts": json.dumps(one.rewarded.parts, sort_keys=True),
        "failed": one.rewarded.failed,
        "truncated": not one.answer.finished,
        "version": one.version,
    }
