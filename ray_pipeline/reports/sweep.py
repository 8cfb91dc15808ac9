"""A sweep as people read it: a table of its trials, the best marked, and what was left out or went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.progress import duration
from ray_pipeline.reports.markdown import fenced, table


@dataclass(frozen=True)
class TrialRow:
    """What became of a trial."""

    number: int
    values: Mapping[str, Any]
    ended: str  # "finished", "early stop", "collapsed", "stopped" (by the scheduler) or "failed"
    why: str
    best: float | None  # the objective's best evaluation, and where it was
    best_step: int | None
    last: float | None
    last_step: int | None
    seconds: float
    artifact: str | None
    curve: Sequence[tuple[int, float]] = ()


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key by its last words: as many as tell it from the others."""
    found = {}
    for key in keys:
        parts = key.split(".")
        tails = (".".join(parts[-count:]) for count in range(1, len(parts) + 1))
        alone = (tail for tail in tails if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1)
        found[key] = next(alone, key)  # one that is the tail of another stands as it is
    return found


def shown(value: Any) -> str:
    """A value as a table cell."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def trial_table(trials: Sequence[TrialRow], objective: str, best: int | None) -> str:
    """A row a trial, in the order of their numbers, the best in bold."""
    keys = short_keys(list(trials[0].values)) if trials else {}
    header = ["trial", *keys.values(), objective, "at step", "last", "steps", "ended", "time"]
    rows = []
    for one in trials:
        cells = [str(one.number), *(shown(one.values[key]) for key in keys), _figure(one.best), _whole(one.best_step), _figure(one.last)]
        cells += [_whole(one.last_step), one.ended, duration(one.seconds)]
        rows.append([f"**{cell}**" if one.number == best and cell else cell for cell in cells])
    return table(header, rows)


def sweep_report(trials: Sequence[TrialRow], objective: str, best: int | None, left_out: Mapping[str, str], command: str) -> str:
    """The page of a sweep."""
    lines = [f"# Sweep: {len(trials)} trials by {objective}", "", trial_table(trials, objective, best), ""]
    winner = next((one for one in trials if one.number == best), None)
    if winner is None:
        lines += ["No trial came to a good end.", ""]
    else:
        lines += [f"Best: trial {winner.number}, {objective} {_figure(winner.best)} at step {_whole(winner.best_step)}.", "", fenced(command), ""]
        lines += [f"Model: {winner.artifact}", ""]
    if left_out:
        lines += ["Left out of the space:", "", *(f"- {key}: {why}" for key, why in left_out.items()), ""]
    told = [one for one in trials if one.ended in ("collapsed", "failed", "stopped")]
    if told:
        lines += ["Ended early:", "", *(f"- trial {one.number} {one.ended}: {' '.join(one.why.split())}" for one in told), ""]
    curves = [[str(one.number), ", ".join(f"{step}: {figure:.4f}" for step, figure in one.curve)] for one in trials if one.curve]
    if curves:
        lines += [f"## {objective} at each evaluation (step: value)", "", table(["trial", "evaluations"], curves), ""]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
