"""Judge programs by their problems, in the sandbox: which are right, why the others are not, Pass@k with intervals."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.judge import JudgeSettings, judge_solutions, summary
from ray_pipeline.pipelines.problems import ProblemData, prepare_problems
from ray_pipeline.pipelines.solutions import SolutionData, gather_solutions
from ray_pipeline.pipelines.stage import Run


class JudgeJob(JobSettings, JudgeSettings):
    problems: ProblemData = section(..., "the problems")
    solutions: SolutionData = section(..., "the programs")

    def judging(self) -> JudgeSettings:
        return JudgeSettings(**{name: getattr(self, name) for name in JudgeSettings.model_fields})


def run_judge(settings: JudgeJob, run: Run) -> None:
    problems = prepare_problems(run, settings.problems)
    verdicts = judge_solutions(run, problems, gather_solutions(run, problems, settings.solutions), settings.judging())
    print(summary(verdicts, settings.judging()))
    print(f"verdicts: {verdicts.location.uri}")


if __name__ == "__main__":
    main("judge", JudgeJob, run_judge)
