"""The Pareto front: the models that no other is both faster and more correct than.

Rules. A model is dominated by one that is at least as good on both and better on one; equals do not dominate each other, so both
are on the front.
"""

from __future__ import annotations

from collections.abc import Iterable

from ray_pipeline.data.leaderboards.standing import Standing


def front(standings: Iterable[Standing]) -> list[Standing]:
    """The models on the front, the fastest first."""
    found: list[Standing] = []
    for one in sorted(standings, key=lambda each: (each.avg_time, -each.pass_at_1)):
        best = found[-1] if found else None
        if best is None or one.pass_at_1 > best.pass_at_1 or (one.avg_time, one.pass_at_1) == (best.avg_time, best.pass_at_1):
            found.append(one)
    return found
