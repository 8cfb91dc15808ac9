"""Numbers whose digits add up to a multiple."""

from __future__ import annotations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant
from ray_pipeline.data.problems.problem import Arguments


def _digit_sum(number: int, base: int) -> int:
    return number % base + _digit_sum(number // base, base) if number else 0


def _digit_sums(variant: Variant, limit: int) -> int:
    return sum(_digit_sum(number, variant["base"]) % variant["divisor"] == 0 for number in range(1, limit + 1))


def _digit_edges(variant: Variant) -> tuple[Arguments, ...]:
    first = next(one for one in range(1, 100_000) if _digit_sum(one, variant["base"]) % variant["divisor"] == 0)
    return (first,), (first - 1,), (0,), (variant["base"] ** 3,)


def _digit_small(draw: Draw, variant: Variant) -> Arguments:
    return (draw.whole(50, 2000),)


def _digit_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (size + draw.whole(0, size // 50),)


DIGIT_SUMS = Family(
    name="digit_sums",
    variants=tuple(
        {"base": base, "divisor": divisor}
        for base in range(2, 13)
        for divisor in range(3, 10)
        if base % divisor != 1  # there the digits' sum is a multiple where the number is, whatever the base
    ),
    signature="def count_by_digit_sum(limit: int) -> int:",
    task="Count the numbers from 1 to limit, both included, whose digits, written in base $base, add up to a multiple of $divisor.",
    solutions=(
        Solution("every number's digits", "n log n", """
            found = 0
            for number in range(1, limit + 1):
                total, rest = 0, number
                while rest:
                    total += rest % $base
                    rest //= $base
                if total % $divisor == 0:
                    found += 1
            return found
            """),
        Solution("from the sums of shorter ones", "n", """
            sums = [0]
            found = 0
            for number in range(1, limit + 1):
                total = sums[number // $base] + number % $base
                sums.append(total)
                if total % $divisor == 0:
                    found += 1
            return found
            """),
        Solution("digit by digit", "log n", """
            digits = []
            while limit:
                digits.append(limit % $base)
                limit //= $base
            smaller, exact = [0] * $divisor, 0
            for digit in reversed(digits):
                longer = [0] * $divisor
                for rest, count in enumerate(smaller):
                    for last in range($base):
                        longer[(rest + last) % $divisor] += count
                for last in range(digit):
                    longer[(exact + last) % $divisor] += 1
                smaller, exact = longer, (exact + digit) % $divisor
            return smaller[0] + (1 if exact == 0 else 0) - 1
            """),
    ),
    wrong=(
        """
        found = 0
        for number in range(1, limit):
            total, rest = 0, number
            while rest:
                total += rest % $base
                rest //= $base
            if total % $divisor == 0:
                found += 1
        return found
        """,
        """
        found = 0
        for number in range(limit + 1):
            total, rest = 0, number
            while rest:
                total += rest % $base
                rest //= $base
            if total % $divisor == 0:
                found += 1
        return found
        """,
    ),
    answer=_digit_sums,
    edges=_digit_edges,
    small=_digit_small,
    large=_digit_large,
    sizes=(20_000, 40_000),
)  # fmt: skip
