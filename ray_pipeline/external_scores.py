"""Scores that others gave to an artifact: a leaderboard's, a customer's. They come after the artifact is published, and it does not change.

Each lies in a small file of its own under the artifact's `external/`, never rewritten. Of several with one name for one epoch the last
counts, and all stay readable. They belong to the artifact's folder and go with it, but not to its fingerprint or its hashes.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from ray_pipeline.artifacts import Artifact
from ray_pipeline.errors import ArtifactError, SettingsError

_FOLDER: Final = "external"


@dataclass(frozen=True)
class ExternalScore:
    """What somebody else measured."""

    name: str  # of the measure, as a table will show it: LB
    value: FiniteFloat
    epoch: float | None = None  # of a training: the one that was handed in
    note: str = ""
    when: str = ""  # it was attached, UTC

    def text(self) -> str:
        epoch = "" if self.epoch is None else f" (epoch {self.epoch:g})"
        return f"{self.name} {self.value:g}{epoch}" + (f": {self.note}" if self.note else "")


def attach(artifact: Artifact, name: str, value: float, epoch: float | None = None, note: str = "") -> ExternalScore:
    """Leave a score beside the artifact."""
    if not name or not math.isfinite(value):
        raise SettingsError(f"{name}={value}: an external score is a name and a finite number, e.g. LB=0.505")
    if epoch is not None and epoch not in (known := _epochs(artifact)):
        there = f"it was evaluated at epochs {', '.join(f'{one:g}' for one in known)}" if known else "it is no training, or was not evaluated"
        raise SettingsError(f"epoch={epoch:g}: {artifact.location.uri} has no such epoch; {there}")
    now = datetime.now(UTC)
    score = ExternalScore(name, value, epoch, note, now.isoformat(timespec="seconds"))
    (artifact.location / _FOLDER / f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}.json").write_json(asdict(score))
    return score


def external_scores(artifact: Artifact) -> list[ExternalScore]:
    """What is attached, in the order of its first mention; the last of one name and epoch."""
    found: dict[tuple[str, float | None], ExternalScore] = {}
    for place in sorted((artifact.location / _FOLDER).children(), key=lambda one: one.name):
        if not place.name.endswith(".json") or place.name.startswith("."):
            continue
        try:
            score = _SCORE.validate_json(place.read(), strict=True)
        except ValidationError as problem:
            raise ArtifactError(f"{place.uri}: not an external score ({problem}); delete it and attach the score again") from problem
        found[score.name, score.epoch] = score
    return list(found.values())


_SCORE: Final = TypeAdapter(ExternalScore)


def _epochs(artifact: Artifact) -> list[float]:
    return [row["epoch"] for row in artifact.metrics.get("evaluations", []) if "epoch" in row]
