"""Stage `problems`: programming problems, read from a file or generated, as one file that workers read.

problems.jsonl   as the format has it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, source
from ray_pipeline.data.files import byte_lines
from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.problems.generated_file import write_generated
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.registry import read_problems
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.stage import Outcome, Run, Stage

ALGORITHM: Final = 1
FILE: Final = "problems.jsonl"


class ProblemFile(Settings):
    kind: Literal["file"] = identity("file", "read from a file")
    format: Literal["humaneval", "evalplus", "mbpp", "code_optimise", "generated"] = identity("evalplus", "how the file is laid out")
    path: str = source(..., "the file, plain or compressed; any URI that pyarrow.fs opens")


class GeneratedProblems(Settings):
    kind: Literal["generated"] = identity("generated", "made here: 17 families, several right programs each")
    count: int = identity(100, "how many problems", ge=1)
    seed: int = identity(0, "the same seed gives the same problems", ge=0)
    families: tuple[str, ...] | None = identity(None, "of these families only; null: of all")


ProblemData = Annotated[ProblemFile | GeneratedProblems, Field(discriminator="kind")]


def prepare_problems(run: Run, data: ProblemFile | GeneratedProblems) -> Artifact:
    """The problems, read or generated at most once."""
    inputs = {"path": raw_input(data.path, "problems.path")} if isinstance(data, ProblemFile) else {}
    stage = Stage("problems", ALGORITHM, {"problems": data}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        if isinstance(data, ProblemFile):
            count, form = len(read_problems(data.format, data.path)), data.format  # read as a whole first: a bad line is told here
            attempt.write(FILE, b"".join(line if line.endswith(b"\n") else line + b"\n" for _, line in byte_lines(data.path)))
        else:
            made = generated_problems(data.count, data.seed, data.families)
            write_generated(attempt.reserve(FILE).uri, made)
            attempt.add(FILE)
            count, form = len(made), "generated"
        return Outcome(count, {"problems": count, "format": form})

    return run.ensure(stage, build)


def read_or_made(data: ProblemFile | GeneratedProblems) -> list[Problem]:
    """The problems without an artifact of their own."""
    if isinstance(data, ProblemFile):
        return read_problems(data.format, data.path)
    return [one.problem for one in generated_problems(data.count, data.seed, data.families)]


def problems_of(artifact: Artifact) -> list[Problem]:
    """The problems of an artifact."""
    return read_problems(artifact.metrics["format"], artifact.file(FILE).uri)
