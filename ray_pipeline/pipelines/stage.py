"""A stage: a function from artifacts to one artifact, run at most once.

`Run.ensure` names the artifact by its fingerprint, returns it if it is there, and otherwise lets `build` write it,
handing over what an earlier, killed attempt had finished. Every stage of every job goes through here, so "nothing is
computed twice" and "nothing unfinished is ever read" are decided in one place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ray_pipeline.artifacts import Artifact, Attempt, File, Input, Workspace, fingerprint
from ray_pipeline.config import Settings, identity_of
from ray_pipeline.errors import ArtifactError
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.progress import Progress, duration
from ray_pipeline.revision import code_revision

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What a build has to say besides its files."""

    rows: int
    metrics: Mapping[str, Any] = field(default_factory=dict)
    placed: Sequence[Mapping[str, Any]] = ()  # which actor, node and GPU worked on it


@dataclass(frozen=True)
class Stage:
    """What an artifact is made of."""

    name: str
    algorithm: int  # raise it when the arithmetic changes: a golden-bytes test asks for it
    settings: Mapping[str, Settings | None]
    inputs: Mapping[str, Input]
    choices: Mapping[str, Any] = field(default_factory=dict)  # further identity: which side, which split

    def identity(self) -> dict[str, Any]:
        given = {name: identity_of(value) for name, value in self.settings.items() if value is not None}
        return {**given, **self.choices}

    def fingerprint(self) -> str:
        return fingerprint(self.name, self.algorithm, self.identity(), {name: given.fingerprint for name, given in self.inputs.items()})


@dataclass(frozen=True)
class Done:
    """One line of the summary: what became of a stage."""

    stage: str
    status: str  # "computed", "resumed" or "already done"
    seconds: float
    artifact: Artifact


@dataclass
class Run:
    """One run of a job: its workspace, its place on the cluster, and what it did so far."""

    workspace: Workspace
    cluster: ClusterSettings
    force: bool = False
    done: list[Done] = field(default_factory=list)

    def ensure(self, stage: Stage, build: Callable[[Attempt, Mapping[int, Mapping[str, Any]]], Outcome]) -> Artifact:
        """The stage's artifact, computed if it is not there. `build` gets the attempt and the finished shards' records."""
        name = stage.fingerprint()
        started = time.monotonic()
        earlier = next((one for one in self.done if one.artifact.fingerprint == name), None)
        found = earlier.artifact if earlier else self.workspace.find(stage.name, name)
        if found is not None and (earlier or not self.force):
            if not earlier:
                self._note(stage, "already done", started, found)
            return found
        attempt = self.workspace.begin(stage.name, name)
        finished = {} if self.force else attempt.finished_shards()
        logger.info("%s %s: %s", stage.name, name[:8], f"continuing, {len(finished)} shards are done" if finished else "computing")
        outcome = build(attempt, finished)
        artifact = attempt.publish(_body(stage, name, outcome))
        self._note(stage, "resumed" if finished else "computed", started, artifact)
        return artifact

    def act(self, what: str, do: Callable[[], T]) -> T | None:
        """Something done beside artifacts (a version taken into use). A dry run says `what` and leaves it."""
        logger.info("%s", what)
        return do()

    def _note(self, stage: Stage, status: str, started: float, artifact: Artifact) -> None:
        line = Done(stage.name, status, time.monotonic() - started, artifact)
        self.done.append(line)
        logger.info("%s %s: %s in %s -> %s", stage.name, artifact.fingerprint[:8], status, duration(line.seconds), artifact.location.uri)


def _body(stage: Stage, name: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "fingerprint": name,
        "algorithm": stage.algorithm,
        "identity": stage.identity(),
        "settings": {key: value.model_dump(mode="json") for key, value in stage.settings.items() if value is not None},
        "inputs": {key: vars(given) for key, given in stage.inputs.items()},
        "code": code_revision(),
        "rows": outcome.rows,
        "metrics": dict(outcome.metrics),
        "placed": [dict(one) for one in outcome.placed],
    }


def collect_shards(
    attempt: Attempt,
    part: str,
    finished: Mapping[int, Mapping[str, Any]],
    total: int,
    records: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """List finished and newly written shards as files of the artifact; returns all records in shard order."""
    ordered = all_records(attempt, part.rstrip("/"), finished, total, records)
    for record in ordered:
        attempt.adopt(f"{part}{record['shard']:06d}.parquet", File(**record["file"]))
    return ordered


def all_records(
    attempt: Attempt, what: str, finished: Mapping[int, Mapping[str, Any]], total: int, records: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The records of finished and newly written shards in shard order; refuses to go on without one: a manifest must never describe part of a
    table."""
    progress = Progress(f"{attempt.location.parent.name} {what}", total, "shards", already=len(finished))
    known = {number: dict(record) for number, record in finished.items()}
    for record in _counted(records, progress):
        known[int(record["shard"])] = dict(record)
    missing = [number for number in range(total) if number not in known]
    if missing or len(known) > total:
        raise ArtifactError(
            f"{attempt.location.uri}: {len(known)} of {total} shards have a record, {missing[:5]} have none; "
            "run the job again, and delete the folder if it says so once more"
        )
    return [known[number] for number in range(total)]


def _counted(records: Iterable[Mapping[str, Any]], progress: Progress) -> Iterator[Mapping[str, Any]]:
    for record in records:
        counts = record.get("counts", {})
        progress.advance(**{unit: counts[unit] for unit in ("rows", "tokens", "queries") if unit in counts})
        yield record


def placed_workers(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The distinct actors among records, with the GPUs each held."""
    workers = {record["placed"]["actor"]: record["placed"] for record in records if "placed" in record}
    return [workers[actor] for actor in sorted(workers)]


def summed(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The records' counts, added up."""
    total: dict[str, int] = {}
    for record in records:
        for name, value in record.get("counts", {}).items():
            total[name] = total.get(name, 0) + int(value)
    return total
