"""Mine hard negatives: training groups, and an audit of what was dropped and why."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.mine import MiningSettings, mine_groups
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run


class MineJob(JobSettings, RetrievalSettings):
    mining: MiningSettings = section(MiningSettings(), "which negatives, and in what forms")


def mine(settings: MineJob, run: Run) -> None:
    groups = mine_groups(run, retrieve(run, settings, depth=settings.mining.depth), settings.mining)
    print(groups.metrics["audit"])
    print(f"{groups.manifest['rows']:,} groups: {groups.location.uri}")
    print(f"audit: {groups.file('audit.md').uri}")


if __name__ == "__main__":
    main("mine", MineJob, mine)
