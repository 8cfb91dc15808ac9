"""Stage `tasks`: what policies are asked to do in an environment, generated or read, and divided.

    train/NNNNNN.parquet   what is trained on
    eval/NNNNNN.parquet    what is held out, where anything is

Tasks that ask the same fall on one side, whatever else differs (sums by their expression, others by what is said), so nothing is evaluated that was
trained on. Code problems that state no answers have their canonical program asked here, once, in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from ray_pipeline.artifacts import Artifact, Attempt, Input
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.bfcl.categories import Category
from ray_pipeline.data.bfcl.package import package_folder
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.splits import split_by_group
from ray_pipeline.data.tasks.arithmetic import ArithmeticSpec, arithmetic_tasks
from ray_pipeline.data.tasks.bank.generate import bank_tasks
from ray_pipeline.data.tasks.code import code_tasks
from ray_pipeline.data.tasks.file import read_tasks
from ray_pipeline.data.tasks.task import Task, tasks_table
from ray_pipeline.evaluation.code.question import PatienceSettings, question
from ray_pipeline.pipelines.bank_settings import BankChoice, Level
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.problems import ProblemData, ProblemFile, read_or_made
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings

ALGORITHM: Final = 1
FILE_ROWS: Final = 1 << 12  # a task with its world is larger than a conversation


class TaskChoice(Settings):
    """Which side a task falls on, whatever it comes from."""

    eval_share: float = identity(0.05, "share of the tasks to hold out", ge=0, lt=1)
    split_seed: int = identity(0, "decides, with what a task asks, its side")


class BankTasks(BankChoice, TaskChoice):
    kind: Literal["bank"] = identity("bank", "generated: a bank's clerk is asked to look up, move, open, close, or to refuse")


class ArithmeticTasks(TaskChoice):
    kind: Literal["arithmetic"] = identity("arithmetic", "generated: sums")
    rows: int = identity(4000, "how many tasks", ge=1)
    seed: int = identity(0, "the same seed gives the same tasks", ge=0)
    levels: tuple[Level, ...] = identity(
        (1, 2, 3, 4, 5), "in turn: 1 one digit; 2 two digits; 3 three numbers; 4 parentheses; 5 larger ones, divided", min_length=1
    )
    calculator: bool = identity(False, "offer a tool that works out expressions")


class CodeTasks(TaskChoice):
    kind: Literal["code"] = identity("code", "programming problems, whose tests judge")
    problems: ProblemData = section(..., "the problems")
    instruction: str = identity("{prompt}", "what is asked; {prompt} stands for the problem's own text, {entry_point} for its function's name")
    patience: PatienceSettings = section(PatienceSettings(), "how long a canonical program may take to say what is right, where the problem does not")
    sandbox: SandboxSettings = section(SandboxSettings(), "what it is held by meanwhile")

    @model_validator(mode="after")
    def _asks(self) -> CodeTasks:
        if "{prompt}" not in self.instruction:
            raise ValueError("instruction has no {prompt}, so every problem would be asked alike")
        return self


class TaskFile(TaskChoice):
    kind: Literal["file"] = identity("file", "read from a file: messages, tools, facts")
    path: str = source(..., "JSON Lines, plain or compressed; any URI that pyarrow.fs opens")


class BfclTasks(TaskChoice):
    kind: Literal["bfcl"] = identity("bfcl", "BFCL's entries of some categories, from its package")
    categories: tuple[Category, ...] = identity(("multi_turn_base",), "whose entries, in this order", min_length=1)


TaskSource = BankTasks | ArithmeticTasks | CodeTasks | TaskFile | BfclTasks
TaskData = Annotated[TaskSource, Field(discriminator="kind")]


def prepare_tasks(run: Run, data: TaskSource) -> Artifact:
    """The tasks, read or generated at most once."""
    stage = Stage("tasks", ALGORITHM, {"data": data}, _inputs(data))

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        tasks = _made(data)
        sides = _sides(tasks, data)
        for split, table in sides.items():
            for number, start in enumerate(range(0, len(table), FILE_ROWS)):
                attempt.write_table(f"{split}/{number:06d}.parquet", table.slice(start, FILE_ROWS))
        counts = {split: len(table) for split, table in sides.items()}
        return Outcome(counts["train"], {"kind": data.kind, **counts})

    return run.ensure(stage, build)


def _inputs(data: TaskSource) -> dict[str, Input]:
    if isinstance(data, TaskFile):
        return {"path": raw_input(data.path, "tasks.path")}
    if isinstance(data, BfclTasks):
        return {"bfcl": raw_input(str(package_folder() / "data"), "tasks.categories")}
    if isinstance(data, CodeTasks) and isinstance(data.problems, ProblemFile):
        return {"problems.path": raw_input(data.problems.path, "tasks.problems.path")}
    return {}


def _made(data: TaskSource) -> list[Task]:
    if isinstance(data, BankTasks):
        return bank_tasks(data.spec())
    if isinstance(data, ArithmeticTasks):
        return arithmetic_tasks(ArithmeticSpec(data.rows, data.seed, data.levels, data.calculator))
    if isinstance(data, CodeTasks):
        return code_tasks(_answered(read_or_made(data.problems), data), data.instruction)
    if isinstance(data, BfclTasks):
        return [task for category in data.categories for task in bfcl_tasks(category)]
    return read_tasks(data.path)


def _answered(problems: list[Problem], data: CodeTasks) -> list[Problem]:
    """Problems whose calls have answers; a sandbox is opened where one has to be asked for them."""
    if all(one.expected is not None or not one.calls for one in problems):
        return problems
    with Sandbox(data.sandbox) as sandbox:
        return [_asked(one, sandbox, data.patience) for one in problems]


def _asked(problem: Problem, sandbox: Sandbox, patience: PatienceSettings) -> Problem:
    if problem.expected is not None or not problem.calls:
        return problem
    parts = question(problem, sandbox, patience).parts
    base = len(parts[0]) if problem.base_calls else 0
    calls, expected = (tuple(one for part in parts for one in getattr(part, name)) for name in ("calls", "expected"))
    return replace(problem, calls=calls, expected=expected, base_calls=base)


def _sides(tasks: list[Task], data: TaskSource) -> dict[str, pa.Table]:
    held_out = np.zeros(len(tasks), dtype=bool)
    if data.eval_share:
        held_out = split_by_group([_asks(task) for task in tasks], data.eval_share, data.split_seed).astype(bool)
    return {
        "train": tasks_table(task for task, out in zip(tasks, held_out, strict=True) if not out),
        "eval": tasks_table(task for task, out in zip(tasks, held_out, strict=True) if out),
    }


def _asks(task: Task) -> str:
    """What tasks that ask the same have in common."""
    expression = task.facts.get("expression")
    return expression if isinstance(expression, str) else json.dumps([[one.role, one.content] for one in task.messages])
