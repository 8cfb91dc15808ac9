"""Is one system better than another, said in one sentence that may be believed.

The comparison is paired: both systems answer the same queries, and the difference is taken query by query, which removes
the large spread between easy and hard queries. The 95% interval is a bootstrap of the differences and the p-value a
sign-flip test. "Better" is said only when the interval lies on one side of 0. Results on different evaluation sets are
refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.evaluation_set import require_same_set
from ray_pipeline.metrics.ranking import RankingResult
from ray_pipeline.metrics.significance import Interval, bootstrap_interval, permutation_p_value

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """`new` against `reference`; differences are new minus reference."""

    measure: str
    new: float
    reference: float
    difference: Interval
    p_value: float
    better: int  # queries on which `new` is higher
    worse: int

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.difference.low > 0 or self.difference.high < 0

    def sentence(self) -> str:
        """For example "better by 2.1 points, 95% interval 0.4 to 3.8, 597 queries"; points are hundredths."""
        points, low, high = (100 * value for value in (self.difference.mean, self.difference.low, self.difference.high))
        verdict = "better"
        if self.shown and high < 0:
            verdict, points, low, high = "worse", -points, -high, -low
        interval = f"{self.difference.level:.0%} interval {low:.1f} to {high:.1f}, {self.difference.queries:,} queries"
        return f"{verdict} by {points:.1f} points, {interval}" if self.shown else f"no difference shown ({points:.1f} points, {interval})"


def compare(new: RankingResult, reference: RankingResult, measure: str, *, seed: int, clusters: NDArray[np.integer] | None = None) -> Comparison:
    """`new` against `reference` on one measure; `clusters` holds a label for every query row (a question, a paper)."""
    require_same_set(new.evaluation_set, reference.evaluation_set)
    if clusters is not None and clusters.shape != new.evaluated.shape:
        raise DataError(f"clusters: {clusters.shape} labels for {len(new.evaluated)} query rows; give one each")
    groups = None if clusters is None else clusters[new.evaluated]
    return compare_values(measure, new.evaluated_values(measure), reference.evaluated_values(measure), seed=seed, clusters=groups)


def compare_values(measure: str, new: Values, reference: Values, *, seed: int, clusters: NDArray[np.integer] | None = None) -> Comparison:
    """Two systems' values on the same queries in the same order; the caller vouches that the sets are the same."""
    differences = new - reference
    return Comparison(
        measure,
        float(new.mean()),
        float(reference.mean()),
        bootstrap_interval(differences, seed=seed, clusters=clusters),
        permutation_p_value(differences, seed=seed, clusters=clusters),
        int((differences > 0).sum()),
        int((differences < 0).sum()),
    )
