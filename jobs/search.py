"""Find the best documents of each query, exactly, by vectors (search.method=dense) or words (bm25)."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run


class SearchJob(JobSettings, RetrievalSettings):
    pass


def search(settings: SearchJob, run: Run) -> None:
    ranking = retrieve(run, settings).ranking
    print(f"{ranking.manifest['rows']:,} queries ranked: {ranking.location.uri}")


if __name__ == "__main__":
    main("search", SearchJob, search)
