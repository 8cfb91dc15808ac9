"""The books of a sweep: what was begun, what was evaluated, how each trial ended.

Everything is written where the next attempt of the same sweep finds it, as the shards of any stage are:

    attempts/<attempt>/begun/000003.json      values and evaluations so far of a trial that was begun
    attempts/<attempt>/shards/000003.parquet  the evaluations of a trial that ended, and then
    attempts/<attempt>/records/000003.json    how it ended

A trial with a record is never run again. One that was begun and has none is run first, with the values it had; its training goes
on from its own checkpoint, and its evaluations are told to the scheduler anew. A trial whose process died is left without a
record, so that the next start tries it again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ray_pipeline.artifacts import Attempt, File, parquet_bytes, read_parquet, write_shard
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.sweeps.proposals import Proposals
from ray_pipeline.placement.tuner import Begun, How, Objective, Row
from ray_pipeline.reports.sweep import TrialRow, short_keys, shown

logger = logging.getLogger(__name__)
GOOD_ENDS = ("finished", "early stop")


class TrialBook:
    """Decides which trial comes next, and records what becomes of each."""

    def __init__(self, attempt: Attempt, finished: Mapping[int, Mapping[str, Any]], search: Proposals, objective: Objective, *, afresh: bool) -> None:
        self.attempt, self.search, self.objective = attempt, search, objective
        self.records: dict[int, dict[str, Any]] = {number: dict(record) for number, record in sorted(finished.items())}
        self.rows: dict[int, list[Row]] = {}
        self.died: list[int] = []
        self.started: dict[int, float] = {}
        self.values: dict[int, Mapping[str, Any]] = {}
        begun = {} if afresh else {number: one for number, one in _begun(attempt).items() if number not in self.records}
        for number, record in self.records.items():
            self.rows[number] = read_parquet(attempt.location / record["file"]["path"]).to_pylist()
            search.begin(number, record["values"])
            self._tell(number)
        for number, one in begun.items():
            search.begin(number, one["values"])
        fresh = (number for number in range(search.count) if number not in self.records and number not in begun)
        self.coming = self._in_order(begun, fresh)

    def _in_order(self, begun: Mapping[int, Mapping[str, Any]], fresh: Iterator[int]) -> Iterator[Begun]:
        for number, one in begun.items():
            yield Begun(number, one["values"], tuple(one["evaluations"]))
        for number in fresh:
            values = self.search.propose(number)
            self.search.begin(number, values)
            yield Begun(number, values)

    def left(self) -> int:
        """How many trials have no record yet."""
        return self.search.count - len(self.records)

    def known(self) -> Mapping[int, Sequence[Row]]:
        return {number: self.rows[number] for number in self.records}

    def begin(self) -> Begun | None:
        begun = next(self.coming, None)
        if begun is not None:
            self.started[begun.number], self.rows[begun.number] = time.monotonic(), list(begun.evaluations)
            self.values[begun.number] = begun.values
            self._write_begun(begun.number, begun.values, begun.evaluations)
            names = short_keys(list(begun.values))
            given = "  ".join(f"{names[key]} {shown(value)}" for key, value in begun.values.items())
            going_on = f", going on after {len(begun.evaluations)} evaluations" if begun.evaluations else ""
            logger.info("trial %d of %d: %s%s", begun.number, self.search.count, given, going_on)
        return begun

    def evaluated(self, number: int, row: Row) -> None:
        if self.objective.name not in row:
            raise SettingsError(f"sweep.objective={self.objective.name!r} is not measured here; there are {', '.join(sorted(row))}")
        if any(earlier["step"] == row["step"] for earlier in self.rows[number]):
            return  # told again by a training that went on from a checkpoint
        self.rows[number].append(dict(row))
        self._write_begun(number, self.values[number], self.rows[number])
        logger.info("trial %d: step %d  %s %.4f", number, row["step"], self.objective.name, row[self.objective.name])

    def ended(self, number: int, how: How, answer: Any) -> None:
        if how == "died":
            self.died.append(number)
            logger.warning("trial %d: its process died, and starting it again did not help", number)
            return
        stopped = {"ended": "stopped", "why": "behind the other trials at the same point", "artifact": None}
        said = dict(stopped if how == "stopped" else answer)
        rows = self.rows[number] = said.pop("evaluations", None) or self.rows[number]
        seconds = said.pop("seconds", None) or time.monotonic() - self.started[number]
        extra = {"values": dict(self.values[number]), "seconds": round(seconds, 3), **said}
        table = _table(rows)
        self.records[number] = write_shard(self.attempt.location, self.attempt.prefix, number, parquet_bytes(table), table.num_rows, extra)
        self._tell(number)
        row = self.row(number)
        figure = "" if row.best is None else f"  best {self.objective.name} {row.best:.4f} at step {row.best_step:,}"
        logger.info("trial %d %s%s%s", number, row.ended, figure, "" if row.ended in GOOD_ENDS else f": {row.why}")

    def _tell(self, number: int) -> None:
        row = self.row(number)
        self.search.tell(number, row.curve if row.ended == "stopped" else (), row.best if row.ended in GOOD_ENDS else None)

    def row(self, number: int) -> TrialRow:
        """What became of a trial."""
        record = self.records[number]
        curve = [(int(row["step"]), float(row[self.objective.name])) for row in self.rows[number] if row.get(self.objective.name) is not None]
        finite = [point for point in curve if math.isfinite(point[1])]
        sign = 1 if self.objective.greater_is_better else -1
        best = max(finite, key=lambda point: (sign * point[1], -point[0]), default=None)
        return TrialRow(
            number,
            record["values"],
            record["ended"],
            record["why"],
            None if best is None else best[1],
            None if best is None else best[0],
            curve[-1][1] if curve else None,
            curve[-1][0] if curve else None,
            record["seconds"],
            record["artifact"],
            tuple(curve),
        )

    def trials(self) -> list[TrialRow]:
        """All that ended, by number."""
        return [self.row(number) for number in sorted(self.records)]

    def best(self) -> TrialRow | None:
        """The first of the best, among those that came to a good end."""
        sign = 1 if self.objective.greater_is_better else -1
        able = [(sign * one.best, -one.number, one) for one in self.trials() if one.ended in GOOD_ENDS and one.best is not None]
        return max(able)[2] if able else None

    def adopt(self) -> None:
        """List every trial's evaluations as files of the artifact."""
        for number, record in self.records.items():
            self.attempt.adopt(f"trials/{number:06d}.parquet", File(**record["file"]))

    def _write_begun(self, number: int, values: Mapping[str, Any], rows: Sequence[Row]) -> None:
        content = {"number": number, "values": dict(values), "evaluations": [dict(row) for row in rows]}
        (self.attempt.location / self.attempt.path(f"begun/{number:06d}.json")).write_json(content)


def _begun(attempt: Attempt) -> dict[int, dict[str, Any]]:
    """What any attempt began, by number; of two the one that came further."""
    found: dict[int, dict[str, Any]] = {}
    for one in (attempt.location / "attempts").children():
        for place in (one / "begun").children():
            if place.name.endswith(".json") and not place.name.startswith("."):
                content = place.read_json()
                known = found.get(content["number"])
                if known is None or len(content["evaluations"]) >= len(known["evaluations"]):
                    found[content["number"]] = content
    return dict(sorted(found.items()))


def _table(rows: Sequence[Row]) -> pa.Table:
    """Evaluations as a table: the step, and every figure that any of them has."""
    names = sorted({name for row in rows for name, value in row.items() if isinstance(value, int | float)} - {"step"})
    columns = {name: pa.array([row.get(name) for row in rows], pa.float64()) for name in names}
    return pa.table({"step": pa.array([int(row["step"]) for row in rows], pa.int64()), **columns})
