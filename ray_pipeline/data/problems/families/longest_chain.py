"""The longest chain of numbers in their order."""

from __future__ import annotations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments


def _longest_chain(variant: Variant, numbers: list[int]) -> int:
    sign, lengths = 1 if variant["way"] == "above" else -1, list[int]()
    for at, number in enumerate(numbers):
        before = (length for one, length in zip(numbers[:at], lengths, strict=True) if sign * (number - one) >= variant["gap"])
        lengths.append(1 + max(before, default=0))
    return max(lengths, default=0)


def _chain_edges(variant: Variant) -> tuple[Arguments, ...]:
    gap = variant["gap"]
    sign = 1 if variant["way"] == "above" else -1
    exact, broken = (0, gap, 2 * gap), (0, -1, gap, gap - 1, 2 * gap, 3 * gap - 1)
    return ([sign * one for one in exact],), ([sign * one for one in broken],), ([-sign * one for one in exact],), ([],)


def _chain_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, draw.whole(6, 14), 0, 4 * variant["gap"]),)


def _chain_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size, 0, 20 * variant["gap"]),)


LONGEST_CHAIN = Family(
    name="longest_chain",
    variants=tuple({"gap": gap, "way": way, "sign": sign} for gap in range(2, 30) for way, sign in (("above", ""), ("below", "-"))),
    signature="def longest_chain(numbers: list[int]) -> int:",
    task="""
        Leave out any of the numbers, but keep the others in their order, so that each one that is kept
        is at least $gap $way the one kept before it. Give the largest number of elements that can be kept.""",
    solutions=(
        Solution("every pair", "n^2", """
            values = [${sign}number for number in numbers]
            lengths = []
            for i in range(len(values)):
                longest = 0
                for j in range(i):
                    if values[i] - values[j] >= $gap and lengths[j] > longest:
                        longest = lengths[j]
                lengths.append(longest + 1)
            return max(lengths, default=0)
            """),
        Solution("a tree of lengths", "n log n", """
            from bisect import bisect_left, bisect_right

            values = [${sign}number for number in numbers]
            ranks = sorted(set(values))
            tree = [0] * (len(ranks) + 1)
            best = 0
            for value in values:
                at, longest = bisect_right(ranks, value - $gap), 0
                while at > 0:
                    longest = max(longest, tree[at])
                    at -= at & -at
                best = max(best, longest + 1)
                at = bisect_left(ranks, value) + 1
                while at < len(tree):
                    tree[at] = max(tree[at], longest + 1)
                    at += at & -at
            return best
            """),
        Solution("smallest ends", "n log n, one list", """
            from bisect import bisect_right

            ends = []
            for number in numbers:
                value = ${sign}number
                at = bisect_right(ends, value - $gap)
                if at == len(ends):
                    ends.append(value)
                elif value < ends[at]:
                    ends[at] = value
            return len(ends)
            """),
    ),
    wrong=(
        """
        values = [${sign}number for number in numbers]
        lengths = []
        for i in range(len(values)):
            lengths.append(1 + max((lengths[j] for j in range(i) if values[i] - values[j] > $gap), default=0))
        return max(lengths, default=0)
        """,
        """
        values = [${sign}number for number in numbers]
        best = length = 0
        for i in range(len(values)):
            length = length + 1 if i and values[i] - values[i - 1] >= $gap else 1
            best = max(best, length)
        return best
        """,
    ),
    answer=_longest_chain,
    edges=_chain_edges,
    small=_chain_small,
    large=_chain_large,
    sizes=(600, 1200),
)  # fmt: skip
