"""A batch as a file, while it is learned from in several steps: a run that is stopped between them goes on with the very same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from ray_pipeline.errors import TrainingError
from ray_pipeline.storage import Location
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import Tokens


@dataclass(frozen=True)
class UnfinishedBatches:
    """One file a rank under an attempt's prefix: that of the newest draw."""

    artifact: Location
    prefix: str
    rank: int

    def write(self, batch: RolloutBatch, draw: int) -> None:
        """In place of the last one."""
        tokens = batch.rows.tokens
        arrays: dict[str, Any] = {
            "ids": tokens.ids,
            "offsets": tokens.offsets,
            "learned": batch.rows.learned,
            "groups": batch.groups,
            "advantages": batch.advantages,
            "engine": batch.engine,
            "idle": np.array([batch.idle]),
            "draw": np.array([draw]),
            **({} if batch.old is None else {"old": batch.old}),
            **({} if batch.thought is None else {"thought": batch.thought}),
            **{f"figure.{name}": np.array([value], dtype=np.float64) for name, value in batch.figures.items()},
        }
        (self.artifact / self.prefix / self._name).write(save({name: np.ascontiguousarray(one) for name, one in arrays.items()}))

    def read(self, draw: int) -> RolloutBatch:
        """That of this draw, by whichever attempt made it last."""
        for attempt in sorted((self.artifact / "attempts").children(), key=lambda place: place.name, reverse=True):
            place = attempt / self._name
            if not place.exists():
                continue
            found = load(place.read())
            if int(found["draw"][0]) == draw:
                return _batch(found)
        raise TrainingError(
            f"{self.artifact.uri}: the run stopped while it learned from draw {draw}, and the file of it ({self._name}) is gone; "
            "delete the newest checkpoint to go on from the one before"
        )

    @property
    def _name(self) -> str:
        return f"unfinished-{self.rank:03d}.safetensors"


def _batch(found: dict[str, Any]) -> RolloutBatch:
    figures = {name.removeprefix("figure."): float(one[0]) for name, one in found.items() if name.startswith("figure.")}
    rows = LearnedTokens(Tokens(found["ids"], found["offsets"], 0), found["learned"])
    return RolloutBatch(
        rows,
        found["groups"],
        found["advantages"],
        found["engine"],
        found.get("old"),
        found.get("thought"),
        bool(found["idle"][0]),
        figures,
    )
