"""Windows that slide over numbers, and what is picked from sorted lists that are merged."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments

_WHICH: Final = (("largest", ">"), ("smallest", "<"))


def _window_extremes(variant: Variant, numbers: list[int]) -> int:
    width, pick = variant["width"], max if variant["which"] == "largest" else min
    return sum(pick(numbers[at : at + width]) for at in range(len(numbers) - width + 1))


def _window_edges(variant: Variant) -> tuple[Arguments, ...]:
    width = variant["width"]
    return (
        (list(range(1, width + 4)),),
        (list(range(-width - 3, 0)),),
        ([3, *[5] * (width - 1)],),  # one window
        ([7] * (width - 1),),  # none
        ([],),
    )


def _window_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, variant["width"] + draw.whole(0, 12), -30, 30),)


def _window_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size + variant["width"], -size, size),)


WINDOW_EXTREMES = Family(
    name="window_extremes",
    variants=tuple({"width": width, "which": which, "sign": sign} for width in range(24, 52) for which, sign in _WHICH),
    signature="def window_total(numbers: list[int]) -> int:",
    task="""
        Slide a window of $width neighbouring numbers over the list, one position at a time,
        and add up the $which number of every full window. With fewer than $width numbers the total is 0.""",
    solutions=(
        Solution("every window anew", "n w", """
            total = 0
            for i in range(len(numbers) - $width + 1):
                extreme = numbers[i]
                for j in range(i + 1, i + $width):
                    if numbers[j] $sign extreme:
                        extreme = numbers[j]
                total += extreme
            return total
            """),
        Solution("a sorted window", "n log w", """
            from bisect import bisect_left, insort

            window = sorted(numbers[:$width])
            total = 0
            for i in range(len(numbers) - $width + 1):
                total += window[-1 if 1 $sign 0 else 0]
                if i + $width < len(numbers):
                    del window[bisect_left(window, numbers[i])]
                    insort(window, numbers[i + $width])
            return total
            """),
        Solution("a queue of candidates", "n", """
            from collections import deque

            candidates = deque()
            total = 0
            for i, number in enumerate(numbers):
                while candidates and not candidates[-1][0] $sign number:
                    candidates.pop()
                candidates.append((number, i))
                if candidates[0][1] <= i - $width:
                    candidates.popleft()
                if i >= $width - 1:
                    total += candidates[0][0]
            return total
            """),
    ),
    wrong=(
        """
        total = 0
        for i in range(len(numbers) - $width):
            extreme = numbers[i]
            for number in numbers[i:i + $width]:
                if number $sign extreme:
                    extreme = number
            total += extreme
        return total
        """,
        """
        total = 0
        for i in range(len(numbers) - $width + 1):
            extreme = 0
            for number in numbers[i:i + $width]:
                if number $sign extreme:
                    extreme = number
            total += extreme
        return total
        """,
    ),
    answer=_window_extremes,
    edges=_window_edges,
    small=_window_small,
    large=_window_large,
    sizes=(2000, 4000),
)  # fmt: skip


def _picked(variant: Variant, lists: list[list[int]]) -> list[int]:
    return sorted(number for one in lists for number in one)[variant["skipped"] :: variant["step"]]


def _picked_edges(variant: Variant) -> tuple[Arguments, ...]:
    span = variant["skipped"] + 2 * variant["step"] + 1
    return (
        ([list(range(0, span, 2)), list(range(1, span, 2))],),
        ([[1, 1, 2], [1, 1, 1], [], [2] * span],),  # equal numbers
        ([[5] * variant["skipped"]],),  # too few
        ([],),
    )


def _picked_small(draw: Draw, variant: Variant) -> Arguments:
    return ([sorted(whole_numbers(draw, draw.whole(0, 9), -20, 40)) for _ in range(draw.whole(1, 4))],)


def _picked_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return ([sorted(whole_numbers(draw, size // 20, -size * 5, size * 5)) for _ in range(20)],)


PICKED_FROM_MERGED = Family(
    name="picked_from_merged",
    variants=tuple({"step": step, "skipped": skipped} for step in range(2, 12) for skipped in range(1, 7)),
    signature="def picked_from_merged(lists: list[list[int]]) -> list[int]:",
    task="""
        Each list is sorted. Merge all of them into one sorted list, equal numbers as often as they occur,
        leave out its first $skipped numbers, and of the rest give the first and every further one $step positions on.""",
    solutions=(
        Solution("inserted one by one", "n^2", """
            merged = []
            for one in lists:
                for number in one:
                    at = 0
                    while at < len(merged) and merged[at] <= number:
                        at += 1
                    merged.insert(at, number)
            return merged[$skipped::$step]
            """),
        Solution("list after list", "n k", """
            merged = []
            for one in lists:
                longer, i, j = [], 0, 0
                while i < len(merged) and j < len(one):
                    if merged[i] <= one[j]:
                        longer.append(merged[i])
                        i += 1
                    else:
                        longer.append(one[j])
                        j += 1
                merged = longer + merged[i:] + one[j:]
            return merged[$skipped::$step]
            """),
        Solution("a heap of lists", "n log k", """
            from heapq import merge

            return list(merge(*lists))[$skipped::$step]
            """),
        Solution("sorted", "n log n, in C", """
            return sorted(number for one in lists for number in one)[$skipped::$step]
            """),
    ),
    wrong=(
        """
        return sorted({number for one in lists for number in one})[$skipped::$step]
        """,
        """
        return sorted(number for one in lists for number in one)[$skipped + 1::$step]
        """,
    ),
    answer=_picked,
    edges=_picked_edges,
    small=_picked_small,
    large=_picked_large,
    sizes=(600, 1200),
)  # fmt: skip
