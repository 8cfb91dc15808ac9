"""The sections that the cards of all models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass(frozen=True)
class ModelFacts:
    """What the training knows about the model."""

    title: str | None = None
    data: Sequence[str] = ()  # one line each: what it was trained on
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the training, plain values
    metrics: Sequence[Mapping[str, Any]] = ()  # rows of one table
    training: Mapping[str, Any] = field(default_factory=dict)  # plain facts for ray_pipeline.json: no times, no paths
    license: str | None = None


def front_matter(kind: Mapping[str, Any], facts: ModelFacts, base: Mapping[str, str | None]) -> str:
    """What the hub reads: the kind of model, its base, its licence."""
    values = dict(kind)
    name = str(base["name"])
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        values["base_model"] = name  # a hub id
    if facts.license is not None:
        values["license"] = facts.license
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---"


def training_data(facts: ModelFacts) -> list[str]:
    return ["## Training data", "\n".join(f"- {line}" for line in facts.data)] if facts.data else []


def ending(facts: ModelFacts, model: Mapping[str, Any]) -> list[str]:
    """Metrics, settings and licence. `model`: how the model is used."""
    return [
        *_metrics(facts),
        "## Settings",
        _yaml({"model": dict(model), **dict(facts.settings)}),
        "## Licence",
        facts.license or "Not stated here: the licence of the base and the terms of the training data apply.",
    ]


def _metrics(facts: ModelFacts) -> list[str]:
    if not facts.metrics:
        return []
    names = list(dict.fromkeys(name for row in facts.metrics for name in row))
    rows = [f"| {' | '.join(map(cell, names))} |", f"|{'---|' * len(names)}"]
    rows += [f"| {' | '.join(cell(_shown(row.get(name))) for name in names)} |" for row in facts.metrics]
    return ["## Metrics", "\n".join(rows)]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def cell(text: str) -> str:
    """A text as a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _yaml(value: Mapping[str, Any]) -> str:
    return f"```yaml\n{yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)}```"
