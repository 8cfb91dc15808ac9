"""The record of a run: one row a step and one an evaluation, as JSON lines, and the table of its evaluations.

A row is a plain mapping with `kind` ("step" or "evaluation"), `step` (updates done), `epoch` (a fraction) and the figures
by their names: `loss`, `lr`, `grad_norm`, ... for a step; `train_loss`, `eval_loss`, `map@25`, ... for an evaluation.

Trap: JSON has no NaN, and the row that says the loss became NaN is the one worth reading. Such numbers are written as the
texts "NaN", "Infinity" and "-Infinity" and come back as numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.errors import DataError

_NAMED: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LABELS: Final = {"train_loss": "train loss", "eval_loss": "eval loss", "external": "external score"}
_MEASURES: Final = {"map": "MAP", "ndcg": "nDCG", "mrr": "MRR"}

Row = Mapping[str, Any]


def to_lines(rows: Iterable[Row]) -> str:
    """A line of JSON a row."""
    return "".join(json.dumps({key: _written(value) for key, value in row.items()}, allow_nan=False) + "\n" for row in rows)


def from_lines(text: str, where: object) -> list[dict[str, Any]]:
    """The rows of `to_lines`; `where` names the text in an error."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as problem:
            raise DataError.at(
                where, number, f"not a row of a run's history: {problem}", "was the run killed while it wrote? delete this line"
            ) from None
        if not isinstance(row, dict):
            raise DataError.at(where, number, "not a row of a run's history: it is no mapping")
        rows.append({key: _NAMED.get(value, value) if isinstance(value, str) else value for key, value in row.items()})
    return rows


def best_row(evaluations: Sequence[Row], metric: str, *, greater_is_better: bool = True) -> int | None:
    """Which evaluation is best: the first of equals; those without the metric, or with NaN, are none."""
    sign = 1.0 if greater_is_better else -1.0
    scored = [
        (sign * row[metric], -at) for at, row in enumerate(evaluations) if isinstance(row.get(metric), int | float) and not math.isnan(row[metric])
    ]
    return -max(scored)[1] if scored else None


@dataclass(frozen=True)
class EvaluationTable:
    """Evaluations as text cells; `best` is the row to be marked."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None

    def text(self) -> str:
        """Aligned columns, the best row marked with `*`."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.header, *self.rows]
        marks = [" ", *("*" if at == self.best else " " for at in range(len(self.rows)))]
        aligned = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join(f"{mark} {line}".rstrip() for mark, line in zip(marks, aligned, strict=True))

    def markdown(self) -> str:
        """A pipe table, the best row in bold."""
        lines = [self.header, ("---:",) * len(self.header)]
        lines += [tuple(f"**{cell}**" if at == self.best and cell else cell for cell in row) for at, row in enumerate(self.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def evaluation_table(
    evaluations: Sequence[Row],
    metric: str,
    columns: Sequence[str] = ("train_loss", "eval_loss", "map@25", "recall@25", "external"),
    *,
    greater_is_better: bool = True,
) -> EvaluationTable:
    """Epoch, step and the given columns of each evaluation. The metric that decides is always one of them; a column that no
    evaluation has is left out, and a single missing value is an empty cell."""
    wanted = list(dict.fromkeys([*columns, metric]))
    shown = [name for name in wanted if any(row.get(name) is not None for row in evaluations)]
    return EvaluationTable(
        header=("epoch", "step", *(_label(name) for name in shown)),
        rows=tuple((f"{row['epoch']:.2f}", f"{row['step']:,}", *(_figure(row.get(name)) for name in shown)) for row in evaluations),
        best=best_row(evaluations, metric, greater_is_better=greater_is_better),
    )


def evaluations_of(training: Row, evaluations: Sequence[Row]) -> EvaluationTable:
    """The table of a training's evaluations; its settings, as its manifest holds them, say which metric decides."""
    evaluation = training["train"]["evaluation"] or {"metric": "map@25", "greater_is_better": True}
    return evaluation_table(evaluations, evaluation["metric"], greater_is_better=evaluation["greater_is_better"])


def _written(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _label(name: str) -> str:
    measure, at, cutoff = name.partition("@")
    return _LABELS.get(name) or (_MEASURES.get(measure, measure.capitalize()) + at + cutoff if at else name)


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value}"
