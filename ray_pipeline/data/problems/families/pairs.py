"""Pairs of numbers: how many differ by a gap, which is the first with a sum."""

from __future__ import annotations

from collections import Counter

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments


def _pairs_apart(variant: Variant, numbers: list[int]) -> int:
    counts = Counter(one for one in numbers if one >= variant["floor"])
    return sum(count * counts[value + variant["gap"]] for value, count in list(counts.items()))


def _apart_edges(variant: Variant) -> tuple[Arguments, ...]:
    low, gap = variant["floor"], variant["gap"]
    return (
        ([low, low + gap, low + gap],),  # at the floor, and one value twice
        ([low - 1, low - 1 + gap, low + 2 * gap, low + 3 * gap],),  # the first pair begins below the floor
        ([low + 4, low + 5 + gap, low + 4 + gap - 1],),  # off by one
        ([],),
    )


def _apart_small(draw: Draw, variant: Variant) -> Arguments:
    low = variant["floor"]
    return (whole_numbers(draw, draw.whole(6, 16), low - 5, low + 2 * variant["gap"] + 5),)


def _apart_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size, variant["floor"] - size // 10, variant["floor"] + size * 2),)


PAIRS_APART = Family(
    name="pairs_apart",
    variants=tuple({"gap": gap, "floor": floor} for gap in range(1, 16) for floor in (-20, -3, 0, 4, 25)),
    signature="def count_pairs_apart(numbers: list[int]) -> int:",
    task="""
        Count the pairs of positions whose numbers differ by exactly $gap. Numbers below $floor are ignored.
        Equal numbers at different positions count separately.""",
    solutions=(
        Solution("every pair", "n^2", """
            found = 0
            for i in range(len(numbers)):
                for j in range(i + 1, len(numbers)):
                    if abs(numbers[i] - numbers[j]) == $gap and min(numbers[i], numbers[j]) >= $floor:
                        found += 1
            return found
            """),
        Solution("sorted and bisected", "n log n", """
            from bisect import bisect_left, bisect_right

            kept = sorted(number for number in numbers if number >= $floor)
            found = 0
            for number in kept:
                found += bisect_right(kept, number + $gap) - bisect_left(kept, number + $gap)
            return found
            """),
        Solution("counts", "n", """
            counts = {}
            found = 0
            for number in numbers:
                if number < $floor:
                    continue
                found += counts.get(number - $gap, 0) + counts.get(number + $gap, 0)
                counts[number] = counts.get(number, 0) + 1
            return found
            """),
    ),
    wrong=(
        """
        kept = {number for number in numbers if number >= $floor}
        return sum(1 for number in kept if number + $gap in kept)
        """,
        """
        counts = {}
        found = 0
        for number in numbers:
            if number <= $floor:
                continue
            found += counts.get(number - $gap, 0) + counts.get(number + $gap, 0)
            counts[number] = counts.get(number, 0) + 1
        return found
        """,
    ),
    answer=_pairs_apart,
    edges=_apart_edges,
    small=_apart_small,
    large=_apart_large,
    sizes=(600, 1200),
)  # fmt: skip


def _first_pair(variant: Variant, numbers: list[int]) -> tuple[int, ...]:
    for later, number in enumerate(numbers):
        for earlier in range(later - variant["distance"] + 1):
            if numbers[earlier] + number == variant["total"]:
                return earlier, later
    return ()


def _first_edges(variant: Variant) -> tuple[Arguments, ...]:
    total, distance = variant["total"], variant["distance"]
    filler = [total + 1] * (distance - 1)
    return (
        ([1, *filler, total - 1],),  # exactly the distance
        ([1, *filler[1:], total - 1, total + 1, total + 1, 2, total - 1],),  # one too near, if the distance allows it
        ([1, 1, *filler, total - 1, total - 1],),  # two earlier ones, two later ones
        ([],),
    )


def _first_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, draw.whole(6, 14), variant["total"] // 2 - 4, variant["total"] // 2 + 4),)


def _first_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return ([*whole_numbers(draw, size, variant["total"], variant["total"] + size * 10), -size, variant["total"] + size],)


FIRST_PAIR = Family(
    name="first_pair",
    variants=tuple({"total": total, "distance": distance} for total in range(10, 90, 4) for distance in range(2, 6)),
    signature="def first_pair_with_sum(numbers: list[int]) -> tuple[int, ...]:",
    task="""
        Find two positions (i, j) with j - i at least $distance whose numbers add up to $total.
        Of all such pairs take the one with the smallest j, and of those the one with the smallest i. Return () if there is none.""",
    solutions=(
        Solution("every pair", "n^2", """
            for j in range(len(numbers)):
                for i in range(j - $distance + 1):
                    if numbers[i] + numbers[j] == $total:
                        return (i, j)
            return ()
            """),
        Solution("searched in slices", "n^2, in C", """
            for j in range($distance, len(numbers)):
                earlier = numbers[: j - $distance + 1]
                if $total - numbers[j] in earlier:
                    return (earlier.index($total - numbers[j]), j)
            return ()
            """),
        Solution("sorted and bisected", "n log n", """
            from bisect import bisect_left

            places = sorted((number, i) for i, number in enumerate(numbers))
            for j, number in enumerate(numbers):
                at = bisect_left(places, ($total - number, -1))
                if at < len(places) and places[at][0] == $total - number and places[at][1] <= j - $distance:
                    return (places[at][1], j)
            return ()
            """),
        Solution("first places", "n", """
            first = {}
            for j in range($distance, len(numbers)):
                first.setdefault(numbers[j - $distance], j - $distance)
                if $total - numbers[j] in first:
                    return (first[$total - numbers[j]], j)
            return ()
            """),
    ),
    wrong=(
        """
        for j in range(len(numbers)):
            for i in range(j - $distance):
                if numbers[i] + numbers[j] == $total:
                    return (i, j)
        return ()
        """,
        """
        last = {}
        for j in range($distance, len(numbers)):
            last[numbers[j - $distance]] = j - $distance
            if $total - numbers[j] in last:
                return (last[$total - numbers[j]], j)
        return ()
        """,
    ),
    answer=_first_pair,
    edges=_first_edges,
    small=_first_small,
    large=_first_large,
    sizes=(500, 1000),
)  # fmt: skip
