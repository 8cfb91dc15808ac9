"""Say what a data set of conversations holds: how many, how long in a model's tokens, how often cut at a limit, what is wrong with it."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.describe import DescribeSettings, describe
from ray_pipeline.pipelines.prepare_chats import ChatData
from ray_pipeline.pipelines.stage import Run


class DescribeJob(JobSettings, DescribeSettings):
    chats: ChatData = section(..., "the conversations")
    policy: PolicySettings = section(..., "the model whose tokens are counted; its weights are not loaded")

    def describing(self) -> DescribeSettings:
        return DescribeSettings(**{name: getattr(self, name) for name in DescribeSettings.model_fields})


def run_describe(settings: DescribeJob, run: Run) -> None:
    found = describe(run, settings.chats, settings.policy, settings.describing())
    print(found.file("report.md").read().decode())
    print(f"description: {found.location.uri}")


if __name__ == "__main__":
    main("describe", DescribeJob, run_describe)
