"""Make preferences and answers to imitate from programs: judged, timed, paired by strategy, as jobs.dpo and jobs.sft read them."""

from __future__ import annotations

from pydantic import model_validator

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.judge import JudgeSettings, judge_solutions
from ray_pipeline.pipelines.pairs import MakePairsSettings, pair_programs, pairs_summary
from ray_pipeline.pipelines.problems import ProblemData, prepare_problems
from ray_pipeline.pipelines.solutions import SolutionData, gather_solutions
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.timings import TimeSettings, time_solutions, timing_summary
from ray_pipeline.pipelines.written_tests import OutcomeSettings, TestData, gather_tests, outcomes_summary, run_written_tests


class PairsJob(JobSettings):
    problems: ProblemData = section(..., "the problems")
    solutions: SolutionData = section(..., "the programs")
    judge: JudgeSettings = section(JudgeSettings(), "which of them are right: as jobs.judge does, found where it was done")
    time: TimeSettings = section(TimeSettings(), "how fast the right ones are: as jobs.time does, found where it was done")
    tests: TestData | None = section(None, "strategy codedpo: tests that a model wrote")
    outcomes: OutcomeSettings = section(OutcomeSettings(), "how programs are run on those tests")
    pairs: MakePairsSettings = section(MakePairsSettings(), "what is made of them")

    @model_validator(mode="after")
    def _has_tests(self) -> PairsJob:
        self.pairs.require_tests(self.tests is not None, "tests={kind: generations, generations: ARTIFACT} or {kind: file, path: FILE}")
        return self


def run_pairs(settings: PairsJob, run: Run) -> None:
    problems = prepare_problems(run, settings.problems)
    solutions = gather_solutions(run, problems, settings.solutions)
    verdicts = judge_solutions(run, problems, solutions, settings.judge)
    timings = time_solutions(run, problems, verdicts, settings.time)
    print(timing_summary(timings))
    outcomes = None
    if settings.tests is not None:
        tests = gather_tests(run, problems, settings.tests, settings.outcomes.most_tests)
        outcomes = run_written_tests(run, problems, solutions, tests, settings.outcomes)
        print(outcomes_summary(outcomes))
    pairs = pair_programs(run, problems, verdicts, timings, settings.pairs, outcomes)
    print(pairs_summary(pairs))
    print(f"pairs: {pairs.location.uri}")


if __name__ == "__main__":
    main("pairs", PairsJob, run_pairs)
