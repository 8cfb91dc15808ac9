"""Models side by side by what they wrote: a page of Markdown. Each is held against one of them, problem by problem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ray_pipeline.evaluation.code.measured import Measured
from ray_pipeline.evaluation.code.standings import speed_against
from ray_pipeline.metrics.comparison import compare_values
from ray_pipeline.metrics.pass_at_k import PassAtK, pass_at_k
from ray_pipeline.metrics.speed import average_time
from ray_pipeline.reports.markdown import table

NOTES = (
    "Pass@1 is the unbiased estimate, its interval over problems; differences are paired, problem by problem. Speed is compared on the problems that "
    "both models solved: the geometric mean of ratios of medians. The average time is over the problems that each model solved itself, so it is no "
    "measure to compare by."
)


def code_models(models: Sequence[Measured], baseline: str, benchmark: str) -> str:
    """The page."""
    base = next(one for one in models if one.name == baseline)
    held = pass_at_k(base.passed, 1, seed=0)
    rows = [_row(one, base, held) for one in models]
    header = ["model", "Pass@1", "95% interval", f"against {baseline}", "speed", "average time", "programs"]
    samples = {one.samples for one in models}
    each = f", {samples.pop()} programs each" if len(samples) == 1 and None not in samples else ""
    return f"# Code models: {benchmark}\n\n{len(base.passed):,} problems{each}.\n\n{table(header, rows)}\n\n{NOTES}\n"


def _row(model: Measured, base: Measured, held: PassAtK) -> list[str]:
    found = pass_at_k(model.passed, 1, seed=0)
    if model is base:
        gain = speed = "-"
    else:
        tasks = sorted(held.by_problem)
        values = [np.array([of.by_problem[task] for task in tasks]) for of in (found, held)]
        gain = compare_values("pass@1", values[0], values[1], seed=0).sentence()
        compared = speed_against(model, base)
        speed = compared.sentence() if compared else "no problem that both solved"
    of = found.interval
    average = f"{average_time(model.seconds).seconds:.6g} s over {len(model.seconds):,}" if model.seconds else "none is right"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in model.reasons.most_common())
    return [model.name, f"{of.mean:.1%}", f"{of.low:.1%} to {of.high:.1%}", gain, speed, average, reasons]
