"""Conversations as tokens, as a stage writes and trainings read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import TOKENS
from ray_pipeline.text.chat.rendering import Rendered
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import Tokens


def token_table(names: Sequence[str], rendered: Sequence[Rendered]) -> pa.Table:
    """A row a conversation."""
    ids = pa.array([one.ids.astype(np.int32) for one in rendered], TOKENS.field("ids").type)
    learned = pa.array([one.learned for one in rendered], TOKENS.field("learned").type)
    return pa.Table.from_arrays([pa.array(names, pa.string()), ids, learned], schema=TOKENS)


def token_rows(artifact: Artifact, split: str) -> LearnedTokens:
    """The rows of a split; an error where it has none."""
    part = f"{split}/"
    if not artifact.files(part):
        raise DataError(f"{artifact.location.uri}: no conversations in split {split!r}; set chats.eval_share, or train.evaluation=null")
    return learned_tokens(Rows.of(artifact, part).table(["ids", "learned"]))


def learned_tokens(table: pa.Table) -> LearnedTokens:
    """The columns `ids` and `learned`, end to end."""
    ids, learned = (table.column(name).combine_chunks() for name in ("ids", "learned"))
    offsets = np.concatenate([[0], np.cumsum(ids.value_lengths().to_numpy())]).astype(np.int64)
    return LearnedTokens(Tokens(ids.flatten().to_numpy(), offsets, 0), learned.flatten().to_numpy(zero_copy_only=False).astype(bool))
