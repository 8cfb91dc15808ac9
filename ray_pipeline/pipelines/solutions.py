"""Stage `solutions`: programs that are to be judged, by problem and sample.

000000.parquet   task_id, sample, text, source; in the problems' order
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
from pydantic import Field

from ray_pipeline.artifacts import Artifact, Attempt, load
from ray_pipeline.config import Settings, identity, source
from ray_pipeline.data.problems.generated_file import read_generated
from ray_pipeline.data.problems.mutants import mutants
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import problem_lines
from ray_pipeline.data.problems.programs import program_in
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.problems import FILE, problems_of
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.schemas import SOLUTIONS

ALGORITHM: Final = 1
Found = Iterator[tuple[str, str, str]]  # task_id, program, who wrote it


class OwnSolutions(Settings):
    kind: Literal["own"] = identity("own", "what the problems bring: canonical programs; of generated problems all right ones and the mistakes")


class MutatedSolutions(Settings):
    kind: Literal["mutants"] = identity("mutants", "canonical programs with one small mistake each")
    each: int = identity(5, "mutants of each", ge=1)
    seed: int = identity(0, "decides which", ge=0)


class GeneratedSolutions(Settings):
    kind: Literal["generations"] = identity(
        "generations", "what a policy answered: an artifact of jobs.generate whose conversations bear the problems' ids"
    )
    generations: str = source(..., "the artifact")
    own: bool = identity(False, "put the programs that the problems bring beside the policy's")


class SolutionFile(Settings):
    kind: Literal["file"] = identity("file", "JSON Lines: task_id and solution (a whole program) or completion (what continues the prompt)")
    path: str = source(..., "the file, plain or compressed")


SolutionData = Annotated[OwnSolutions | MutatedSolutions | GeneratedSolutions | SolutionFile, Field(discriminator="kind")]


def gather_solutions(run: Run, problems: Artifact, data: OwnSolutions | MutatedSolutions | GeneratedSolutions | SolutionFile) -> Artifact:
    """The programs, each with the number it has among its problem's."""
    inputs = {"problems": problems.as_input()}
    if isinstance(data, SolutionFile):
        inputs["path"] = raw_input(data.path, "solutions.path")
    if isinstance(data, GeneratedSolutions):
        inputs["generations"] = load(data.generations, "generations").as_input()
    stage = Stage("solutions", ALGORITHM, {"solutions": data}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        by_id = {one.task_id: one for one in problems_of(problems)}
        found: dict[str, list[dict[str, Any]]] = {task: [] for task in by_id}
        for task, text, writer in _programs(data, problems, by_id):
            found[task].append({"task_id": task, "sample": len(found[task]), "text": text, "source": writer})
        rows = [row for each in found.values() for row in each]
        if not rows:
            raise DataError("there is no program to judge; give solutions of these problems")
        attempt.write_table("000000.parquet", pa.Table.from_pylist(rows, schema=SOLUTIONS))
        return Outcome(len(rows), {"solutions": len(rows), "problems": sum(bool(each) for each in found.values())})

    return run.ensure(stage, build)


def _programs(data: Settings, problems: Artifact, by_id: Mapping[str, Problem]) -> Found:
    if isinstance(data, OwnSolutions):
        return _own(problems, by_id)
    if isinstance(data, MutatedSolutions):
        return _mutated(data, by_id)
    if isinstance(data, GeneratedSolutions):
        return chain(_answered(data, by_id), _own(problems, by_id) if data.own else ())
    assert isinstance(data, SolutionFile)
    return _of_file(data, by_id)


def _own(problems: Artifact, by_id: Mapping[str, Problem]) -> Found:
    if problems.metrics["format"] == "generated":
        for one in read_generated(problems.file(FILE).uri):
            yield from ((one.problem.task_id, solution.text, solution.name) for solution in one.solutions)
            yield from ((one.problem.task_id, text, "mistake") for text in one.wrong)
        return
    yield from ((task, program, "canonical") for task, program in _canonical(by_id))


def _mutated(data: MutatedSolutions, by_id: Mapping[str, Problem]) -> Found:
    for task, program in _canonical(by_id):
        yield from ((task, text, "mutant") for text in mutants(program, data.each, data.seed))


def _canonical(by_id: Mapping[str, Problem]) -> Iterator[tuple[str, str]]:
    known = [(task, one.canonical) for task, one in by_id.items() if one.canonical is not None]
    if not known:
        raise SettingsError("solutions.kind: the problems bring no programs of their own; give solutions.kind=file or generations")
    return iter(known)


def _answered(data: GeneratedSolutions, by_id: Mapping[str, Problem]) -> Found:
    table = Rows.of(load(data.generations, "generations"), "generations/").table(["chat_id", "text"])
    for row in table.to_pylist():
        task = row["chat_id"]
        if task not in by_id:
            raise DataError(
                f"{data.generations}: conversation {task!r} is of none of the problems; generate from conversations made of these problems"
            )
        yield task, program_in(row["text"], by_id[task]), "policy"


def _of_file(data: SolutionFile, by_id: Mapping[str, Problem]) -> Found:
    for row in problem_lines(data.path):
        task = row.identifier("task_id")
        if task not in by_id:
            raise row.error(f"task_id {task!r} is none of the {len(by_id)} problems", "leave the line out, or take the problems it is of")
        whole = row.optional_text("solution")
        text = whole if whole is not None else program_in(row.text("completion"), by_id[task])
        yield task, text, "file"
