"""The four lists against a baseline: better on both, faster only, more correct only, neither.

Rules. Better is strictly better, on the numbers as they were given, not as they are printed. The baseline's own models are on no
list: what they have in a set is at most as good as its best, which says nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.reports.leaderboard.against import Reference

ListName = Literal["better on both", "faster only", "more correct only", "neither"]
LISTS: Final[tuple[ListName, ...]] = ("better on both", "faster only", "more correct only", "neither")


def list_of(one: Standing, against: Reference) -> ListName:
    """The list that a standing belongs on."""
    faster, more_correct = one.avg_time < against.avg_time, one.pass_at_1 > against.pass_at_1
    if faster:
        return "better on both" if more_correct else "faster only"
    return "more correct only" if more_correct else "neither"


def lists(standings: Mapping[str, Standing], against: Reference) -> dict[ListName, tuple[str, ...]]:
    """The models on each list, in the order of the rows."""
    listed = [one for one in standings.values() if one.model not in against.baseline.models]
    return {name: tuple(one.model for one in listed if list_of(one, against) == name) for name in LISTS}
