"""Which rollouts are looked at: of a step, of a prompt, the best, the worst, those that failed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.reports.rollouts.kept import Draw

Show = Literal["newest", "best", "worst", "longest", "failed", "truncated"]
Values = NDArray[np.float64]


def written_tokens(draw: Draw) -> NDArray[np.int64]:
    """[rollouts] tokens that the policy wrote: each of them has a likelihood."""
    return np.array([len(one) for one in draw.table["logprobs"]], dtype=np.int64)


def _all(draw: Draw) -> NDArray[np.bool_]:
    return np.ones(draw.table.num_rows, dtype=np.bool_)


def _rewarded(draw: Draw) -> NDArray[np.bool_]:
    return draw.table["failed"].is_null().to_numpy()  # type: ignore[no-any-return]


def _rewards(draw: Draw) -> Values:
    return draw.table["reward"].to_numpy()  # type: ignore[no-any-return]


def _age(draw: Draw) -> Values:
    return np.full(draw.table.num_rows, -float(draw.number))


@dataclass(frozen=True)
class Order:
    """Which rollouts there are, and what they are sorted by: least first, then as they were drawn."""

    among: Callable[[Draw], NDArray[np.bool_]]
    by: Callable[[Draw], Values]


ORDERS: Final[dict[Show, Order]] = {
    "newest": Order(_all, _age),
    "best": Order(_rewarded, lambda draw: -_rewards(draw)),
    "worst": Order(_rewarded, _rewards),
    "longest": Order(_all, lambda draw: -written_tokens(draw).astype(np.float64)),
    "failed": Order(lambda draw: ~_rewarded(draw), _age),
    "truncated": Order(lambda draw: draw.table["truncated"].to_numpy(), _age),
}


@dataclass(frozen=True)
class Row:
    """A rollout as it is kept."""

    draw: int
    step: str  # or the steps that learned from it
    values: dict[str, Any]


@dataclass
class Picked:
    """Takes draws as they come and keeps the first `most` rollouts of an order."""

    show: Show
    most: int
    _kept: list[tuple[float, int, int, Row]] = field(default_factory=list)

    def take(self, draw: Draw) -> None:
        order = ORDERS[self.show]
        keys = order.by(draw)
        rows = np.flatnonzero(order.among(draw))
        rows = rows[np.argsort(keys[rows], kind="stable")][: self.most]
        for row in rows.tolist():
            (values,) = draw.table.slice(row, 1).to_pylist()
            self._kept.append((float(keys[row]), draw.number, row, Row(draw.number, draw.step, values)))
        self._kept = sorted(self._kept, key=lambda one: one[:3])[: self.most]

    def rows(self) -> list[Row]:
        return [row for *_, row in self._kept]


def matching(draws: Iterable[Draw], step: int | None, prompt: str | None, where: str) -> Iterator[Draw]:
    """What of the draws is of this step and prompt; refuses what is nowhere. `where`: whose rollouts they are."""
    steps, prompts, found = 0, dict[str, None](), False
    for draw in draws:
        steps = draw.steps[-1]
        names = draw.table["prompt_id"].to_pylist()
        prompts.update(dict.fromkeys(names))
        chosen = np.array([prompt is None or name == prompt for name in names], dtype=np.bool_)
        if (step is None or step in draw.steps) and chosen.any():
            found = True
            yield draw if prompt is None else draw.where(chosen)
    if found:
        return
    if step is not None and not 1 <= step <= steps:
        raise DataError(f"step={step}: {where} has rollouts of steps 1 to {steps}")
    if prompt is not None and prompt not in prompts:
        raise DataError(f"prompt={prompt}: no rollout of {where} is of it; {_near(prompt, list(prompts))}")
    raise DataError(f"step={step} prompt={prompt}: {where} has rollouts of both, but none of this prompt in this step; leave one of them out")


def _near(prompt: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(prompt, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {len(known):,}: {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
