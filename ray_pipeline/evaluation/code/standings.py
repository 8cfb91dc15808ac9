"""What models did on a benchmark as rows of a leaderboard, with the intervals that hand-made ones lack.

Speed is compared on the problems that a model and the reference both solved; `avg_time` is there too, since published tables have it, and is as
biased as theirs (`metrics/speed.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.code.measured import Measured, measured_models
from ray_pipeline.metrics.pass_at_k import pass_at_k
from ray_pipeline.metrics.speed import SpeedComparison, average_time, compare_speed


def measured_standings(benchmark: str, timings: Mapping[str, Artifact], reference: str | None) -> list[Standing]:
    """A row a model; `timings` are artifacts of jobs.time by model, all of the same problems. `reference`: the model that speed is compared with."""
    models = measured_models(timings)
    for one in models:
        if not one.seconds:
            raise DataError(f"{one.place}: {one.name!r} has no program with a time; leave the model out")
    return standings(benchmark, models, reference)


def standings(benchmark: str, models: Sequence[Measured], reference: str | None) -> list[Standing]:
    """The rows of models that have times."""
    base = next((one for one in models if one.name == reference), None)
    return [_standing(benchmark, one, None if base is None else speed_against(one, base)) for one in models]


def speed_against(model: Measured, reference: Measured) -> SpeedComparison | None:
    """How much faster a model's programs are; None of itself, and where no problem was solved by both."""
    if model.name == reference.name or not model.seconds.keys() & reference.seconds.keys():
        return None
    return compare_speed(model.seconds, reference.seconds, seed=0)


def _standing(benchmark: str, model: Measured, speed: SpeedComparison | None) -> Standing:
    passed = pass_at_k(model.passed, 1, seed=0).interval
    return Standing(
        benchmark=benchmark,
        model=model.name,
        avg_time=average_time(model.seconds).seconds,
        pass_at_1=passed.mean,
        place=model.place,
        pass_interval=Range(passed.low, passed.high),
        problems=len(model.passed),
        samples=model.samples,
        speed_ratio=speed.ratio if speed else None,
        speed_interval=Range(speed.low, speed.high) if speed else None,
    )
