"""Preferences as tokens: both answers of each pair behind its prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.token_rows import learned_tokens
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import PAIR_TOKENS
from ray_pipeline.text.chat.rendering import Rendered
from ray_pipeline.text.learned_tokens import LearnedTokens


@dataclass(frozen=True, eq=False)
class PairRows:
    """Pairs in their order."""

    ids: tuple[str, ...]
    sets: NDArray[np.str_]
    weights: NDArray[np.float64]
    chosen: LearnedTokens
    rejected: LearnedTokens

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of both answers, their prompts included."""
        return self.chosen.tokens.lengths + self.rejected.tokens.lengths


def pair_table(names: list[tuple[str, str, float]], sides: list[tuple[Rendered, Rendered]]) -> pa.Table:
    """A row a pair. `names`: id, set and weight of each."""
    ids, sets, weights = zip(*names, strict=True)
    columns: list[pa.Array] = [pa.array(ids, pa.string()), pa.array(sets, pa.string()), pa.array(weights, pa.float32())]
    for side in range(2):
        columns.append(pa.array([pair[side].ids.astype(np.int32) for pair in sides], pa.list_(pa.int32())))
        columns.append(pa.array([pair[side].learned for pair in sides], pa.list_(pa.bool_())))
    return pa.Table.from_arrays(columns, schema=PAIR_TOKENS)


def pair_rows(artifact: Artifact, split: str, start: int = 0, stop: int | None = None) -> PairRows:
    """The pairs of a split, or a stretch of them; an error where it has none."""
    part = f"{split}/"
    if not artifact.files(part):
        raise DataError(f"{artifact.location.uri}: no pairs in split {split!r}; set preferences.eval_share, or train.evaluation=null")
    rows = Rows.of(artifact, part)
    table = rows.slice(start, len(rows) if stop is None else stop, PAIR_TOKENS.names)

    def side(name: str) -> LearnedTokens:
        return learned_tokens(table.select([f"{name}_ids", f"{name}_learned"]).rename_columns(["ids", "learned"]))

    ids, sets = (table.column(name).to_pylist() for name in ("pair_id", "set"))
    return PairRows(tuple(ids), np.array(sets), table.column("weight").to_numpy().astype(np.float64), side("chosen"), side("rejected"))
