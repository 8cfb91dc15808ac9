"""Ask a policy BFCL's entries with vLLM, several runs: mean, deviation over runs, standard error, and whether two models differ."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.evaluate_tools import EvaluateToolsSettings, evaluate_tools
from ray_pipeline.pipelines.stage import Run


class EvaluateToolsJob(JobSettings, EvaluateToolsSettings):
    policy: PolicySettings = section(..., "the model that answers: a model artifact (jobs.sft, jobs.dpo, jobs.grpo), a folder, or a hub id")

    def evaluating(self) -> EvaluateToolsSettings:
        return EvaluateToolsSettings(**{name: getattr(self, name) for name in EvaluateToolsSettings.model_fields})


def run_evaluate_tools(settings: EvaluateToolsJob, run: Run) -> None:
    found = evaluate_tools(run, settings.policy, settings.evaluating())
    print("\n".join([found.metrics["table"], *found.metrics["differences"]]))
    print(f"report: {found.file('report.md').uri}")


if __name__ == "__main__":
    main("evaluate_tools", EvaluateToolsJob, run_evaluate_tools)
