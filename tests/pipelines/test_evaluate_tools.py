"""A policy asked BFCL's entries by a real engine, run after run: what is made, made once, compared, and refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from jobs.command_line import run_job
from jobs.evaluate_tools import EvaluateToolsJob, run_evaluate_tools
from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.data.bfcl.read import bfcl_tasks
from tests import chat_models
from tests.chat_models import save_tiny_decoder

HERE = ["cluster.in_process=always", "cluster.threads_per_worker=1", "log=warning"]
SMALL = ["sampling.max_tokens=8", "sampling.temperature=1.0", "engine.eager=true", "engine.kv_cache_gb=1", "entries=2", "shard_rows=2"]
ASKED = ["categories=[simple_python,irrelevance]", "runs=2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny decoder with room for the tools of an entry of several turns, and with tokens that were learned from them: they are fewer so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_models, "LEARNED_FROM", [bfcl_tasks("multi_turn_base")[0].tools])
        return save_tiny_decoder(tmp_path_factory.mktemp("caller"), positions=32768, head_dim=32)


def evaluated(workspace: Path, model: Path, *given: str) -> int:
    words = [f"workspace={workspace}", f"policy.name={model}", *HERE, *SMALL, *ASKED, *given]
    return run_job("evaluate_tools", EvaluateToolsJob, run_evaluate_tools, words)


def made(workspace: Path, stage: str) -> list[Artifact]:
    return [one for one in Workspace.at(str(workspace)).artifacts() if one.stage == stage]


@pytest.fixture(scope="module")
def workspace(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("evaluated")
    assert evaluated(found, model) == 0
    return found


def test_runs_are_answered_judged_and_put_together(workspace: Path) -> None:
    (evaluation,) = made(workspace, "tool_evaluation")
    runs = made(workspace, "tool_run")
    assert [damaged(one) for one in (evaluation, *runs)] == [[], [], []]
    assert evaluation.metrics["means"] == {"simple_python": 0.0, "irrelevance": 1.0}  # it says nothing that is a call
    tables = [one.table("answers/").to_pylist() for one in runs]
    assert [[row["category"] for row in rows] for rows in tables] == [["simple_python"] * 2 + ["irrelevance"] * 2] * 2
    assert all(row["tokens"] > 0 and not row["faulty"] for rows in tables for row in rows)
    assert tables[0][0]["replies"] != tables[1][0]["replies"]  # each run draws anew
    assert "| irrelevance | 100.00 | 100.00 | 100.00 | 0.00 | 0.00 | 2 of 2 runs |" in evaluation.file("report.md").read().decode()
    assert len(list(csv.DictReader(evaluation.file("runs.csv").read().decode().splitlines()))) == 4
    assert json.loads(evaluation.file("report.json").read())["models"][0]["status"] == "2 of 2 runs"


def test_an_entry_of_several_turns(model: Path, tmp_path: Path) -> None:
    """Without chance: vLLM on CPUs cannot draw behind a prompt that it takes in several pieces."""
    given = ["categories=[multi_turn_base]", "entries=1", "runs=1", "sampling.temperature=0.0"]
    assert evaluated(tmp_path, model, *given) == 0
    (run,) = made(tmp_path, "tool_run")
    (row,) = run.table("answers/").to_pylist()
    assert (row["task_id"], row["right"], row["faulty"], row["truncated"]) == ("multi_turn_base_0", False, False, True)
    assert row["why"] == "ended in turn 2 of 4"  # it called nothing, which ended the first; and it was cut off
    assert row["tokens"] == 8


def test_more_runs_compute_those_that_are_missing(workspace: Path, model: Path) -> None:
    before = {one.location.uri: one.manifest["times"] for one in made(workspace, "tool_run")}
    assert evaluated(workspace, model, "runs=3") == 0
    after = {one.location.uri: one.manifest["times"] for one in made(workspace, "tool_run")}
    assert len(after) == 3
    assert before.items() <= after.items()


def test_two_evaluations_are_compared_and_noise_is_not_called_a_difference(workspace: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first, *_) = made(workspace, "tool_evaluation")
    assert (
        evaluated(workspace, model, "runs=2", "sampling.seed=1", "title=other", f"compare={first.location.uri}", "note='drawn with another seed'")
        == 0
    )
    said = capsys.readouterr().out
    assert f"simple_python: no difference shown between other and {model.name}: +0.0 points are inside the noise" in said
    assert "| other | simple_python |" in said
    assert "drawn with another seed" in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["sampling.temperature=0.0"], "runs=2 at sampling.temperature=0 are one run so often"),
        (["sampling.samples=2"], "sampling.samples=2: a run has one answer to each entry; set runs"),
        (["categories=[multiple,multiple]"], "one of them stands there twice"),
        (["categories=[multi_turn]"], "categories"),
        (["compare=/nowhere"], "/nowhere"),
    ],
)
def test_what_would_mean_nothing_is_refused_before_an_engine_starts(
    given: list[str], words: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(tmp_path, model, *given) == 1
    assert words in capsys.readouterr().err
    assert made(tmp_path, "tool_run") == []


def test_a_model_without_a_template_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = save_tiny_decoder(tmp_path / "bare", template_name=None, positions=256, head_dim=32)
    assert chat_models.byte_tokenizer().chat_template is None
    assert evaluated(tmp_path / "w", bare) == 1
    assert "has no chat template" in capsys.readouterr().err
