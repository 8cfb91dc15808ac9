"""Tasks from settings to artifacts: what is made, divided, found again, and judged as it is meant to be."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import Settings, parse, section
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.tasks.code import problem_of
from ray_pipeline.data.tasks.task import Task, tasks_of
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.pipelines.prepare_chats import BankChats, prepare_chats
from ray_pipeline.pipelines.prepare_tasks import TaskData, prepare_tasks
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.rollout.environments.registry import opened
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from tests.rollout.environments.replies import said

CONFIGS = Path(__file__).parents[2] / "configs" / "tasks"


class Given(Settings):
    tasks: TaskData = section(..., "the tasks")


def made(folder: Path, **values: Any) -> Artifact:
    run = Run(Workspace.at(str(folder)), ClusterSettings(in_process="always"))
    return prepare_tasks(run, parse(Given, {"tasks": values}).tasks)


def read(artifact: Artifact, split: str) -> list[Task]:
    return list(tasks_of(artifact.table(f"{split}/")))


def test_generated_tasks_are_divided_and_found_again(tmp_path: Path) -> None:
    for kind in ("bank", "arithmetic"):
        artifact = made(tmp_path, kind=kind, rows=200, eval_share=0.2)
        train, held_out = read(artifact, "train"), read(artifact, "eval")
        assert artifact.metrics["train"] == len(train) and artifact.metrics["eval"] == len(held_out) and len(train) + len(held_out) == 200
        assert 30 <= len(held_out) <= 50
        assert made(tmp_path, kind=kind, rows=200, eval_share=0.2).location == artifact.location
        for other in ({"seed": 1}, {"levels": [1]}, {"split_seed": 1}):
            assert made(tmp_path, **{"kind": kind, "rows": 200, "eval_share": 0.2, **other}).location != artifact.location


def test_what_asks_the_same_falls_on_one_side(tmp_path: Path) -> None:
    """Whatever the wording: a sum of one digit is drawn several times here."""
    artifact = made(tmp_path, kind="arithmetic", rows=400, levels=[1], eval_share=0.3)
    train, held_out = ({task.facts["expression"] for task in read(artifact, split)} for split in ("train", "eval"))
    assert train and held_out and len(train) + len(held_out) < 400
    assert not train & held_out


def test_nothing_is_held_out_where_nothing_should_be(tmp_path: Path) -> None:
    artifact = made(tmp_path, kind="bank", rows=10, eval_share=0.0)
    assert len(read(artifact, "train")) == 10 and artifact.files("eval/") == []


def test_generated_problems_become_tasks_that_their_own_programs_do(tmp_path: Path) -> None:
    artifact = made(tmp_path, kind="code", problems={"kind": "generated", "count": 3}, instruction="Solve:\n{prompt}", eval_share=0.0)
    tasks = read(artifact, "train")
    environments = opened(EnvironmentSettings(kind="code"))
    try:
        for task in tasks:
            assert (task.messages[0].content or "").startswith("Solve:\ndef ")
            environment = environments.begin(task)
            environment.answer(said(problem_of(task).canonical or ""))
            assert environment.standing().worth == 1.0
    finally:
        environments.close()
    with pytest.raises(SettingsError, match="instruction has no {prompt}"):
        made(tmp_path, kind="code", problems={"kind": "generated", "count": 3}, instruction="Solve.")


def test_answers_that_a_problem_does_not_state_are_asked_for_once(tmp_path: Path) -> None:
    """Of evalplus's form: the base calls and the others apart."""
    line = {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return x * x\n",
        "test": "",
        "contract": "",
        "base_input": [[2], [3]],
        "plus_input": [[-4]],
        "atol": 0,
    }
    (tmp_path / "problems.jsonl").write_text(json.dumps(line) + "\n")
    problems = {"kind": "file", "format": "evalplus", "path": str(tmp_path / "problems.jsonl")}
    (task,) = read(made(tmp_path / "w", kind="code", problems=problems, eval_share=0.0), "train")
    found: Problem = problem_of(task)
    assert (found.calls, found.expected, found.base_calls) == (((2,), (3,), (-4,)), (4, 9, 16), 2)


def test_tasks_of_ones_own_and_their_faults(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    rows = [{"task_id": f"t{number}", "messages": [{"role": "user", "content": f"guess {number}"}], "facts": {"n": number}} for number in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    artifact = made(tmp_path / "w", kind="file", path=str(path), eval_share=0.25)
    found = sorted((*read(artifact, "train"), *read(artifact, "eval")), key=lambda task: task.facts["n"])
    assert [task.task_id for task in found] == [f"t{number}" for number in range(20)] and artifact.metrics["eval"] == 5
    path.write_text(path.read_text().replace("guess 7", "guess seven"))
    assert made(tmp_path / "w", kind="file", path=str(path), eval_share=0.25).location != artifact.location
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(DataError, match="tasks.jsonl:21: field 'messages' is missing"):
        made(tmp_path / "w", kind="file", path=str(path))
    with pytest.raises(DataError, match="tasks.path=.*nothing is there"):
        made(tmp_path / "w", kind="file", path=str(tmp_path / "none.jsonl"))


def test_bfcls_entries_become_tasks(tmp_path: Path) -> None:
    if find_spec("bfcl_eval") is None:
        pytest.skip("BFCL's package is not installed")
    artifact = made(tmp_path, kind="bfcl", categories=["multi_turn_base"], eval_share=0.5)
    train, held_out = read(artifact, "train"), read(artifact, "eval")
    assert len(train) + len(held_out) == 200 and 90 <= len(held_out) <= 110
    assert {task.facts["category"] for task in train} == {"multi_turn_base"}


def test_a_banks_tasks_are_conversations_too_done_by_the_reference(tmp_path: Path) -> None:
    """What is imitated before it is rewarded: the same tasks, with calls and results."""
    run = Run(Workspace.at(str(tmp_path)), ClusterSettings(in_process="always"))
    tasks = read(made(tmp_path, kind="bank", rows=12, levels=[1, 2], eval_share=0.0), "train")
    chats = prepare_chats(run, BankChats(rows=12, levels=(1, 2), eval_share=0.0, distinct=False)).table("train/").to_pylist()
    by_name = {row["chat_id"]: row for row in chats}
    assert by_name.keys() == {task.task_id for task in tasks}
    for task in tasks:
        row = by_name[task.task_id]
        assert [one["content"] for one in row["messages"][: len(task.messages)]] == [one.content for one in task.messages]
        assert row["tools"] == task.tools and row["messages"][-1]["role"] == "assistant"
        assert any(one["tool_calls"] for one in row["messages"]) and any(one["role"] == "tool" for one in row["messages"])


@pytest.mark.parametrize(
    ("values", "said_of_it"),
    [
        ({"kind": "bank", "levels": [6]}, "tasks.levels"),
        ({"kind": "bank", "levels": []}, "tasks.levels"),
        ({"kind": "bank", "accounts": 11}, "tasks.accounts"),
        ({"kind": "arithmetic", "row": 3}, "did you mean 'rows'"),
        ({"kind": "banks"}, "did you mean 'bank'"),
        ({"kind": "bfcl", "categories": ["java"]}, "tasks.categories"),
    ],
)
def test_settings_that_make_no_sense_are_named(values: dict[str, Any], said_of_it: str) -> None:
    with pytest.raises(SettingsError, match=said_of_it):
        parse(Given, {"tasks": values})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_choice_of_tasks_is_valid(path: Path) -> None:
    values = {key: "somewhere" if value == "???" else value for key, value in yaml.safe_load(path.read_text()).items()}
    assert parse(Given, {"tasks": values}).tasks.kind == path.stem
