"""What models did on a benchmark, from their verdicts and times: rows of a leaderboard, with the intervals that hand-made ones lack.

Speed is compared on the problems that a model and the reference both solved; `avg_time` is there too, since published tables have it, and is as
biased as theirs (`metrics/speed.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.pass_at_k import pass_at_k
from ray_pipeline.metrics.speed import Times, average_time, compare_speed


def measured_standings(benchmark: str, timings: Mapping[str, Artifact], reference: str | None) -> list[Standing]:
    """A row a model; `timings` are artifacts of jobs.time by model, all of the same problems. `reference`: the model that speed is compared with."""
    problems = {name: one.manifest["inputs"]["problems"]["fingerprint"] for name, one in timings.items()}
    if len(set(problems.values())) > 1:
        first, *others = problems
        other = next(name for name in others if problems[name] != problems[first])
        raise DataError(f"{other!r} was judged by other problems than {first!r}; compare models on the same ones")
    times = {name: _times(name, one) for name, one in timings.items()}
    return [_standing(benchmark, name, one, times, reference) for name, one in timings.items()]


def _standing(benchmark: str, model: str, timings: Artifact, times: Mapping[str, Times], reference: str | None) -> Standing:
    verdicts: dict[str, list[bool]] = {}
    for row in Rows.of(load(timings.manifest["inputs"]["verdicts"]["uri"], "verdicts"), "verdicts/").table(["task_id", "passed"]).to_pylist():
        verdicts.setdefault(row["task_id"], []).append(row["passed"])
    passed = pass_at_k(verdicts, 1, seed=0).interval
    counts = {len(each) for each in verdicts.values()}
    speed = None
    if reference is not None and reference in times and reference != model and times[reference].keys() & times[model].keys():
        speed = compare_speed(times[model], times[reference], seed=0)
    return Standing(
        benchmark=benchmark,
        model=model,
        avg_time=average_time(times[model]).seconds,
        pass_at_1=passed.mean,
        place=timings.location.uri,
        pass_interval=Range(passed.low, passed.high),
        problems=len(verdicts),
        samples=counts.pop() if len(counts) == 1 else None,
        speed_ratio=speed.ratio if speed else None,
        speed_interval=Range(speed.low, speed.high) if speed else None,
    )


def _times(model: str, timings: Artifact) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in Rows.of(timings, "timings/").table(["task_id", "reason", "seconds"]).to_pylist():
        if row["reason"] == "timed":
            found.setdefault(row["task_id"], []).append(row["seconds"])
    if not found:
        raise DataError(f"{timings.location.uri}: {model!r} has no program with a time; leave the model out")
    return found
