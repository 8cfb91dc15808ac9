"""The model card: what a model is, from what and with which settings it was made, how well it does, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from ray_pipeline.models.trained_settings import TrainedSettings
from ray_pipeline.text.prompts import Side

_SIDES: Final[tuple[Side, ...]] = ("query", "document")


@dataclass(frozen=True)
class ModelFacts:
    """What the training knows about the model."""

    title: str = "A text embedding model"
    data: Sequence[str] = ()  # one line each: what it was trained on
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the training, plain values
    metrics: Sequence[Mapping[str, Any]] = ()  # rows of one table
    training: Mapping[str, Any] = field(default_factory=dict)  # plain facts for ray_pipeline.json: no times, no paths
    license: str | None = None


def model_card(facts: ModelFacts, trained: TrainedSettings, base: Mapping[str, str | None], dim: int) -> str:
    """The card as Markdown with the hub's front matter."""
    sections = [
        _front_matter(facts, base),
        f"# {facts.title}",
        f"Texts become vectors of {dim} dimensions. Made from `{base['name']}` ({base['revision']}) with ray_pipeline.",
        *_data(facts),
        "## Use",
        _use(trained),
        "## Prompts",
        _prompts(trained),
        *_warnings(trained),
        *_metrics(facts),
        "## Settings",
        _yaml({"model": trained.model_dump(mode="json"), **dict(facts.settings)}),
        "## Licence",
        facts.license or "Not stated here: the licence of the base and the terms of the training data apply.",
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(facts: ModelFacts, base: Mapping[str, str | None]) -> str:
    values: dict[str, Any] = {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity", "tags": ["feature-extraction"]}
    name = str(base["name"])
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        values["base_model"] = name  # a hub id
    if facts.license is not None:
        values["license"] = facts.license
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---"


def _data(facts: ModelFacts) -> list[str]:
    return ["## Training data", "\n".join(f"- {line}" for line in facts.data)] if facts.data else []


def _use(trained: TrainedSettings) -> str:
    return "\n".join(
        [
            "```python",
            "from sentence_transformers import SentenceTransformer",
            "",
            'model = SentenceTransformer("path/to/this/folder")',
            'queries = model.encode(["a question"], prompt_name="query")',
            'documents = model.encode(["a text"], prompt_name="document")',
            "scores = model.similarity(queries, documents)",
            "```",
            "",
            "Here, with the same vectors; prompt, pooling and length come from the folder:",
            "",
            "```python",
            "import ray_pipeline",
            "",
            'queries = ray_pipeline.embed(["a question"], "path/to/this/folder", side="query")',
            "```",
            "",
            f"Texts are cut at {trained.max_length} tokens.",
        ]
    )


def _prompts(trained: TrainedSettings) -> str:
    rows = ["| side | before the text | after the text |", "|---|---|---|"]
    for side in _SIDES:
        wrapped = trained.prompt.wrap(side)
        rows.append(f"| {side} | {_cell(repr(wrapped.prefix))} | {_cell(repr(wrapped.suffix))} |")
    if trained.terminal_token is not None:
        rows += ["", f"`{trained.terminal_token}` ends every text; the tokenizer's post-processor appends it."]
    return "\n".join(rows)


def _warnings(trained: TrainedSettings) -> list[str]:
    """What another library would do differently."""
    found = []
    if any(trained.prompt.wrap(side).suffix for side in _SIDES):
        found.append(
            "**The prompt has a suffix, which sentence-transformers cannot express.** There, append it to each text yourself, and keep texts "
            "short enough that it is not cut off; otherwise the vectors are others."
        )
    if trained.bidirectional:
        found.append(
            "**The decoder reads both ways** (`is_causal: false` in config.json). transformers before 5.2 ignores this and gives other vectors."
        )
    return found


def _metrics(facts: ModelFacts) -> list[str]:
    if not facts.metrics:
        return []
    names = list(dict.fromkeys(name for row in facts.metrics for name in row))
    rows = [f"| {' | '.join(map(_cell, names))} |", f"|{'---|' * len(names)}"]
    rows += [f"| {' | '.join(_cell(_shown(row.get(name))) for name in names)} |" for row in facts.metrics]
    return ["## Metrics", "\n".join(rows)]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _yaml(value: Mapping[str, Any]) -> str:
    return f"```yaml\n{yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)}```"
