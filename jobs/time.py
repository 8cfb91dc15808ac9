"""Time right programs in the sandbox: computing time of large inputs, fresh processes by turns, until each median is known."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.judge import JudgeSettings, judge_solutions, summary
from ray_pipeline.pipelines.problems import ProblemData, prepare_problems
from ray_pipeline.pipelines.solutions import SolutionData, gather_solutions
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.timings import TimeSettings, time_solutions, timing_summary


class TimeJob(JobSettings, TimeSettings):
    problems: ProblemData = section(..., "the problems")
    solutions: SolutionData = section(..., "the programs")
    judge: JudgeSettings = section(JudgeSettings(), "which of them are right: as jobs.judge does, found where it was done")

    def timing_settings(self) -> TimeSettings:
        return TimeSettings(**{name: getattr(self, name) for name in TimeSettings.model_fields})


def run_time(settings: TimeJob, run: Run) -> None:
    problems = prepare_problems(run, settings.problems)
    verdicts = judge_solutions(run, problems, gather_solutions(run, problems, settings.solutions), settings.judge)
    print(summary(verdicts, settings.judge))
    timings = time_solutions(run, problems, verdicts, settings.timing_settings())
    print(timing_summary(timings))
    print(f"timings: {timings.location.uri}")


if __name__ == "__main__":
    main("time", TimeJob, run_time)
