"""Conversations as a training sees them: decoded, what is learned between ⟦ and ⟧."""

from __future__ import annotations

import numpy as np

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.token_rows import learned_tokens
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer
from ray_pipeline.models.source import locate
from ray_pipeline.text.chat.rendering import Rendered, shown

EXAMPLES = 4


def rendered_examples(tokens: Artifact, model: PolicySettings) -> str:
    """The first conversations of the training side, and what of all of them is learned."""
    tokenizer = policy_tokenizer(locate(model.name, model.revision).folder, model)
    table = Rows.of(tokens, "train/")
    first = table.slice(0, min(EXAMPLES, len(table)))
    rows = learned_tokens(first)
    lines = []
    for row, name in enumerate(first.column("chat_id").to_pylist()):
        span = slice(rows.tokens.offsets[row], rows.tokens.offsets[row + 1])
        text = shown(Rendered("", rows.tokens.ids[span].astype(np.int64), rows.learned[span]), tokenizer)
        lines += [f"--- {name}: {span.stop - span.start:,} tokens, {int(rows.learned[span].sum()):,} learned", text]
    counts = tokens.metrics
    lines.append(f"--- all: {counts['rows']['train']:,} conversations, {counts['tokens']:,} tokens, {counts['learned']:,} learned (between ⟦ and ⟧)")
    return "\n".join(lines)
