"""Families of generated problems. A family is one `Family` in a file here and one line below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ray_pipeline.data.problems.families.best_run import BEST_RUN
from ray_pipeline.data.problems.families.brackets import BALANCED
from ray_pipeline.data.problems.families.digits import DIGIT_SUMS
from ray_pipeline.data.problems.families.divisors import PRIMES, SMOOTH_NUMBERS
from ray_pipeline.data.problems.families.family import Family
from ray_pipeline.data.problems.families.longest_calm import LONGEST_CALM
from ray_pipeline.data.problems.families.longest_chain import LONGEST_CHAIN
from ray_pipeline.data.problems.families.pairs import FIRST_PAIR, PAIRS_APART
from ray_pipeline.data.problems.families.recurrences import RECURRENCE, WAYS_TO_PAY
from ray_pipeline.data.problems.families.remainders import PAIRS_BY_REMAINDER, RANGE_SUMS
from ray_pipeline.data.problems.families.texts import ANAGRAMS, LETTER_COUNTS
from ray_pipeline.data.problems.families.windows import PICKED_FROM_MERGED, WINDOW_EXTREMES

_ALL: Final = (
    PAIRS_APART,
    PAIRS_BY_REMAINDER,
    FIRST_PAIR,
    RANGE_SUMS,
    BEST_RUN,
    LONGEST_CALM,
    LONGEST_CHAIN,
    WINDOW_EXTREMES,
    PICKED_FROM_MERGED,
    ANAGRAMS,
    LETTER_COUNTS,
    BALANCED,
    PRIMES,
    SMOOTH_NUMBERS,
    DIGIT_SUMS,
    RECURRENCE,
    WAYS_TO_PAY,
)
FAMILIES: Final[Mapping[str, Family]] = {family.name: family for family in _ALL}
