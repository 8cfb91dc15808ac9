"""A reranker's scores beside ids: stages `groups` and `ranking` again, with a teacher's scores.

What comes out is what went in, one column richer, so it goes wherever the former can: scored groups into a training that distils,
a scored ranking into mining (`mining.teacher_max`) and into reranking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.retrieve import Retrieved
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.retrieval.paired import Paired, PairedGroups, PairedRanking, ScoredRows
from ray_pipeline.retrieval.score import MakeScoreShard, ScoreSettings, TokenisePairs
from ray_pipeline.retrieval.score_lists import MakeListShard, ReadTexts

ALGORITHM = 1


def score_groups(run: Run, groups: Artifact, reranker: RerankerSettings, settings: ScoreSettings) -> Artifact:
    """The groups with a score for every positive and negative."""
    if reranker.listwise:
        raise SettingsError(f"reranker.kind={reranker.kind} gives places and no scores, which teach nothing; take a reranker of pairs")
    rows = Rows.of(groups, "groups/")
    stage = Stage(
        "groups",
        ALGORITHM,
        {"reranker": reranker, "score": settings},
        {"groups": groups.as_input("groups/"), "reranker": _model(reranker)},
    )
    return _scored(run, stage, "groups/", PairedGroups(rows), len(rows), reranker, settings)


def score_ranking(run: Run, found: Retrieved, reranker: RerankerSettings, settings: ScoreSettings, depth: int) -> Artifact:
    """The ranking with a score for the best `depth` documents of each query."""
    _deep_enough(found.ranking, depth)
    rows = Rows.of(found.ranking, "ranking/")
    stage = Stage(
        "ranking",
        ALGORITHM,
        {"reranker": reranker, "score": settings},
        {"ranking": found.ranking.as_input(), "data": found.data.artifact.as_input(), "reranker": _model(reranker)},
        {"split": found.split, "depth": depth},
    )
    texts = Rows.of(found.data.artifact, found.data.query_part(found.split)), Rows.of(found.data.artifact, "corpus/")
    return _scored(run, stage, "ranking/", PairedRanking(rows, *texts, depth), len(rows), reranker, settings)


def _scored(run: Run, stage: Stage, part: str, paired: Paired, rows: int, reranker: RerankerSettings, settings: ScoreSettings) -> Artifact:
    files = locate(reranker.name, reranker.revision)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        shards = shards_of(rows, settings.shard_rows)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        scored = ScoredRows(paired, attempt.location.uri, attempt.prefix)
        if reranker.listwise:
            results = run_shards(todo, ReadTexts(paired), MakeListShard(scored, reranker), run.cluster)
        else:
            results = run_shards(todo, TokenisePairs(paired, reranker), MakeScoreShard(scored, reranker, settings), run.cluster)
        records = collect_shards(attempt, part, finished, len(shards), results)
        return Outcome(rows, {**summed(records), "reranker": files.name, "revision": files.revision}, placed_workers(records))

    return run.ensure(stage, build)


def _model(reranker: RerankerSettings) -> Any:
    return locate(reranker.name, reranker.revision).as_input()


def _deep_enough(ranking: Artifact, depth: int) -> None:
    """Refuse to score deeper than the search went."""
    asked = ranking.manifest["settings"].get("search", {}).get("k")
    if asked is not None and asked < depth:
        raise SettingsError(f"the best {depth} documents of each query are to be scored, the ranking holds {asked}; set search.k={depth} or more")
