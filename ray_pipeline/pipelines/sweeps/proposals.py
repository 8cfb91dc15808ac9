"""Which values are tried next: at random, all of them, or where earlier trials did well.

What trial n tries is a function of the seed, n, and (for `optuna`) of what had been told before it was asked for; nothing
depends on how often the sweep was interrupted. `random` and `grid` are therefore the same every time. `optuna` is as soon as one
trial runs at a time; with several, it depends on the order in which they end, as every search does that does not wait.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.sweeps.space import Space, Values

if TYPE_CHECKING:
    from optuna.trial import Trial


class RandomSearch(Settings):
    """Every trial for itself (Bergstra and Bengio, JMLR 13, 2012)."""

    kind: Literal["random"] = identity("random", "values drawn at random")
    trials: int = identity(16, "how many trials", ge=1)
    seed: int = identity(0, "which draws", ge=0)


class GridSearch(Settings):
    """All combinations; the last key of the space varies fastest."""

    kind: Literal["grid"] = identity("grid", "all combinations")


class OptunaSearch(Settings):
    """Tree-structured Parzen estimators (Bergstra et al., NeurIPS 2011), by Optuna."""

    kind: Literal["optuna"] = identity("optuna", "values like those that did well (TPE)")
    trials: int = identity(16, "how many trials", ge=1)
    seed: int = identity(0, "which draws", ge=0)
    startup: int = identity(8, "so many trials are drawn at random first", ge=1)


Search = Annotated[RandomSearch | GridSearch | OptunaSearch, Field(discriminator="kind")]
Curve = Sequence[tuple[int, float]]  # (step, figure) of each evaluation


class Proposals(Protocol):
    """A search under way."""

    @property
    def count(self) -> int:
        """How many trials there will be."""

    def propose(self, number: int) -> dict[str, Any]:
        """The values of a trial."""

    def begin(self, number: int, values: Values) -> None:
        """A trial runs with these values: said of each, also of those of an earlier run."""

    def tell(self, number: int, curve: Curve, value: float | None) -> None:
        """A trial ended; `value` is None where it did not come to a good end."""


def proposals(search: RandomSearch | GridSearch | OptunaSearch, space: Space, *, greater_is_better: bool) -> Proposals:
    """The search that the settings ask for."""
    if isinstance(search, GridSearch):
        return _Grid(space)
    if isinstance(search, OptunaSearch):
        return _Optuna(search, space, greater_is_better)
    return _Random(search, space)


class _Untold:
    """A search that does not look at results."""

    def begin(self, number: int, values: Values) -> None:
        """Nothing depends on it."""

    def tell(self, number: int, curve: Curve, value: float | None) -> None:
        """Nothing depends on it."""


class _Random(_Untold):
    def __init__(self, search: RandomSearch, space: Space) -> None:
        self.space, self.seed, self.count = space, search.seed, search.trials

    def propose(self, number: int) -> dict[str, Any]:
        # a generator a key: another key in the space leaves the draws of this one as they are
        return {key: domain.sample(np.random.default_rng([self.seed, number, zlib.crc32(key.encode())])) for key, domain in self.space.items()}


class _Grid(_Untold):
    def __init__(self, space: Space) -> None:
        grids: dict[str, Sequence[Any]] = {}
        for key, domain in space.items():
            points = domain.grid()
            if points is None:
                raise SettingsError(f"sweep.space.{key}: a grid needs points; kind={domain.kind} has none, use choice, quniform or integers")
            grids[key] = points
        self.grids, self.count = grids, math.prod(len(points) for points in grids.values())

    def propose(self, number: int) -> dict[str, Any]:
        point = next(itertools.islice(itertools.product(*self.grids.values()), number, None))
        return dict(zip(self.grids, point, strict=True))


class _Optuna:
    def __init__(self, search: OptunaSearch, space: Space, greater_is_better: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.search, self.space, self.count = search, space, search.trials
        self.study = optuna.create_study(direction="maximize" if greater_is_better else "minimize")
        self.distributions = {key: domain.distribution() for key, domain in space.items()}
        self.asked: dict[int, Trial] = {}

    def propose(self, number: int) -> dict[str, Any]:
        import optuna

        # a sampler of its own for every trial: one that went on drawing would, in a resumed sweep, begin its draws anew
        seed = int(np.random.default_rng([self.search.seed, number]).integers(2**31))
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.search.startup, constant_liar=True)
        trial = self.study.ask(self.distributions)
        values = {key: domain.decoded(trial.params[key]) for key, domain in self.space.items()}
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)  # forgotten: `begin` enters the rounded values, now and when resumed
        return values

    def begin(self, number: int, values: Values) -> None:
        self.study.enqueue_trial({key: domain.encoded(values[key]) for key, domain in self.space.items()})
        self.asked[number] = self.study.ask(self.distributions)

    def tell(self, number: int, curve: Curve, value: float | None) -> None:
        """One that was stopped counts by how far it came and how it stood there; one that collapsed or failed as worst of all."""
        from optuna.trial import TrialState

        trial = self.asked.pop(number)
        if value is not None:
            self.study.tell(trial, value)
            return
        for step, figure in curve:
            trial.report(figure, step)
        self.study.tell(trial, state=TrialState.PRUNED)
