"""Stage `ranking` once more: the best candidates of a ranking in the order that rerankers give them.

Each reranker scores the candidates (`score.py`), one alone decides the order or several are fused, the retrieval's own scores among
them if asked. What stands behind the candidates keeps its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from ray_pipeline.artifacts import Attempt, parquet_bytes, write_shard
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.rows import Rows
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.pipelines.retrieve import Retrieved
from ray_pipeline.pipelines.score import score_ranking
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.retrieval.fusion import fused
from ray_pipeline.retrieval.rerank import reordered
from ray_pipeline.retrieval.score import ScoreSettings
from ray_pipeline.retrieval.search_shards import teacher_scores_of

ALGORITHM = 1
_BLOCK = 8192  # queries at a time


class RerankSettings(Settings):
    """How many candidates are put in order, and by what."""

    depth: int = identity(25, "candidates a query", ge=2)
    fusion: Literal["none", "rrf", "weighted", "z-norm"] = identity("none", "how several scorings become one; none: one reranker decides alone")
    with_retrieval: bool = identity(False, "the retrieval's own scores are one of the scorings, the first")
    weights: tuple[float, ...] = identity((), "of the scorings in their order; none: 1 each")
    score: ScoreSettings = section(ScoreSettings(), "how pairs are cut into shards and batches")

    @model_validator(mode="after")
    def _makes_sense(self) -> RerankSettings:
        if self.fusion == "none" and (self.with_retrieval or self.weights):
            raise ValueError("with_retrieval and weights are read by a fusion; set fusion to rrf, weighted or z-norm")
        return self

    def require_scorings(self, rerankers: int) -> None:
        """Refuse a number of rerankers that these settings cannot put together."""
        count = rerankers + self.with_retrieval
        if self.fusion == "none" and rerankers != 1:
            raise ValueError(f"{rerankers} rerankers and rerank.fusion=none: say how they become one (rrf, weighted, z-norm)")
        if self.fusion != "none" and count < 2:
            raise ValueError(f"rerank.fusion={self.fusion} with one scoring changes nothing; add a reranker, or set rerank.with_retrieval=true")
        if self.weights and len(self.weights) != count:
            raise ValueError(f"rerank.weights has {len(self.weights)} entries for {count} scorings; give one each")


def rerank(run: Run, found: Retrieved, rerankers: Sequence[RerankerSettings], settings: RerankSettings) -> Retrieved:
    """What was retrieved, its candidates in a new order."""
    settings.require_scorings(len(rerankers))
    scored = [score_ranking(run, found, one, settings.score, settings.depth) for one in rerankers]
    inputs = {f"scores_{number}": artifact.as_input() for number, artifact in enumerate(scored)}
    stage = Stage("ranking", ALGORITHM, {"rerank": settings}, inputs, {"split": found.split, "step": "rerank"})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        rows = [Rows.of(one, "ranking/") for one in scored]
        shards = [shard for shard in shards_of(len(rows[0]), _BLOCK) if shard["shard"] not in finished]

        def records() -> Any:
            for shard in shards:
                table = _block(rows, shard["start"], shard["stop"], settings).to_table()
                counts = {"counts": {"queries": table.num_rows}}
                yield write_shard(attempt.location, attempt.prefix, shard["shard"], parquet_bytes(table), table.num_rows, counts)

        collect_shards(attempt, "ranking/", finished, len(shards_of(len(rows[0]), _BLOCK)), records())
        names = [one.metrics["reranker"] for one in scored]
        return Outcome(len(rows[0]), {"rerankers": names, "pairs": sum(one.metrics["pairs"] for one in scored)})

    return replace(found, ranking=run.ensure(stage, build), first=found.ranking)


def _block(rows: Sequence[Rows], start: int, stop: int, settings: RerankSettings) -> Ranking:
    tables = [one.slice(start, stop) for one in rows]
    first = Ranking.from_table(tables[0])
    scorings: list[NDArray[np.float32]] = [teacher_scores_of(table, settings.depth) for table in tables]
    if settings.with_retrieval:
        scorings.insert(0, first.scores[:, : settings.depth])
    if settings.fusion == "none":
        return reordered(first, scorings[0])
    return reordered(first, fused(first.docs[:, : settings.depth], scorings, settings.fusion, settings.weights or None))
