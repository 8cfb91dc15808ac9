"""Remainders: how many pairs leave one, sums of ranges of powers."""

from __future__ import annotations

from itertools import combinations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant, whole_numbers
from ray_pipeline.data.problems.problem import Arguments


def _pairs_by_remainder(variant: Variant, numbers: list[int]) -> int:
    return sum((one + other) % variant["divisor"] == variant["rest"] for one, other in combinations(numbers, 2))


def _remainder_edges(variant: Variant) -> tuple[Arguments, ...]:
    divisor, rest = variant["divisor"], variant["rest"]
    return ([0, rest, rest + divisor, 0],), ([-1, rest + 1, -1 - divisor],), ([],)


def _remainder_small(draw: Draw, variant: Variant) -> Arguments:
    return (whole_numbers(draw, draw.whole(5, 14), -20, 40),)


def _remainder_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (whole_numbers(draw, size, -size, size),)


PAIRS_BY_REMAINDER = Family(
    name="pairs_by_remainder",
    variants=tuple({"divisor": divisor, "rest": rest} for divisor in range(3, 14) for rest in range(divisor)),
    signature="def count_sums_with_remainder(numbers: list[int]) -> int:",
    task="Count the pairs of different positions whose sum leaves remainder $rest when divided by $divisor (remainders are never negative).",
    solutions=(
        Solution("every pair", "n^2", """
            found = 0
            for i in range(len(numbers)):
                for j in range(i):
                    if (numbers[i] + numbers[j]) % $divisor == $rest:
                        found += 1
            return found
            """),
        Solution("sorted remainders and bisected", "n log n", """
            from bisect import bisect_left, bisect_right

            rests = sorted(number % $divisor for number in numbers)
            found = 0
            for rest in rests:
                other = ($rest - rest) % $divisor
                found += bisect_right(rests, other) - bisect_left(rests, other) - (other == rest)
            return found // 2
            """),
        Solution("counts of remainders", "n", """
            counts = [0] * $divisor
            found = 0
            for number in numbers:
                rest = number % $divisor
                found += counts[($rest - rest) % $divisor]
                counts[rest] += 1
            return found
            """),
    ),
    wrong=(
        """
        numbers = sorted(set(numbers))
        found = 0
        for i in range(len(numbers)):
            for j in range(i):
                if (numbers[i] + numbers[j]) % $divisor == $rest:
                    found += 1
        return found
        """,
        """
        counts = [0] * $divisor
        found = 0
        for number in numbers:
            rest = abs(number) % $divisor
            found += counts[($rest - rest) % $divisor]
            counts[rest] += 1
        return found
        """,
    ),
    answer=_pairs_by_remainder,
    edges=_remainder_edges,
    small=_remainder_small,
    large=_remainder_large,
    sizes=(600, 1200),
)  # fmt: skip


def _range_sums(variant: Variant, numbers: list[int], queries: list[tuple[int, int]]) -> list[int]:
    return [sum(one ** variant["power"] for one in numbers[first - variant["base"] : last + 1 - variant["base"]]) % variant["modulus"]
            for first, last in queries]  # fmt: skip


def _range_edges(variant: Variant) -> tuple[Arguments, ...]:
    base, modulus = variant["base"], variant["modulus"]
    top = max(range(modulus), key=lambda one: one ** variant["power"] % modulus)  # twice its power is more than the modulus
    return (
        ([top, top, 3], [(base, base), (base, base + 2), (base + 1, base + 1), (base + 1, base + 2)]),
        ([1, 2, 1], [(base, base + 2), (base, base + 1)]),
        ([], []),
    )


def _range_small(draw: Draw, variant: Variant) -> Arguments:
    count = draw.whole(4, 12)
    return whole_numbers(draw, count, -9, 30), _queries(draw, variant, count, draw.whole(2, 5))


def _range_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return whole_numbers(draw, size, -99, 999), _queries(draw, variant, size, size // 4)


def _queries(draw: Draw, variant: Variant, count: int, queries: int) -> list[tuple[int, int]]:
    ends = (sorted(whole_numbers(draw, 2, variant["base"], variant["base"] + count - 1)) for _ in range(queries))
    return [(first, last) for first, last in ends]


RANGE_SUMS = Family(
    name="range_sums",
    variants=tuple(
        {"power": power, "modulus": modulus, "base": base}
        for power in (1, 2, 3)
        for modulus in (7, 10, 13, 24, 31, 50, 97, 101, 256, 512, 1000, 1009)
        for base in (0, 1)
    ),
    signature="def range_sums(numbers: list[int], queries: list[tuple[int, int]]) -> list[int]:",
    task="""
        For every query (first, last) add up the numbers from position first to position last, both included,
        each raised to the power $power, and give the sum modulo $modulus. The first position is $base.""",
    solutions=(
        Solution("every range anew", "n q", """
            sums = []
            for first, last in queries:
                total = 0
                for i in range(first - $base, last - $base + 1):
                    total += numbers[i] ** $power
                sums.append(total % $modulus)
            return sums
            """),
        Solution("sums of blocks", "n + q sqrt n", """
            width = max(1, int(len(numbers) ** 0.5))
            powers = [number ** $power for number in numbers]
            blocks = [sum(powers[at:at + width]) for at in range(0, len(powers), width)]
            sums = []
            for first, last in queries:
                low, high = first - $base, last - $base + 1
                begin, end = -(-low // width), high // width
                if begin >= end:
                    total = sum(powers[low:high])
                else:
                    total = sum(powers[low:begin * width]) + sum(blocks[begin:end]) + sum(powers[end * width:high])
                sums.append(total % $modulus)
            return sums
            """),
        Solution("sums from the front", "n + q", """
            until = [0]
            for number in numbers:
                until.append((until[-1] + number ** $power) % $modulus)
            return [(until[last - $base + 1] - until[first - $base]) % $modulus for first, last in queries]
            """),
    ),
    wrong=(
        """
        return [sum(number ** $power for number in numbers[first - $base:last - $base]) % $modulus for first, last in queries]
        """,
        """
        until = [0]
        for number in numbers:
            until.append((until[-1] + number ** $power) % $modulus)
        return [until[last - $base + 1] - until[first - $base] for first, last in queries]
        """,
    ),
    answer=_range_sums,
    edges=_range_edges,
    small=_range_small,
    large=_range_large,
    sizes=(800, 1600),
)  # fmt: skip
