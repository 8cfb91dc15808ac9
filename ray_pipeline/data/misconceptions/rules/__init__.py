"""All misconception rules, one file a topic."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.misconceptions.rule import Rule
from ray_pipeline.data.misconceptions.rules import (
    angles,
    area,
    coordinates,
    decimal_size,
    decimals,
    equations,
    expanding,
    expressions,
    fraction_forms,
    fractions,
    indices,
    negatives,
    operations,
    percentages,
    powers,
    probability,
    ratio,
    sequences,
    similarity,
    statistics,
)

RULES: Final[tuple[Rule, ...]] = (
    *fractions.RULES,
    *fraction_forms.RULES,
    *decimals.RULES,
    *decimal_size.RULES,
    *negatives.RULES,
    *operations.RULES,
    *powers.RULES,
    *percentages.RULES,
    *ratio.RULES,
    *expanding.RULES,
    *expressions.RULES,
    *indices.RULES,
    *equations.RULES,
    *sequences.RULES,
    *angles.RULES,
    *area.RULES,
    *similarity.RULES,
    *coordinates.RULES,
    *statistics.RULES,
    *probability.RULES,
)
