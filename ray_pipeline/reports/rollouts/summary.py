"""A run's rollouts draw by draw: rewards, how many groups taught nothing, how many were cut off, how long they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ray_pipeline.reports.rollouts.choice import written_tokens
from ray_pipeline.reports.rollouts.kept import Draw


@dataclass(frozen=True)
class DrawFigures:
    """Of one draw. What no environment counted is None."""

    draw: int
    step: str  # or the steps that learned from it
    version: int  # the oldest weights that drew
    rollouts: int
    reward: float | None  # None: all failed
    std: float | None
    uniform: float
    failed: float
    truncated: float
    tokens: float
    tokens_p95: float
    tokens_max: int
    turns: float | None
    calls: float | None
    failed_calls: float | None


def figures_of(draw: Draw) -> DrawFigures:
    """The same figures as the training logs."""
    table = draw.table
    sound = table["failed"].is_null().to_numpy()
    rewards, tokens = table["reward"].to_numpy()[sound], written_tokens(draw)
    return DrawFigures(
        draw=draw.number,
        step=draw.step,
        version=int(table["version"].to_numpy().min()),
        rollouts=table.num_rows,
        reward=float(rewards.mean()) if len(rewards) else None,
        std=float(rewards.std()) if len(rewards) else None,
        uniform=float(draw.uniform.mean()),
        failed=float(1 - sound.mean()),
        truncated=float(table["truncated"].to_numpy().mean()),
        tokens=float(tokens.mean()),
        tokens_p95=float(np.percentile(tokens, 95)),
        tokens_max=int(tokens.max()),
        turns=_mean(draw, "turns"),
        calls=_mean(draw, "calls"),
        failed_calls=_mean(draw, "failed_calls"),
    )


def _mean(draw: Draw, name: str) -> float | None:
    known = draw.table[name].drop_null()
    return float(known.to_numpy().mean()) if len(known) else None


COLUMNS: Final[dict[str, Callable[[DrawFigures], str | None]]] = {
    "step": lambda one: one.step,
    "draw": lambda one: f"{one.draw:,}",
    "version": lambda one: f"{one.version:,}",
    "rollouts": lambda one: f"{one.rollouts:,}",
    "reward": lambda one: _figure(one.reward, ".3f"),
    "std": lambda one: _figure(one.std, ".3f"),
    "uniform": lambda one: f"{one.uniform:.0%}",
    "failed": lambda one: f"{one.failed:.0%}",
    "truncated": lambda one: f"{one.truncated:.0%}",
    "tokens": lambda one: f"{one.tokens:,.0f}",
    "p95": lambda one: f"{one.tokens_p95:,.0f}",
    "most": lambda one: f"{one.tokens_max:,}",
    "turns": lambda one: _figure(one.turns, ".2f"),
    "calls": lambda one: _figure(one.calls, ".2f"),
    "failed calls": lambda one: _figure(one.failed_calls, ".2f"),
}


def cells(found: Sequence[DrawFigures]) -> tuple[list[str], list[list[str]]]:
    """Header and rows; a column in which nothing is known is left out."""
    columns = {name: [shown(one) for one in found] for name, shown in COLUMNS.items()}
    known = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return list(known), [[value or "" for value in row] for row in zip(*known.values(), strict=True)]


def _figure(value: float | None, shape: str) -> str | None:
    return None if value is None else format(value, shape)
