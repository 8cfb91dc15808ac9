"""Runs of models over BFCL as a table: each run, mean, deviation, standard error, how far it is, a note; in Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ray_pipeline.evaluation.tools.runs import Difference, ToolModel, Verdicts
from ray_pipeline.reports.markdown import table

NOTES: Final = (
    "All figures are per cent of entries. The standard deviation is over runs: what drawing the answers anew changes. The standard error is over "
    "entries (binomial): what other entries of the kind would change; more runs do not lower it. Models are compared entry by entry, and a "
    "difference is called one only where its 95% interval leaves out 0 and a sign-flip test agrees."
)


def tool_table(models: Sequence[ToolModel]) -> str:
    """A row for each model and category; one for a model of which nothing is known yet."""
    most = max((one.asked for one in models), default=0)
    header = ["model", "category", *(f"run {number + 1}" for number in range(most)), "mean", "std over runs", "standard error", "status", "note"]
    return table(header, [row for model in models for row in _rows(model, most)])


def _rows(model: ToolModel, most: int) -> list[list[str]]:
    if not model.verdicts:
        return [[model.name, "", *[""] * most, "", "", "", model.status, model.note]]
    return [_row(model, one, most) for one in model.verdicts.values()]


def _row(model: ToolModel, found: Verdicts, most: int) -> list[str]:
    runs = [_percent(one) for one in found.by_run]
    spread = "one run has none" if found.spread is None else _percent(found.spread)
    faults = [f"{model.faults:,} failed in their simulators"] if model.faults else []
    note = "; ".join([*([model.note] if model.note else []), *faults])
    empty = [""] * (most - len(runs))
    return [model.name, found.category, *runs, *empty, _percent(found.mean), spread, _percent(found.error), model.status, note]


def tool_page(models: Sequence[ToolModel], compared: Sequence[Difference]) -> str:
    """The table as a page, with what may be said of differences."""
    sentences = [f"- {one.sentence()}" for one in compared]
    parts = ["# Tool calling: BFCL v4", tool_table(models), *(["## Differences", "\n".join(sentences)] if sentences else []), NOTES]
    return "\n\n".join(parts) + "\n"


def tool_csv(models: Sequence[ToolModel]) -> str:
    """A line for each run of each category."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["model", "category", "run", "entries", "right", "accuracy"])
    lines.writerows(_lines(models))
    return text.getvalue()


def _lines(models: Sequence[ToolModel]) -> Iterator[list[Any]]:
    for model in models:
        for found in model.verdicts.values():
            for number, right in enumerate(found.right.sum(axis=0)):
                yield [model.name, found.category, number + 1, len(found.entries), int(right), found.by_run[number]]


def tool_json(models: Sequence[ToolModel], compared: Sequence[Difference]) -> str:
    """All of it as data."""
    return json.dumps({"models": [_model(one) for one in models], "differences": [_difference(one) for one in compared]}, indent=1)


def _model(model: ToolModel) -> dict[str, Any]:
    found = {
        name: {"entries": len(one.entries), "runs": list(one.by_run), "mean": one.mean, "std_over_runs": one.spread, "standard_error": one.error}
        for name, one in model.verdicts.items()
    }
    return {"name": model.name, "status": model.status, "note": model.note, "faults": model.faults, "categories": found}


def _difference(one: Difference) -> dict[str, Any]:
    interval = one.found.difference
    return {
        "category": one.category,
        "new": one.new.name,
        "reference": one.reference.name,
        "difference": interval.mean,
        "interval": [interval.low, interval.high],
        "p_value": one.found.p_value,
        "entries": interval.queries,
        "real": one.real,
        "sentence": one.sentence(),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
