"""Programs judged shard by shard: what is counted, found again, refused; the same on workers as here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.command_line import run_job
from jobs.judge import JudgeJob, run_judge
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.prepare_chats import ProblemChats, prepare_chats
from ray_pipeline.pipelines.problems import GeneratedProblems, prepare_problems, problems_of
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.schemas import GENERATIONS, VERDICTS

HERE = ["cluster.in_process=always", "log=warning"]
FEW = ["problems.count=6", "shard_problems=2"]


def judge(workspace: Path, *given: str) -> int:
    return run_job("judge", JudgeJob, run_judge, [f"workspace={workspace}", *given])


def made(workspace: Path, stage: str) -> list[Artifact]:
    return [one for one in Workspace.at(str(workspace)).artifacts() if one.stage == stage]


def rows(verdicts: Artifact) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Rows.of(verdicts, "verdicts/").table(VERDICTS.names).to_pylist()
    return found


def test_own_solutions_are_right_and_mistakes_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(tmp_path, *FEW, *HERE) == 0
    (verdicts,) = made(tmp_path, "verdicts")
    found = rows(verdicts)
    assert len(verdicts.files("verdicts/")) == 3
    assert {row["source"] for row in found if not row["passed"]} == {"mistake"}
    assert sum(row["source"] == "mistake" for row in found) == 12
    assert all(row["passed"] == (row["source"] != "mistake") and row["level"] for row in found)
    said = capsys.readouterr().out
    assert "Pass@1" in said and "6 problems" in said and "programs: passed" in said and "held by" in said
    assert judge(tmp_path, *FEW, *HERE) == 0 and len(made(tmp_path, "verdicts")) == 1  # found, not judged again
    assert judge(tmp_path, *FEW, *HERE, "k=[1,2]") == 0 and len(made(tmp_path, "verdicts")) == 1  # another figure of the same verdicts
    assert "Pass@2" in capsys.readouterr().out


def test_workers_on_ray_come_to_the_same_verdicts(tmp_path: Path) -> None:
    """Sandboxes inside actors; the time is all that differs."""
    assert judge(tmp_path / "here", *FEW, *HERE) == 0
    assert judge(tmp_path / "there", *FEW, "log=warning", "cluster.in_process=never", "cluster.workers=2") == 0
    timed = {"seconds", "cpu"}
    here, there = (
        [{key: value for key, value in row.items() if key not in timed} for row in rows(made(tmp_path / place, "verdicts")[0])]
        for place in ("here", "there")
    )
    assert here == there


def test_solutions_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {
        "task_id": "HumanEval/2", "prompt": "Write square.\n", "entry_point": "square", "canonical_solution": "def square(x):\n    return x * x\n",
        "base_input": [[2]], "plus_input": [[0.5], [-3]], "atol": 0, "contract": "", "test": "",
    }  # fmt: skip
    problems, given = tmp_path / "problems.jsonl", tmp_path / "solutions.jsonl"
    problem["prompt"] = "# Write square.\n"
    problems.write_text(json.dumps(problem) + "\n")
    texts = [
        "def square(x): return x ** 2",
        "def square(x): return 2 * x",
        "def square(x): return int(x * x)",
        "import os\nos.fork()",
        "def squ(x): return x",
    ]
    answers = [{"task_id": "HumanEval/2", "solution": text} for text in texts] + [
        {"task_id": "HumanEval/2", "completion": "```python\ndef square(x): return x * x\n```"}
    ]
    given.write_text("".join(json.dumps(row) + "\n" for row in answers))
    words = ["problems=file", f"problems.path={problems}", "solutions=file", f"solutions.path={given}", "k=[1,6]", *HERE]
    assert judge(tmp_path / "w", *words) == 0
    found = rows(made(tmp_path / "w", "verdicts")[0])
    assert [row["reason"] for row in found] == ["passed", "wrong", "wrong", "forbidden", "missing", "passed"]
    assert [row["passed_base"] for row in found] == [True, True, True, False, False, True]
    said = capsys.readouterr().out
    assert "Pass@1 33.3%" in said and "Pass@6 100.0%" in said and "base calls alone: Pass@1 66.7%" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"task_id": "other", "solution": "x"}', "solutions.jsonl:1: task_id 'other' is none of the 2 problems"),
        ('{"task_id": 3}', "solutions.jsonl:1"),
        ("{", "solutions.jsonl:1: this is not JSON"),
    ],
)
def test_bad_solutions_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    (tmp_path / "solutions.jsonl").write_text(line + "\n")
    given = ["problems.count=2", "solutions=file", f"solutions.path={tmp_path / 'solutions.jsonl'}", *HERE]
    assert judge(tmp_path / "w", *given) == 1
    assert said in capsys.readouterr().err


def test_problems_are_asked_under_their_ids(tmp_path: Path) -> None:
    """What jobs.generate is given, so that its answers find their problems."""
    run = Run(Workspace.at(str(tmp_path)), ClusterSettings(in_process="always"))
    asked = {"kind": "problems", "problems": {"kind": "generated", "count": 3}, "instruction": "Solve:\n{prompt}", "eval_share": 0.0}
    chats = prepare_chats(run, parse(ProblemChats, asked))
    found = chats.table("train/000000.parquet").to_pylist()
    problems = {one.task_id: one for one in problems_of(prepare_problems(run, parse(GeneratedProblems, asked["problems"])))}
    assert [row["chat_id"] for row in found] == list(problems)
    assert [row["messages"][0]["content"] for row in found] == [f"Solve:\n{one.prompt}" for one in problems.values()]
    with pytest.raises(SettingsError, match="instruction has no {prompt}"):
        parse(ProblemChats, {**asked, "instruction": "Solve."})


def test_answers_of_a_policy(tmp_path: Path) -> None:
    """An artifact of jobs.generate whose conversations bear the problems' ids."""
    assert judge(tmp_path, *FEW, *HERE) == 0
    task = rows(made(tmp_path, "verdicts")[0])[0]["task_id"]
    right = next(row["text"] for row in rows(made(tmp_path, "verdicts")[0]) if row["passed"])
    answers = [(task, 0, f"Sure.\n```python\n{right}\n```"), (task, 1, "I do not know.")]
    table = pa.Table.from_pylist(
        [
            {"chat_id": one, "sample": sample, "prompt_ids": [1], "ids": [2], "text": text, "logprobs": None, "finished": True}
            for one, sample, text in answers
        ],
        schema=GENERATIONS,
    )

    def build(attempt: Any, finished: Any) -> Outcome:
        attempt.write_table("generations/000000.parquet", table)
        return Outcome(len(table), {})

    run = Run(Workspace.at(str(tmp_path)), ClusterSettings(in_process="always"))
    generations = run.ensure(Stage("generations", 1, {}, {}), build)
    assert judge(tmp_path, *FEW, "solutions=generations", f"solutions.generations={generations.location.uri}", *HERE) == 0
    judged = [rows(one) for one in made(tmp_path, "verdicts")]
    assert [row["reason"] for row in min(judged, key=len)] == ["passed", "syntax"]
