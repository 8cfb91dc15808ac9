"""Stage `written_tests`: tests that a model wrote for problems. Stage `outcomes`: which of them each program passes.

tests.parquet             task_id, text: an assert statement a row
outcomes/NNNNNN.parquet   a row a program: whether it passes each of its problem's tests
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
from pydantic import Field

from ray_pipeline.artifacts import Artifact, Attempt, load
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.problems.problem_lines import problem_lines
from ray_pipeline.data.problems.written_tests import tests_in
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.code.outcome_shards import MakeOutcomeShard
from ray_pipeline.evaluation.code.shards import CodeWork
from ray_pipeline.pipelines.judge import PrepareShard, ReadProblems, solution_shards
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.problems import problems_of
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.schemas import WRITTEN_TESTS

ALGORITHM: Final = 1
FILE: Final = "tests.parquet"


class GeneratedTests(Settings):
    kind: Literal["generations"] = identity(
        "generations", "what a policy answered when asked for tests: an artifact of jobs.generate whose conversations bear the problems' ids"
    )
    generations: str = source(..., "the artifact")


class WrittenTestFile(Settings):
    kind: Literal["file"] = identity("file", "JSON Lines: task_id and answer, in which assert statements stand")
    path: str = source(..., "the file, plain or compressed; a problem may have several lines")


TestData = Annotated[GeneratedTests | WrittenTestFile, Field(discriminator="kind")]


class OutcomeSettings(Settings):
    """How programs are run on written tests."""

    most_tests: int = identity(16, "tests of a problem at most, the first ones", ge=1)
    wall: float = identity(2.0, "seconds that a program may take for one test", gt=0)
    sandbox: SandboxSettings = section(SandboxSettings(), "what programs and tests are held by")
    shard_problems: int = identity(16, "problems a shard: the unit of work, of retry and of progress", ge=1)


def gather_tests(run: Run, problems: Artifact, data: GeneratedTests | WrittenTestFile, most: int) -> Artifact:
    """The assertions in all answers, at most so many a problem."""
    inputs = {"problems": problems.as_input()}
    if isinstance(data, WrittenTestFile):
        inputs["path"] = raw_input(data.path, "tests.path")
    else:
        inputs["generations"] = load(data.generations, "generations").as_input()
    stage = Stage("written_tests", ALGORITHM, {"tests": data}, inputs, {"most": most})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        names = {one.task_id: one.entry_point for one in problems_of(problems)}
        answers: dict[str, list[str]] = {task: [] for task in names}
        for task, answer, where in _answers(data):
            if task not in names:
                raise DataError(f"{where}: task_id {task!r} is none of the {len(names)} problems; give answers to these problems")
            answers[task].append(answer)
        found = {task: tests_in("\n".join(answers[task]), names[task], most) for task in names}
        rows = [{"task_id": task, "text": test} for task, tests in found.items() for test in tests]
        attempt.write_table(FILE, pa.Table.from_pylist(rows, schema=WRITTEN_TESTS))
        return Outcome(len(rows), {"tests": len(rows), "problems": sum(bool(tests) for tests in found.values()), "of": len(names)})

    return run.ensure(stage, build)


def _answers(data: GeneratedTests | WrittenTestFile) -> Iterator[tuple[str, str, str]]:
    """Of each answer the problem's id, the text, and where it stands."""
    if isinstance(data, WrittenTestFile):
        for row in problem_lines(data.path):
            yield row.identifier("task_id"), row.text("answer"), f"{row.path}:{row.line}"
        return
    table = Rows.of(load(data.generations, "generations"), "generations/").table(["chat_id", "text"])
    yield from ((row["chat_id"], row["text"], data.generations) for row in table.to_pylist())


@dataclass(frozen=True)
class ReadTests:
    """The tests by problem, read where they are needed."""

    uri: str

    def __call__(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in load(self.uri, "written_tests").table(FILE).to_pylist():
            found.setdefault(row["task_id"], []).append(row["text"])
        return found


def run_written_tests(run: Run, problems: Artifact, solutions: Artifact, tests: Artifact, settings: OutcomeSettings) -> Artifact:
    """Every program on every test of its problem; a killed run goes on with the shards that are missing."""
    inputs = {"problems": problems.as_input(), "solutions": solutions.as_input(), "tests": tests.as_input()}
    stage = Stage("outcomes", ALGORITHM, {"outcomes": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        tasks = Rows.of(solutions, "").table(["task_id"]).column("task_id").to_pylist()
        shards = solution_shards(tasks, settings.shard_problems)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        held = CodeWork(ReadProblems(problems.location.uri), settings.sandbox, attempt.location.uri, attempt.prefix)
        make = MakeOutcomeShard(held, ReadTests(tests.location.uri), settings.wall)
        records = collect_shards(
            attempt, "outcomes/", finished, len(shards), run_shards(todo, PrepareShard(solutions.location.uri), make, run.cluster)
        )
        return Outcome(len(tasks), {**summed(records), "held": records[0]["held"]}, placed_workers(records))

    return run.ensure(stage, build)


def outcomes_summary(outcomes: Artifact) -> str:
    """How many tests there were, and how many runs of them ended well."""
    tests, counts = load(outcomes.manifest["inputs"]["tests"]["uri"], "written_tests").metrics, outcomes.metrics
    share = f", {counts['passed'] / counts['runs']:.0%} of {counts['runs']:,} runs passed" if counts["runs"] else ""
    return f"{tests['tests']:,} tests written for {tests['problems']:,} of {tests['of']:,} problems{share}"
