"""Put the best candidates of a ranking in a reranker's order, and measure before and after."""

from __future__ import annotations

from jobs.command_line import JobSettings, command_run, main
from jobs.compare import beside
from jobs.evaluate import show
from ray_pipeline.config import section
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.rerank import RerankSettings
from ray_pipeline.pipelines.rerank import rerank as reranked
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run


class RerankJob(JobSettings, RetrievalSettings):
    reranker: RerankerSettings = section(..., "the reranker")
    others: tuple[RerankerSettings, ...] = section((), "further rerankers, whose scores are fused with the first one's")
    rerank: RerankSettings = section(RerankSettings(), "how many candidates, and how several rerankers become one order")
    evaluate: EvaluateSettings = section(EvaluateSettings(), "what is measured")


def rerank(settings: RerankJob, run: Run) -> None:
    found = retrieve(run, settings, depth=settings.rerank.depth)
    after = reranked(run, found, [settings.reranker, *settings.others], settings.rerank)
    reports = [evaluate(run, one, settings, settings.evaluate, command_run("rerank")) for one in (found, after)]
    show(reports[1])
    print(beside("reranked", reports[1], "retrieved", reports[0]))
    print(f"ranking: {after.ranking.location.uri}")


if __name__ == "__main__":
    main("rerank", RerankJob, rerank)
