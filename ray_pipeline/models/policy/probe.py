"""A few sequences that a trained policy was measured on when it was exported: by them another program shows that it holds the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.record import read_record
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end

_SEQUENCES: Final = 2
_LENGTH: Final = 32


@dataclass(frozen=True)
class Probe:
    """Sequences of tokens, and the mean log-likelihood of each one's tokens behind the first."""

    ids: tuple[tuple[int, ...], ...]
    means: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"ids": [list(one) for one in self.ids], "means": list(self.means)}


def measured_probe(policy: Policy) -> Probe:
    """Of tokens drawn from the whole vocabulary: any change of weights moves their likelihood."""
    words = int(policy.output_weight.shape[0])
    length = min(_LENGTH, policy.most_tokens or _LENGTH)
    drawn = np.random.default_rng(0).integers(0, words, (_SEQUENCES, length)).tolist()
    rows = end_to_end(drawn)
    found = policy.measure(LearnedTokens(rows, np.ones(len(rows.ids), dtype=bool)), len(rows.ids))
    return Probe(tuple(map(tuple, drawn)), tuple((found.sums / found.targets).tolist()))


def probe_of(folder: Path) -> Probe | None:
    """That of the model in `folder`; none where it was not exported here."""
    record = read_record(folder, "policy") if (folder / "ray_pipeline.json").exists() else None
    given = None if record is None else record.get("probe")
    return None if given is None else Probe(tuple(map(tuple, given["ids"])), tuple(given["means"]))
