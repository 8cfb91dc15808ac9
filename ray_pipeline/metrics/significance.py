"""How sure a mean, a share or a difference of means is.

- Percentile bootstrap (Efron 1979): resample the queries with replacement, take the mean each time, cut the tails. The
  queries drawn are the same for every measure of one call, and only how often each was drawn is kept, so many measures
  cost little more than one. Queries that belong together (the wrong answers of one question, the statements of one
  paper) are not independent: give `clusters`, and whole clusters are resampled, else the interval is too narrow.
- Paired sign-flip permutation test (Fisher): under "no difference" each query's difference could as well have the other
  sign. With few queries every assignment of signs is tried and the p-value is exact; otherwise signs are drawn, and one is
  added above and below so that it is never 0 (Phipson and Smyth 2010).
- Wilson's interval (1927) for a share, which stays inside 0 to 1 and is sound for small counts.

Values must be finite: drop the queries that have no value first (`RankingResult.evaluated_values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import log2, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

Floats = NDArray[np.float64]
_BLOCK_CELLS = 2**23  # draws held at once


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float
    level: float  # 0.95: a 95% interval
    queries: int


def bootstrap_intervals(
    values: Mapping[str, Floats],
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
    clusters: NDArray[np.integer] | None = None,
) -> dict[str, Interval]:
    """A percentile interval of the mean of each column; `clusters` holds a label for each query."""
    for name, column in values.items():
        _check_finite(column, name)
    table = np.stack(list(values.values()), axis=1)
    sums, sizes = _units(table, clusters)
    drawn = [(counts @ sums) / (counts @ sizes)[:, None] for counts in _draw_counts(len(sizes), resamples, seed)]
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail], axis=0)
    if len(sizes) == 1:  # every resample of one unit is that unit: its spread is unknown, not zero
        low, high = low - np.inf, high + np.inf
    return {
        name: Interval(float(column.mean()), float(low[at]), float(high[at]), level, len(column)) for at, (name, column) in enumerate(values.items())
    }


def bootstrap_interval(
    values: Floats, *, seed: int, resamples: int = 2000, level: float = 0.95, clusters: NDArray[np.integer] | None = None
) -> Interval:
    """A percentile interval of one mean; of a paired difference when `values` are differences."""
    return bootstrap_intervals({"values": values}, seed=seed, resamples=resamples, level=level, clusters=clusters)["values"]


def bootstrap_ratio(
    new: Floats, reference: Floats, *, seed: int, resamples: int = 2000, level: float = 0.95, clusters: NDArray[np.integer] | None = None
) -> Interval:
    """A percentile interval of mean(new) / mean(reference), both on the same queries: each resample draws them together."""
    _check_finite(new, "new")
    _check_finite(reference, "reference")
    if new.shape != reference.shape or reference.mean() == 0:
        raise DataError(f"a ratio of {new.shape} to {reference.shape} values with mean {reference.mean():g} is none")
    sums, sizes = _units(np.stack([new, reference], axis=1), clusters)
    totals = np.concatenate([counts @ sums for counts in _draw_counts(len(sizes), resamples, seed)])
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = totals[:, 0] / totals[:, 1]  # a draw whose reference is all 0 has an infinite ratio, or none
    tail = (1 - level) / 2
    low, high = np.quantile(drawn[~np.isnan(drawn)], [tail, 1 - tail])
    if len(sizes) == 1:
        low, high = -np.inf, np.inf
    return Interval(float(new.mean() / reference.mean()), float(low), float(high), level, len(new))


def permutation_p_value(differences: Floats, *, seed: int, permutations: int = 10_000, clusters: NDArray[np.integer] | None = None) -> float:
    """Two-sided p-value of "the mean difference is 0"; the differences of one cluster change sign together."""
    _check_finite(differences, "differences")
    sums, _ = _units(differences[:, None], clusters)
    units = sums[sums[:, 0] != 0, 0]  # a unit without a difference adds 0 whatever its sign
    observed = abs(units.sum())
    reached = observed - 1e-12 * np.abs(units).sum()  # the same assignment summed in another order must count as reaching
    if len(units) <= log2(permutations):
        signs = np.array(list(product((1.0, -1.0), repeat=len(units))))
        return float(np.mean(np.abs(signs @ units) >= reached))
    rng = np.random.default_rng(seed)
    at_once = max(1, _BLOCK_CELLS // len(units))
    extreme = 0
    for done in range(0, permutations, at_once):
        flipped = rng.random((min(at_once, permutations - done), len(units)), dtype=np.float32) < 0.5
        extreme += int((np.abs(units.sum() - 2 * (flipped @ units)) >= reached).sum())
    return (1 + extreme) / (1 + permutations)


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """The interval of a share, such as "a relevant document in the first 10"."""
    if not 0 <= successes <= trials or trials == 0:
        raise DataError(f"{successes} successes of {trials} trials is no share")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), level, trials)


def standard_error(values: Floats) -> float:
    """The standard error of the mean of independent values: their deviation over the root of their number."""
    _check_finite(values, "values")
    if len(values) < 2:
        raise DataError("one value has no standard error; give two or more")
    return float(values.std(ddof=1) / sqrt(len(values)))


def _check_finite(values: Floats, name: str) -> None:
    if values.ndim != 1 or not len(values):
        raise DataError(f"{name}: expected a list of values, got shape {values.shape}")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f"{name}: value {bad[0]} is {values[bad[0]]} ({len(bad)} such); leave out queries without a value")


def _units(table: Floats, clusters: NDArray[np.integer] | None) -> tuple[Floats, Floats]:
    """What is resampled: [C, m] sums and [C] sizes of the clusters; without clusters each query is its own."""
    if clusters is None:
        return table, np.ones(len(table))
    if clusters.shape != (len(table),):
        raise DataError(f"clusters: {clusters.shape} labels for {len(table)} queries; give one each")
    labels, member = np.unique(clusters, return_inverse=True)
    sums = np.stack([np.bincount(member, column, len(labels)) for column in table.T], axis=1)
    return sums.astype(np.float64, copy=False), np.bincount(member, minlength=len(labels)).astype(np.float64)


def _draw_counts(units: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks [b, units] of how often each unit was drawn, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _BLOCK_CELLS // units)
    for done in range(0, resamples, at_once):
        rows = min(at_once, resamples - done)
        drawn = rng.integers(0, units, size=(rows, units))
        drawn += np.arange(0, rows * units, units)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
