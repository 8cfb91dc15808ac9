"""What a model did on problems, read from the artifact of its times: which samples are right, why others are not, how long the right ones take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError


@dataclass(frozen=True)
class Measured:
    """One model; problems by task_id."""

    name: str
    place: str  # of its times
    passed: Mapping[str, list[bool]]
    reasons: Counter[str]
    seconds: Mapping[str, list[float]]  # of the problems that it has a time for

    @property
    def samples(self) -> int | None:
        """Answers to each problem, where these are as many for all."""
        counts = {len(each) for each in self.passed.values()}
        return counts.pop() if len(counts) == 1 else None


def measured_models(timings: Mapping[str, Artifact]) -> list[Measured]:
    """Models by name, all measured on the same problems."""
    problems = {name: one.manifest["inputs"]["problems"]["fingerprint"] for name, one in timings.items()}
    if len(set(problems.values())) > 1:
        first, *others = problems
        other = next(name for name in others if problems[name] != problems[first])
        raise DataError(f"{other!r} was judged by other problems than {first!r}; compare models on the same ones")
    return [_measured(name, one) for name, one in timings.items()]


def _measured(name: str, timings: Artifact) -> Measured:
    passed: dict[str, list[bool]] = {}
    reasons: Counter[str] = Counter()
    verdicts = load(timings.manifest["inputs"]["verdicts"]["uri"], "verdicts")
    for row in Rows.of(verdicts, "verdicts/").table(["task_id", "passed", "reason"]).to_pylist():
        passed.setdefault(row["task_id"], []).append(row["passed"])
        reasons[row["reason"]] += 1
    seconds: dict[str, list[float]] = {}
    for row in Rows.of(timings, "timings/").table(["task_id", "reason", "seconds"]).to_pylist():
        if row["reason"] == "timed":
            seconds.setdefault(row["task_id"], []).append(row["seconds"])
    return Measured(name, timings.location.uri, passed, reasons, seconds)
