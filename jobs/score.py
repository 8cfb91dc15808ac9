"""Let a reranker score pairs: the documents of training groups, or the best of a ranking."""

from __future__ import annotations

from pydantic import model_validator

from jobs.command_line import JobSettings, main
from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.config import identity, section, source
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.score import score_groups, score_ranking
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.score import ScoreSettings


class ScoreJob(JobSettings, RetrievalSettings):
    reranker: RerankerSettings = section(..., "the reranker")
    groups: str | None = source(None, "a groups artifact to score; null: the ranking of the split's queries")
    depth: int = identity(25, "documents a query that are scored, of a ranking", ge=1)
    score: ScoreSettings = section(ScoreSettings(), "how pairs are cut into shards and batches")

    @model_validator(mode="after")
    def _one_thing(self) -> ScoreJob:
        if self.groups is not None and self.ranking is not None:
            raise ValueError("groups and ranking both name what to score; give one")
        return self


def score(settings: ScoreJob, run: Run) -> None:
    show(_scored(settings, run))


def show(scored: Artifact) -> None:
    metrics = scored.metrics
    print(f"{metrics['pairs']:,} pairs of {metrics['queries']:,} queries scored by {metrics['reranker']}, {metrics['truncated']:,} of them cut")
    print(f"{scored.stage}: {scored.location.uri}")


def _scored(settings: ScoreJob, run: Run) -> Artifact:
    if settings.groups is not None:
        return score_groups(run, load(settings.groups, "groups"), settings.reranker, settings.score)
    return score_ranking(run, retrieve(run, settings, depth=settings.depth), settings.reranker, settings.score, settings.depth)


if __name__ == "__main__":
    main("score", ScoreJob, score)
