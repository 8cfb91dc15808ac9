"""An embedder's card: what it is, from what and with which settings it was made, how well it does, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ray_pipeline.models.card_sections import ModelFacts, cell, ending, front_matter, training_data
from ray_pipeline.models.embedder_record import TrainedSettings
from ray_pipeline.text.prompts import Side

_KIND: Final = {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity", "tags": ["feature-extraction"]}
_SIDES: Final[tuple[Side, ...]] = ("query", "document")


def model_card(facts: ModelFacts, trained: TrainedSettings, base: Mapping[str, str | None], dim: int) -> str:
    """The card as Markdown with the hub's front matter."""
    sections = [
        front_matter(_KIND, facts, base),
        f"# {facts.title or 'A text embedding model'}",
        f"Texts become vectors of {dim} dimensions. Made from `{base['name']}` ({base['revision']}) with ray_pipeline.",
        *training_data(facts),
        "## Use",
        _use(trained),
        "## Prompts",
        _prompts(trained),
        *_warnings(trained),
        *ending(facts, trained.model_dump(mode="json")),
    ]
    return "\n\n".join(sections) + "\n"


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
        rows.append(f"| {side} | {cell(repr(wrapped.prefix))} | {cell(repr(wrapped.suffix))} |")
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
