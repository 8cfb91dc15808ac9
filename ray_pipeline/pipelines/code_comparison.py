"""Stage `code_comparison`: models side by side by the programs that they wrote for the same problems.

report.md                                  Pass@1 and speed with paired intervals
leaderboard.html, leaderboard.md, plots/   the same models as a leaderboard: those that have right programs, where the baseline is one of them
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.code.measured import measured_models
from ray_pipeline.evaluation.code.standings import standings
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.reports.code_models import code_models
from ray_pipeline.reports.leaderboard.against import Baseline
from ray_pipeline.reports.leaderboard.board import board_of
from ray_pipeline.reports.leaderboard.content import leaderboard
from ray_pipeline.reports.leaderboard.files import write_leaderboard

ALGORITHM: Final = 1


def compare_code(run: Run, timings: Mapping[str, Artifact], baseline: str, benchmark: str) -> Artifact:
    """Each model against the baseline."""
    inputs = {name: one.as_input() for name, one in timings.items()}
    stage = Stage("code_comparison", ALGORITHM, {}, inputs, {"models": list(timings), "baseline": baseline, "benchmark": benchmark})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        models = measured_models(timings)
        asked = {one.name: one.passed.keys() for one in models}
        other = next((name for name, tasks in asked.items() if tasks != asked[baseline]), None)
        if other is not None:
            raise DataError(f"{other!r} answered other problems than {baseline!r}; compare models on programs for the same ones")
        report = code_models(models, baseline, benchmark)
        attempt.write("report.md", report.encode())
        timed = [one for one in models if one.seconds]
        if baseline in {one.name for one in timed}:
            found = leaderboard(board_of(standings(benchmark, timed, baseline)), [Baseline((baseline,))], None)
            _, markdown = write_leaderboard(found, attempt.location / attempt.prefix)
            for name in ("leaderboard.html", "leaderboard.md", *(f"plots/{place.name}" for place in (markdown.parent / "plots").children())):
                attempt.add(name)
        return Outcome(len(models), {"report": report, "without_time": [one.name for one in models if not one.seconds]})

    return run.ensure(stage, build)
