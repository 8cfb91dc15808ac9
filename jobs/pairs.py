"""Make preferences and answers to imitate from programs: judged, timed, paired by strategy, as jobs.dpo and jobs.sft read them."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.judge import JudgeSettings, judge_solutions
from ray_pipeline.pipelines.pairs import MakePairsSettings, pair_programs, pairs_summary
from ray_pipeline.pipelines.problems import ProblemData, prepare_problems
from ray_pipeline.pipelines.solutions import SolutionData, gather_solutions
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.timings import TimeSettings, time_solutions, timing_summary


class PairsJob(JobSettings):
    problems: ProblemData = section(..., "the problems")
    solutions: SolutionData = section(..., "the programs")
    judge: JudgeSettings = section(JudgeSettings(), "which of them are right: as jobs.judge does, found where it was done")
    time: TimeSettings = section(TimeSettings(), "how fast the right ones are: as jobs.time does, found where it was done")
    pairs: MakePairsSettings = section(MakePairsSettings(), "what is made of them")


def run_pairs(settings: PairsJob, run: Run) -> None:
    problems = prepare_problems(run, settings.problems)
    verdicts = judge_solutions(run, problems, gather_solutions(run, problems, settings.solutions), settings.judge)
    timings = time_solutions(run, problems, verdicts, settings.time)
    print(timing_summary(timings))
    pairs = pair_programs(run, problems, verdicts, timings, settings.pairs)
    print(pairs_summary(pairs))
    print(f"pairs: {pairs.location.uri}")


if __name__ == "__main__":
    main("pairs", PairsJob, run_pairs)
