"""What a reranker scores: the documents of training groups, or the best of a ranking, a stretch of rows at a time.

Scores go beside the ids, raw and in fp32; what was there before, the ranking's own scores too, stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.rows import Rows
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.schemas import GROUPS, RANKING, conform
from ray_pipeline.storage import Location

_SIDES = ("positives", "negatives")


class Paired(Protocol):
    """Rows of queries with documents."""

    def texts(self, start: int, stop: int) -> tuple[list[str], list[str], NDArray[np.int64]]:
        """Of the rows: queries, documents, and which query each document is paired with."""

    def scored(self, start: int, stop: int, scores: NDArray[np.float32]) -> pa.Table:
        """The rows with the documents' scores, which come in the order of `texts`."""


@dataclass(frozen=True)
class PairedGroups:
    """Training groups: all positives of a stretch of rows, then all its negatives."""

    groups: Rows

    def texts(self, start: int, stop: int) -> tuple[list[str], list[str], NDArray[np.int64]]:
        table = self.groups.slice(start, stop, ["query", *_SIDES])
        texts, owners = [], []
        for side in _SIDES:
            column = table.column(side)
            texts += pc.struct_field(pc.list_flatten(column), "text").to_pylist()
            owners.append(pc.list_parent_indices(column).to_numpy().astype(np.int64))
        return table.column("query").to_pylist(), texts, np.concatenate(owners)

    def scored(self, start: int, stop: int, scores: NDArray[np.float32]) -> pa.Table:
        table = self.groups.slice(start, stop).combine_chunks()
        done = 0
        for side in _SIDES:
            lists = table.column(side).combine_chunks()
            lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
            members = lists.flatten()
            kind = GROUPS.field(side).type.value_type
            given = {field.name: members.field(field.name) for field in members.type}
            given["teacher_score"] = pa.array(scores[done : done + len(members)], pa.float32())
            done += len(members)
            filled = pa.StructArray.from_arrays([given[field.name] for field in kind], fields=list(kind))
            offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())]).astype(np.int32)
            again = pa.ListArray.from_arrays(pa.array(offsets), filled, type=GROUPS.field(side).type)
            table = table.set_column(table.column_names.index(side), side, again)
        return table


@dataclass(frozen=True)
class PairedRanking:
    """The best `depth` documents of each query of a ranking."""

    ranking: Rows
    queries: Rows
    corpus: Rows
    depth: int

    def texts(self, start: int, stop: int) -> tuple[list[str], list[str], NDArray[np.int64]]:
        found = self._best(start, stop)
        filled = found.docs != PAD_DOC
        texts = titled_text(self.corpus.take(found.docs[filled], ["text", "title"])).to_pylist()
        return self.queries.take(found.queries, ["text"]).column("text").to_pylist(), texts, np.nonzero(filled)[0].astype(np.int64)

    def scored(self, start: int, stop: int, scores: NDArray[np.float32]) -> pa.Table:
        table = self.ranking.slice(start, stop)
        found = self._best(start, stop)
        counts = (found.docs != PAD_DOC).sum(axis=1)
        cuts = np.cumsum(counts)[:-1]
        lengths = pc.list_value_length(table.column("docs")).to_pylist()
        rows = [[*own.tolist(), *[None] * (length - len(own))] for own, length in zip(np.split(scores, cuts), lengths, strict=True)]
        column = pa.array(rows, RANKING.field("teacher_scores").type)
        return conform(table.set_column(table.column_names.index("teacher_scores"), "teacher_scores", column), RANKING, "a scored ranking")

    def _best(self, start: int, stop: int) -> Ranking:
        whole = Ranking.from_table(self.ranking.slice(start, stop))
        return Ranking(whole.queries, whole.docs[:, : self.depth], whole.scores[:, : self.depth])


@dataclass(frozen=True)
class ScoredRows:
    """The rows of an artifact that is being scored."""

    paired: Paired
    artifact: str
    prefix: str

    def write(self, shard: Mapping[str, Any], scores: NDArray[np.float32], counts: Mapping[str, int], started: float) -> dict[str, Any]:
        """The shard's rows with their scores, and their record."""
        table = self.paired.scored(shard["start"], shard["stop"], scores)
        extra = {"counts": {"queries": table.num_rows, "pairs": len(scores), **counts}, "started": started, "ended": time.time()}
        return write_shard(Location.of(self.artifact), self.prefix, shard["shard"], parquet_bytes(table), table.num_rows, extra)
