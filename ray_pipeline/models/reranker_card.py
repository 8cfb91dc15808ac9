"""A reranker's card: what it is, from what and with which settings it was made, how well it does, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ray_pipeline.models.card_sections import ModelFacts, cell, ending, front_matter, training_data
from ray_pipeline.models.reranker_record import TrainedReranker

_CLASSIFIER: Final = {"library_name": "sentence-transformers", "pipeline_tag": "text-ranking", "tags": ["cross-encoder"]}
_CAUSAL: Final = {"library_name": "transformers", "pipeline_tag": "text-ranking", "tags": ["reranker"]}


def reranker_card(facts: ModelFacts, trained: TrainedReranker, base: Mapping[str, str | None]) -> str:
    """The card as Markdown with the hub's front matter."""
    sections = [
        front_matter(_CLASSIFIER if trained.kind == "classifier" else _CAUSAL, facts, base),
        f"# {facts.title or 'A reranker'}",
        f"A query and a text become one score, the higher the better. Made from `{base['name']}` ({base['revision']}) with ray_pipeline.",
        *training_data(facts),
        "## Use",
        "\n".join(_use(trained)),
        "## Prompt",
        _prompt(trained),
        *ending(facts, trained.model_dump(mode="json")),
    ]
    return "\n\n".join(sections) + "\n"


def _use(trained: TrainedReranker) -> list[str]:
    ours = ["```python", "import ray_pipeline", "", 'scores = ray_pipeline.rerank("a question", ["a text", "another"], "path/to/this/folder")', "```"]
    if trained.kind == "causal":
        return [*ours, "", _causal(trained)]
    theirs = [
        "The same scores, where neither text is cut:",
        "",
        "```python",
        "from sentence_transformers import CrossEncoder",
        "",
        'scores = CrossEncoder("path/to/this/folder").predict([("a question", "a text")])',
        "```",
    ]
    return [*ours, "", *theirs, "", f"Pairs are cut at {trained.max_length} tokens."]


def _causal(trained: TrainedReranker) -> str:
    read = {
        "yes": f"the logit of {trained.yes!r}",
        "yes-no": f"the logit of {trained.yes!r} less that of {trained.no!r}",
        "softmax": f"the share of {trained.yes!r} in a softmax over {trained.yes!r} and {trained.no!r}",
    }
    return (
        "In transformers or vLLM it is a plain decoder: give it the prompt below, each piece made into tokens by itself, and take "
        f"{read[trained.score or 'yes-no']} "
        f"as the next token, in fp32. Pairs are cut at {trained.max_length} tokens, at the end of the text."
    )


def _prompt(trained: TrainedReranker) -> str:
    pieces = trained.prompt.pieces()
    rows = ["| piece | string |", "|---|---|"]
    shown = [
        *(("head", text) for text in pieces.head),
        ("query", f"{pieces.query.prefix}{{query}}{pieces.query.suffix}"),
        *(("middle", text) for text in pieces.middle),
        ("text", f"{pieces.passage.prefix}{{text}}{pieces.passage.suffix}"),
        *(("tail", text) for text in pieces.tail),
    ]
    return "\n".join([*rows, *(f"| {name} | {cell(repr(text))} |" for name, text in shown)])
