"""Pairs and answers to imitate, from programs to files that trainings read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.command_line import run_job
from jobs.pairs import PairsJob, run_pairs
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.data.chats.formats import read_chats
from ray_pipeline.data.preferences.read import read_preferences
from ray_pipeline.data.problems.generated import generated_problems

GIVEN = ["problems.count=3", "time.timing.most_rounds=5", "time.timing.least_ms=1.0", "cluster.in_process=always", "log=warning"]


def made(workspace: Path, *words: str) -> Artifact:
    assert run_job("pairs", PairsJob, run_pairs, [f"workspace={workspace}", *GIVEN, *words]) == 0
    return max(
        (one for one in Workspace.at(str(workspace)).artifacts() if one.stage == "code_pairs"), key=lambda one: str(one.manifest.get("created", ""))
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made(tmp_path_factory.mktemp("w"))


def test_every_strategy_has_its_file_and_trainings_read_it(pairs: Artifact) -> None:
    names = {entry["name"] for entry in pairs.manifest["files"]}
    assert {"preferences/pvf.jsonl", "preferences/qvs.jsonl", "preferences/qsl.jsonl", "preferences/optimise.jsonl", "imitate/top1.jsonl"} <= names
    for name in names:
        path = pairs.file(name).uri
        if name.startswith("preferences/"):
            read = read_preferences(path, "a set", malformed="fail", equal="fail")
            assert len(read.pairs) == pairs.metrics[name.removesuffix(".jsonl")]["pairs"] > 0
        else:
            assert len(read_chats(path, "openai", "fail").chats) == pairs.metrics[name.removesuffix(".jsonl")]["answers"] > 0


def test_mistakes_are_rejected_and_the_fast_are_preferred(pairs: Artifact) -> None:
    pvf = read_preferences(pairs.file("preferences/pvf.jsonl").uri, "pvf", malformed="fail", equal="fail").pairs.to_pylist()
    right = {row["messages"][1]["content"] for row in read_chats(pairs.file("imitate/passing.jsonl").uri, "openai", "fail").chats.to_pylist()}
    assert all(row["chosen"][0]["content"] in right and row["rejected"][0]["content"] not in right for row in pvf)
    fastest = {row["messages"][1]["content"] for row in read_chats(pairs.file("imitate/top1.jsonl").uri, "openai", "fail").chats.to_pylist()}
    qsl = read_preferences(pairs.file("preferences/qsl.jsonl").uri, "qsl", malformed="fail", equal="fail").pairs.to_pylist()
    assert len(fastest) == 3 and {row["chosen"][0]["content"] for row in qsl} <= fastest


def test_answers_that_continue_the_prompt(tmp_path: Path) -> None:
    continued = made(tmp_path, "pairs.answer=continuation", "~pairs.imitate.top25", "~pairs.imitate.top1")
    row = read_chats(continued.file("imitate/passing.jsonl").uri, "openai", "fail").chats.to_pylist()[0]
    assert not row["messages"][1]["content"].startswith(row["messages"][0]["content"][:20])


def test_programs_are_ranked_by_tests_that_a_model_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three programs that agree on most tests outrank one that passes none but the wrong test, which no verdict tells codedpo; the quickest comes
    before the slowest of the right ones, too."""
    problem = generated_problems(1)[0]
    right = [one.text for one in problem.solutions][:3]
    name, task = problem.problem.entry_point, problem.problem.task_id
    calls, answers = problem.problem.calls[:2], (problem.problem.expected or ())[:2]
    tests = [f"assert {name}(*{call!r}) == {answer!r}" for call, answer in zip(calls, answers, strict=True)] + [
        f"assert {name}(*{calls[0]!r}) == 'no'"
    ]
    (tmp_path / "tests.jsonl").write_text(json.dumps({"task_id": task, "answer": "Tests:\n" + "\n".join(tests)}) + "\n")
    wrong = f"def {name}(*arguments): return 'no'"
    rows = [{"task_id": task, "solution": text} for text in (*right, wrong)]
    (tmp_path / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["solutions=file", f"solutions.path={tmp_path / 'solutions.jsonl'}", f"tests={{kind: file, path: {tmp_path / 'tests.jsonl'}}}"]
    found = made(tmp_path / "w", "problems.count=1", *given, "pairs.sets={mine: {strategy: codedpo, pairs_per_problem: 9}}")
    assert "3 tests written for 1 of 1 problems" in capsys.readouterr().out
    pairs = read_preferences(found.file("preferences/mine.jsonl").uri, "mine", malformed="fail", equal="fail").pairs.to_pylist()
    rejected = [row["rejected"][0]["content"] for row in pairs]
    assert rejected.count(wrong) == 1 and all(row["chosen"][0]["content"] in right for row in pairs)
    assert found.metrics["preferences/mine"]["untested"] == 0


def test_a_strategy_without_what_it_needs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("pairs", PairsJob, run_pairs, [f"workspace={tmp_path}", *GIVEN, "+pairs.sets.mine.strategy=codedpo"]) == 1
    assert "pairs.sets.mine.strategy=codedpo needs tests that a model wrote; give tests={kind: generations" in capsys.readouterr().err
