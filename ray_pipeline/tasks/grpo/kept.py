"""Rollouts as they are kept: a file a draw and rank, a row a rollout, with its reward and the parts of it, whatever became of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.artifacts import File, parquet_bytes, read_parquet
from ray_pipeline.rollout.drawing import Draw
from ray_pipeline.rollout.environments.environment import Standing
from ray_pipeline.rollout.rewards.judge import Rewarded
from ray_pipeline.rollout.turns import Played
from ray_pipeline.schemas import ROLLOUTS
from ray_pipeline.storage import Location


@dataclass(frozen=True)
class Kept:
    """Where rollouts are kept: under an attempt's prefix. `decode` keeps special tokens."""

    artifact: Location
    prefix: str
    decode: Callable[[Sequence[int]], str]

    def write(self, number: int, rank: int, draws: Sequence[Draw]) -> None:
        place = self.artifact / f"{self.prefix}/rollouts/{number:06d}-{rank:03d}.parquet"
        place.write(parquet_bytes(pa.Table.from_pylist([self._row(one) for one in draws], schema=ROLLOUTS)))

    def _row(self, one: Draw) -> dict[str, Any]:
        played = one.played
        single = len(played.replies) == 1 and all(played.written)
        standing = played.standing
        return {
            "prompt_id": one.prompt_id,
            "sample": one.sample,
            "prompt_ids": list(played.prompt),
            "ids": list(played.ids),
            "logprobs": list(played.logprobs),
            "text": played.replies[0] if single else self.decode(played.ids),
            "reward": one.rewarded.reward,
            "parts": json.dumps(one.rewarded.parts, sort_keys=True),
            "failed": one.rewarded.failed,
            "truncated": played.truncated,
            "version": one.version,
            "written": None if single else list(played.written),
            "turns": len(played.replies),
            "calls": None if standing is None else standing.calls,
            "failed_calls": None if standing is None else standing.failed,
            "thought": None if not any(played.thought) else list(played.thought),
        }


def kept_files(artifact: Location) -> list[dict[str, Any]]:
    """All that were kept, by this attempt and by those before; of a draw that was made twice the later one."""
    found: dict[str, Location] = {}
    for attempt in sorted((artifact / "attempts").children(), key=lambda place: place.name):
        found |= {place.name: place for place in (attempt / "rollouts").children()}
    return [{"name": f"rollouts/{name}", "file": vars(_described(artifact, place))} for name, place in sorted(found.items())]


def _described(artifact: Location, place: Location) -> File:
    digest, size = place.sha256()
    return File(artifact.relative(place), size, digest, read_parquet(place).num_rows)


def draws_of(table: pa.Table) -> list[Draw]:
    """What was drawn, from the rows that it was kept as; of several replies only the whole text is known."""
    return [_draw(row) for row in table.to_pylist()]


def _draw(row: dict[str, Any]) -> Draw:
    standing = None if row["calls"] is None else Standing(row["reward"], row["calls"], row["failed_calls"])
    played = Played(
        tuple(row["prompt_ids"]),
        tuple(row["ids"]),
        tuple(row["written"] or (True,) * len(row["ids"])),
        tuple(row["logprobs"]),
        tuple(row["thought"] or (False,) * len(row["logprobs"])),
        (row["text"],),
        row["truncated"],
        standing,
    )
    return Draw(row["prompt_id"], row["sample"], played, Rewarded(row["reward"], json.loads(row["parts"]), row["failed"]), row["version"])
