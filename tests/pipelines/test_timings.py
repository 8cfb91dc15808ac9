"""The times of right programs as a stage: what is timed, counted, found again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import leaderboard
from jobs.command_line import run_job
from jobs.time import TimeJob, run_time
from ray_pipeline.artifacts import Workspace
from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.rows import Rows
from ray_pipeline.schemas import TIMINGS

GIVEN = ["problems.count=2", "timing.most_rounds=5", "timing.least_ms=1.0", "shard_problems=1", "cluster.in_process=always", "log=warning"]


def test_right_programs_are_timed_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert run_job("time", TimeJob, run_time, [f"workspace={tmp_path}", *GIVEN]) == 0
    (timings,) = [one for one in Workspace.at(str(tmp_path)).artifacts() if one.stage == "timings"]
    found: list[dict[str, Any]] = Rows.of(timings, "timings/").table(TIMINGS.names).to_pylist()
    assert len({row["task_id"] for row in found}) == 2
    assert "mistake" not in {row["source"] for row in found}
    assert all(row["reason"] == "timed" and row["seconds"] > 0 and len(row["runs"]) == 5 for row in found)
    for task in {row["task_id"] for row in found}:  # solutions stand in the order of their work, the slowest first
        times = [row["seconds"] for row in found if row["task_id"] == task]
        assert times[0] > 2 * times[-1]
    said = capsys.readouterr().out
    assert f"{len(found)} programs of 2 problems timed" in said and "the machine is" in said


def test_no_program_that_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "solutions.jsonl"
    given.write_text('{"task_id": "generated-0/00000", "solution": "x = 1"}\n')
    assert run_job("time", TimeJob, run_time, [f"workspace={tmp_path / 'w'}", "solutions=file", f"solutions.path={given}", *GIVEN]) == 0
    assert "no program passed, so there is none to time" in capsys.readouterr().out
    (timings,) = [one for one in Workspace.at(str(tmp_path / "w")).artifacts() if one.stage == "timings"]
    assert len(Rows.of(timings, "timings/")) == 0


def test_measured_models_come_on_a_leaderboard(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models of two problems: one writes the slowest right programs, the other the fastest of one problem and a mistake for the other."""
    problems = generated_problems(2)
    written = {
        "slow": [one.solutions[0].text for one in problems],
        "quick": [problems[0].solutions[-1].text, problems[1].wrong[0]],
    }
    for name, texts in written.items():
        rows = [{"task_id": one.problem.task_id, "solution": text} for one, text in zip(problems, texts, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        words = [f"workspace={tmp_path / name}", "solutions=file", f"solutions.path={tmp_path / f'{name}.jsonl'}", *GIVEN]
        assert run_job("time", TimeJob, run_time, words) == 0
    uris = {name: next(one for one in Workspace.at(str(tmp_path / name)).artifacts() if one.stage == "timings").location.uri for name in written}
    measured = [word for name, uri in uris.items() for word in ("--measured", f"{name}={uri}")]
    arguments = ["leaderboard", *measured, "--benchmark", "own", "--baseline", "slow", "--out", str(tmp_path / "board")]
    monkeypatch.setattr(sys, "argv", arguments)
    leaderboard.main()
    assert "own, against slow: 0 better on both, 1 faster only, 0 more correct only, 0 neither" in capsys.readouterr().out
    page = (tmp_path / "board" / "leaderboard.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| quick"))
    assert "0.5000" in row and "| 2 |" in row and "x |" in row  # Pass@1, problems, the speed ratio on the one problem that both solved
    monkeypatch.setattr(sys, "argv", ["leaderboard", "--measured", "slow", "--baseline", "slow", "--out", str(tmp_path / "other")])
    with pytest.raises(SystemExit, match="give NAME=TIMINGS"):
        leaderboard.main()
