"""Embedding a table of texts, shard by shard.

A shard is a range of rows. It is tokenised, sorted by length and cut into token-budget batches *inside the shard*,
so its vectors depend on nothing outside it: not on the number of workers, not on which worker ran it, not on what
failed before. `TokeniseShard` runs in CPU tasks, `EmbedShard` on the device; neither knows Ray.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.text_input import TextInput, text_input
from ray_pipeline.schemas import vectors_schema
from ray_pipeline.storage import Location
from ray_pipeline.text.prompts import Side
from ray_pipeline.text.tokens import Tokens

if TYPE_CHECKING:
    from ray_pipeline.models.embedder import Embedder


class EmbedSettings(Settings):
    """How a table of texts is cut into shards and batches."""

    shard_rows: int = identity(2048, "rows a shard: the unit of work, of retry and of progress", ge=1)
    token_budget: int = identity(3072, "padded tokens a batch at most", ge=1)
    max_rows: int = identity(256, "rows a batch at most", ge=1)
    dtype: Literal["float32", "float16"] = identity("float32", "how vectors are stored")


@dataclass(frozen=True)
class TokeniseShard:
    """Reads the rows of a shard and turns their text into tokens."""

    rows: Rows
    id_column: str
    model: EmbedderSettings
    side: Side

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        titles = ["title"] if self.side == "document" else []
        table = self.rows.slice(shard["start"], shard["stop"], [self.id_column, "text", *titles])
        texts = (titled_text(table) if titles else table.column("text")).to_pylist()
        tokens = _text_input(self.model).tokens(texts, self.side)
        empty = sum(1 for text in texts if not text.strip())
        keys = json.dumps(table.column(self.id_column).to_pylist())
        return {"ids": tokens.ids, "offsets": tokens.offsets, "truncated": tokens.truncated, "empty": empty, "keys": keys}


@functools.lru_cache(maxsize=4)
def _text_input(model: EmbedderSettings) -> TextInput:
    """Loaded once a process, not once a shard."""
    return text_input(model)


@dataclass(frozen=True)
class MakeEmbedShard:
    """Makes the worker on whatever device it is given."""

    model: EmbedderSettings
    settings: EmbedSettings
    artifact: str
    prefix: str

    def __call__(self, device: str) -> EmbedShard:
        from ray_pipeline.models.embedder import Embedder  # torch: only where a model is loaded, not in tokenising tasks
        from ray_pipeline.models.packed_linear import packed

        return EmbedShard(self, packed(Embedder(self.model, device)))


class EmbedShard:
    """Holds the model; turns tokens into a vectors file and its record."""

    def __init__(self, plan: MakeEmbedShard, embedder: Embedder) -> None:
        self.plan = plan
        self.embedder = embedder

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        tokens = Tokens(np.asarray(payload["ids"]), np.asarray(payload["offsets"]), payload["truncated"])
        vectors = self.embedder.encode(tokens, self.plan.settings.token_budget, self.plan.settings.max_rows)
        keys = json.loads(payload["keys"])
        table = vectors_table(keys, vectors, self.plan.settings.dtype)
        counts = {"rows": len(tokens), "tokens": int(tokens.offsets[-1]), "truncated": tokens.truncated, "empty": payload["empty"]}
        extra = {"counts": counts, "dim": vectors.shape[1], "started": started, "ended": time.time()}
        return write_shard(Location.of(self.plan.artifact), self.plan.prefix, payload["shard"], parquet_bytes(table), len(tokens), extra)


def vectors_table(keys: list[str], vectors: NDArray[np.float32], dtype: str) -> pa.Table:
    """Ids beside their vectors, in the vectors schema; refuses what is not finite as it would be stored."""
    schema = vectors_schema(vectors.shape[1], dtype)
    with np.errstate(over="ignore"):  # float16 ends at 65,504: what lies beyond is refused below, by its id
        stored = vectors.astype(np.dtype(dtype))
    _refuse_bad_vectors(stored, keys)
    flat = pa.array(stored.reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table([pa.array(keys, pa.string()), column.cast(schema.field("vector").type)], schema=schema)


def _refuse_bad_vectors(vectors: NDArray[np.float32], keys: list[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ModelError(
            f"{len(bad)} vectors are NaN or infinite in {vectors.dtype}, the first for id {keys[bad[0]]!r}; "
            "try model.precision=fp32 or bf16, embed.dtype=float32, or check the model's weights"
        )


def shards_of(rows: int, shard_rows: int) -> list[dict[str, int]]:
    """Descriptors of all shards of a table."""
    return [{"shard": number, "start": start, "stop": min(start + shard_rows, rows)} for number, start in enumerate(range(0, rows, shard_rows))]
