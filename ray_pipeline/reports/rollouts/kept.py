"""The rollouts that a reinforcement learning kept, draw by draw, and the steps that learned from each.

A run may keep more rollouts than memory holds, so a draw is read at a time and forgotten.

Trap: a draw whose every prompt had rollouts of one worth taught nothing and made no step; it is counted to the steps that follow. Which draws
those were is found by the training's own rule, for the files do not say it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, File, read_parquet
from ray_pipeline.errors import ArtifactError
from ray_pipeline.objectives.advantage import teaches
from ray_pipeline.schemas import ROLLOUTS, conform
from ray_pipeline.tasks.grpo.update_settings import UpdateSettings

PART = "rollouts/"


@dataclass(frozen=True, eq=False)
class Draw:
    """All ranks' rollouts of one draw. `steps`: those that learned from it; `uniform`: whether each is of a prompt whose rollouts are all worth the
    same."""

    number: int
    steps: range
    table: pa.Table
    uniform: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> Draw:
        """Some of it."""
        return replace(self, table=self.table.filter(pa.array(chosen)), uniform=self.uniform[chosen])

    @property
    def step(self) -> str:
        """The steps in words."""
        return f"{self.steps[0]:,}" if len(self.steps) == 1 else f"{self.steps[0]:,} to {self.steps[-1]:,}"


def draws_of(artifact: Artifact) -> Iterator[Draw]:
    """In the order in which they were drawn."""
    training = artifact.manifest["identity"].get("training", {})
    updates = UpdateSettings(**training.get("updates", {})).steps
    if not artifact.files(PART):
        task = artifact.manifest["identity"].get("task", "another task")
        raise ArtifactError(f"{artifact.location.uri}: no rollouts are kept here, for it was trained by {task}; give a policy that jobs.grpo trained")
    listed = [(int(entry["name"].removeprefix(PART).partition("-")[0]), File(**entry["file"])) for entry in _entries(artifact)]
    step = 1
    for number, files in groupby(listed, key=lambda one: one[0]):
        tables = [conform(read_parquet(place := artifact.location / file.path), ROLLOUTS, place.uri) for _, file in files]
        table = pa.concat_tables(tables)
        grouped = _grouped(table, bool(training.get("drop_truncated")))
        differ = np.zeros(table.num_rows, dtype=np.bool_)
        differ[grouped] = _differ(table, grouped)
        uniform = np.zeros(table.num_rows, dtype=np.bool_)
        uniform[grouped] = ~differ[grouped]
        yield Draw(number, range(step, step + updates), table, uniform)
        step += updates * bool(differ.any())


def _entries(artifact: Artifact) -> list[dict[str, Any]]:
    return [entry for entry in artifact.manifest["files"] if entry["name"].startswith(PART)]


def _grouped(table: pa.Table, drop_truncated: bool) -> NDArray[np.int64]:
    """The rows that are compared with another rollout of their prompt."""
    sound = table["failed"].is_null().to_numpy() & ~(table["truncated"].to_numpy() if drop_truncated else np.zeros(table.num_rows, dtype=np.bool_))
    rows = np.flatnonzero(sound)
    names = table["prompt_id"].take(pa.array(rows)).to_pylist()
    count = Counter(names)
    return np.array([row for row, name in zip(rows, names, strict=True) if count[name] > 1], dtype=np.int64)


def _differ(table: pa.Table, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of these rows, whether the rewards of their prompt differ."""
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(name, len(numbers)) for name in table["prompt_id"].take(pa.array(rows)).to_pylist()]
    rewards = torch.from_numpy(table["reward"].to_numpy()[rows].copy())
    found: NDArray[np.bool_] = teaches(rewards, torch.tensor(groups, dtype=torch.int64)).numpy()
    return found
