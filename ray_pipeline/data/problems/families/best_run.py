"""The run of neighbours that is worth most."""

from __future__ import annotations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments


def _best_run(variant: Variant, numbers: list[int]) -> int:
    least, cost = variant["least"], variant["cost"]
    ends = range(len(numbers) + 1)
    return max((sum(numbers[first:last]) - cost * (last - first) for last in ends for first in range(last - least + 1)), default=0)


def _best_edges(variant: Variant) -> tuple[Arguments, ...]:
    least, cost = variant["least"], variant["cost"]
    return (
        ([cost + 2] * least,),  # just long enough
        ([cost - 3] * (least + 2),),  # all of it is a loss
        ([cost + 9, *[cost - 1] * (least + 1), cost + 8, cost + 1, cost - 4],),
        ([9] * (least - 1),),  # too short
    )


def _best_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, draw.whole(variant["least"], variant["least"] + 10), variant["cost"] - 12, variant["cost"] + 12),)


def _best_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size, variant["cost"] - 1000, variant["cost"] + 1000),)


BEST_RUN = Family(
    name="best_run",
    variants=tuple({"least": least, "cost": cost} for least in range(2, 14) for cost in range(1, 7)),
    signature="def best_run(numbers: list[int]) -> int:",
    task="""
        Every element of a run of neighbouring numbers is worth its number less $cost. Give the largest worth
        of a run of at least $least elements, which may be negative; 0 if there are fewer numbers than that.""",
    solutions=(
        Solution("every run anew", "n^3", """
            best = None
            for i in range(len(numbers)):
                for j in range(i + $least, len(numbers) + 1):
                    worth = sum(numbers[i:j]) - $cost * (j - i)
                    if best is None or worth > best:
                        best = worth
            return 0 if best is None else best
            """),
        Solution("every begin", "n^2", """
            best = None
            for i in range(len(numbers) - $least + 1):
                worth = 0
                for j in range(i, len(numbers)):
                    worth += numbers[j] - $cost
                    if j - i + 1 >= $least and (best is None or worth > best):
                        best = worth
            return 0 if best is None else best
            """),
        Solution("the least sum from the front", "n", """
            until = [0]
            for number in numbers:
                until.append(until[-1] + number - $cost)
            best, lowest = None, 0
            for end in range($least, len(until)):
                lowest = min(lowest, until[end - $least])
                if best is None or until[end] - lowest > best:
                    best = until[end] - lowest
            return 0 if best is None else best
            """),
    ),
    wrong=(
        """
        best = 0
        for i in range(len(numbers)):
            for j in range(i + $least, len(numbers) + 1):
                best = max(best, sum(numbers[i:j]) - $cost * (j - i))
        return best
        """,
        """
        best = None
        for i in range(len(numbers)):
            for j in range(i + $least + 1, len(numbers) + 1):
                worth = sum(numbers[i:j]) - $cost * (j - i)
                if best is None or worth > best:
                    best = worth
        return 0 if best is None else best
        """,
    ),
    answer=_best_run,
    edges=_best_edges,
    small=_best_small,
    large=_best_large,
    sizes=(150, 300),
)  # fmt: skip
