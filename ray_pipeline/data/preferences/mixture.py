"""Several sets of preferences trained on together, in four ways.

* concatenated   all pairs of all sets, shuffled together, each as often as any other
* staged         the pairs of the first set, then those of the second, ...; shuffled within each
* sampled        an epoch of as many pairs as there are, each drawn from a set by its weight; a set begins anew when it is used up
* loss_weighted  all pairs shuffled together; a set's losses weigh, all together, as its weight says

What names like `pvf-qra` and `0.5qsl-0.5qts` meant in the experiments they come from is written nowhere; here the first is staged and the
second sampled, and both can be had in the other ways.

An epoch's order is a function of the seed and its number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import SettingsError

WEIGHTED: Final = ("sampled", "loss_weighted")


class MixtureSettings(Settings):
    """How sets are put together."""

    kind: Literal["concatenated", "staged", "sampled", "loss_weighted"] = identity("concatenated", "in which of the four ways")
    weights: dict[str, float] = identity({}, "sampled, loss_weighted: each set's share, e.g. {qsl: 0.5, qts: 0.5}; they are divided by their sum")
    order: tuple[str, ...] = identity((), "staged: the sets, the first first")

    @model_validator(mode="after")
    def _what_the_kind_reads(self) -> MixtureSettings:
        if (self.kind in WEIGHTED) != bool(self.weights):
            raise ValueError(f"weights={self.weights}: they are given with kind=sampled or loss_weighted, and only there")
        if (self.kind == "staged") != bool(self.order):
            raise ValueError(f"order={list(self.order)}: it is given with kind=staged, and only there")
        if any(not weight > 0 for weight in self.weights.values()):
            raise ValueError(f"weights={self.weights}: each is above 0; leave a set out that is not to count")
        return self


class Mixture:
    """The pairs of an epoch, and how much each weighs. `sets`: the set that each pair belongs to."""

    def __init__(self, settings: MixtureSettings, sets: NDArray[np.str_], seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.rows: Mapping[str, NDArray[np.int64]] = {str(name): np.flatnonzero(sets == name) for name in np.unique(sets)}
        self.total = len(sets)
        named = set(settings.weights) | set(settings.order)
        if named and named != set(self.rows):
            raise SettingsError(f"mixture names the sets {', '.join(sorted(named))}, and there are {', '.join(sorted(self.rows))}; name each once")

    def weights(self) -> NDArray[np.float64]:
        """[pairs] what each pair's loss is multiplied by; their mean is 1."""
        found = np.ones(self.total)
        if self.settings.kind == "loss_weighted":
            whole = sum(self.settings.weights.values())
            for name, rows in self.rows.items():
                found[rows] = self.settings.weights[name] / whole * self.total / len(rows)
        return found

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The pairs of an epoch in their order."""
        generator = np.random.default_rng([self.seed, epoch])
        if self.settings.kind == "staged":
            return np.concatenate([generator.permutation(self.rows[name]) for name in self.settings.order])
        if self.settings.kind == "sampled":
            return self._sampled(generator, epoch)
        return generator.permutation(self.total)

    def _sampled(self, generator: np.random.Generator, epoch: int) -> NDArray[np.int64]:
        names = list(self.settings.weights)
        shares = np.array([self.settings.weights[name] for name in names])
        drawn = generator.choice(len(names), size=self.total, p=shares / shares.sum())
        found = np.empty(self.total, dtype=np.int64)
        for number, name in enumerate(names):
            places = np.flatnonzero(drawn == number)
            rows = self.rows[name]
            rounds = -(-len(places) // len(rows))
            found[places] = np.concatenate([generator.permutation(rows) for _ in range(rounds)])[: len(places)] if rounds else rows[:0]
        return found
