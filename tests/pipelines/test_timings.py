"""The times of right programs as a stage: what is timed, counted, found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.command_line import run_job
from jobs.time import TimeJob, run_time
from ray_pipeline.artifacts import Workspace
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
    assert run_job("time", TimeJob, run_time, [f"workspace={tmp_path / 'w'}", "solutions=file", f"solutions.path={given}", *GIVEN]) == 1
    assert "no program passed, so there is none to time" in capsys.readouterr().err
