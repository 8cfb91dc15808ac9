"""Pass@k: the chance that at least one of k drawn samples of a problem is correct, averaged over problems.

The unbiased estimator of Chen et al. 2021 (Evaluating Large Language Models Trained on Code, equation 1): of n samples c are correct,
and 1 - C(n - c, k) / C(n, k) of all ways to choose k of them hold a correct one. The quotient is the product of 1 - k / i for i from
n - c + 1 to n; its logarithm is summed, since the binomials leave the range of floats from n of about 1,000 on, and 1 minus a product
close to 1 loses what is looked for.

Traps: 1 - (1 - c/n)^k is biased downwards. With n < k there is nothing unbiased to say, so such a problem is refused rather than left out:
left out, problems whose samples got lost would raise the mean. The interval is over problems, the samples of each taken as given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.significance import Interval, bootstrap_interval


@dataclass(frozen=True)
class PassAtK:
    """The mean over problems with its interval, and what it is the mean of."""

    k: int
    interval: Interval  # its `queries` are the problems
    by_problem: Mapping[str, float]

    @property
    def value(self) -> float:
        return self.interval.mean

    def sentence(self) -> str:
        """For example "Pass@1 14.6%, 95% interval 11.2% to 18.1%, 378 problems"."""
        of = self.interval
        return f"Pass@{self.k} {of.mean:.1%}, {of.level:.0%} interval {of.low:.1%} to {of.high:.1%}, {of.queries:,} problems"


def pass_at_k(verdicts: Mapping[str, Sequence[bool]], k: int, *, seed: int) -> PassAtK:
    """`verdicts`: whether each sample of a problem is correct."""
    if not verdicts:
        raise DataError("Pass@k: there are no problems; give the verdicts of at least one")
    found = {}
    for problem, correct in verdicts.items():
        try:
            found[problem] = estimate(len(correct), sum(map(bool, correct)), k)
        except DataError as wrong:
            raise DataError(f"problem {problem!r}: {wrong}") from None
    return PassAtK(k, bootstrap_interval(np.array(list(found.values())), seed=seed), found)


def estimate(samples: int, correct: int, k: int) -> float:
    """Pass@k of one problem, of whose samples so many are correct."""
    if k < 1:
        raise DataError(f"Pass@{k}: k is a number of samples, 1 or more")
    if not 0 <= correct <= samples:
        raise DataError(f"{correct} of {samples} samples cannot be correct")
    if samples < k:
        raise DataError(f"Pass@{k} needs at least {k} samples, and there are {samples}; draw more, or ask for a smaller k")
    if samples - correct < k:
        return 1.0  # every choice holds a correct one
    return float(-np.expm1(np.log1p(-k / np.arange(samples - correct + 1, samples + 1)).sum()))
