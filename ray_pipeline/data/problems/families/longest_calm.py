"""The longest run of neighbours that stays calm."""

from __future__ import annotations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments


def _longest_calm(variant: Variant, numbers: list[int]) -> int:
    found = [
        (last - first, -first)
        for first in range(len(numbers))
        for last in range(first + 1, len(numbers) + 1)
        if max(numbers[first:last]) - min(numbers[first:last]) <= variant["spread"]
    ]
    length, begin = max(found, default=(0, 1))
    return length if variant["asked"] == "length" else -begin


def _calm_edges(variant: Variant) -> tuple[Arguments, ...]:
    spread = variant["spread"]
    return (
        ([spread * 5, 0, spread, 0, spread * 3, spread * 2],),  # exactly the spread
        ([0, spread + 1, 0, spread + 1, spread],),  # one more
        ([spread * 9, *(step * spread for step in range(4)), spread * 3, 7 * spread],),  # neighbours are near, ends are not
        ([5],),
        ([],),
    )


def _calm_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, draw.whole(6, 14), 0, 2 * variant["spread"] + 1),)


def _calm_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size, 100, 100 + variant["spread"]),)


LONGEST_CALM = Family(
    name="longest_calm",
    variants=tuple({"spread": spread, "asked": asked} for spread in range(2, 30) for asked in ("length", "begin")),
    signature="def longest_calm_run(numbers: list[int]) -> int:",
    task="""
        Find the longest run of neighbouring numbers in which the largest is at most $spread above the smallest.
        Of runs of equal length the first one counts. Return its $asked
        (the length is a number of elements, the begin a position from 0; with no numbers they are 0 and -1).""",
    solutions=(
        Solution("from every begin", "n^2", """
            best, begin = 0, -1
            for i in range(len(numbers)):
                low = high = numbers[i]
                length = 0
                for j in range(i, len(numbers)):
                    if numbers[j] < low:
                        low = numbers[j]
                    if numbers[j] > high:
                        high = numbers[j]
                    if high - low > $spread:
                        break
                    length += 1
                if length > best:
                    best, begin = length, i
            length = best
            return $asked
            """),
        Solution("a sorted window", "n log n", """
            from bisect import bisect_left, insort

            window = []
            length, begin, first = 0, -1, 0
            for last, number in enumerate(numbers):
                insort(window, number)
                while window[-1] - window[0] > $spread:
                    del window[bisect_left(window, numbers[first])]
                    first += 1
                if last - first + 1 > length:
                    length, begin = last - first + 1, first
            return $asked
            """),
        Solution("two queues", "n", """
            from collections import deque

            low, high = deque(), deque()
            length, begin, first = 0, -1, 0
            for last, number in enumerate(numbers):
                while low and numbers[low[-1]] >= number:
                    low.pop()
                while high and numbers[high[-1]] <= number:
                    high.pop()
                low.append(last)
                high.append(last)
                while numbers[high[0]] - numbers[low[0]] > $spread:
                    if low[0] == first:
                        low.popleft()
                    if high[0] == first:
                        high.popleft()
                    first += 1
                if last - first + 1 > length:
                    length, begin = last - first + 1, first
            return $asked
            """),
    ),
    wrong=(
        """
        length, begin = 0, -1
        for i in range(len(numbers)):
            j = i
            while j < len(numbers) and max(numbers[i:j + 1]) - min(numbers[i:j + 1]) < $spread:
                j += 1
            if j - i > length:
                length, begin = j - i, i
        return $asked
        """,
        """
        length, begin, first = 0, -1, 0
        for last in range(len(numbers)):
            if last and abs(numbers[last] - numbers[last - 1]) > $spread:
                first = last
            if last - first + 1 > length:
                length, begin = last - first + 1, first
        return $asked
        """,
    ),
    answer=_longest_calm,
    edges=_calm_edges,
    small=_calm_small,
    large=_calm_large,
    sizes=(700, 1400),
)  # fmt: skip
