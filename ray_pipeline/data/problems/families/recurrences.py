"""Recurrences: a sequence like Fibonacci's, modulo a number; the ways to pay an amount."""

from __future__ import annotations

from itertools import combinations
from math import gcd

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant
from ray_pipeline.data.problems.problem import Arguments


def _recurrence(variant: Variant, n: int) -> int:
    values = [variant["first"], variant["second"]]
    while len(values) <= n:
        values.append((variant["last"] * values[-1] + variant["former"] * values[-2]) % variant["modulus"])
    return int(values[n] % variant["modulus"])


def _recurrence_edges(variant: Variant) -> tuple[Arguments, ...]:
    return tuple((n,) for n in (5, 0, 1, 2, 40))


def _recurrence_small(draw: Draw, variant: Variant) -> Arguments:
    return (draw.whole(3, 300),)


def _recurrence_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (size + draw.whole(0, size // 50),)


RECURRENCE = Family(
    name="recurrence",
    variants=tuple(
        {"last": last, "former": former, "first": first, "second": second, "modulus": modulus}
        for last in (1, 2, 3, 4)
        for former in (1, 2, 3)
        for first, second in ((0, 1), (3, 1))
        for modulus in (97, 1000, 1009, 65537)
    ),
    signature="def sequence_value(n: int) -> int:",
    task="""
        A sequence begins with a(0) = $first and a(1) = $second and goes on with a(n) = $last * a(n - 1) + $former * a(n - 2).
        Give a(n) modulo $modulus.""",
    solutions=(
        Solution("whole values, divided in the end", "n^2", """
            values = [$first, $second]
            for i in range(2, n + 1):
                values = [values[1], $last * values[1] + $former * values[0]]
            return values[min(n, 1)] % $modulus
            """),
        Solution("remainders", "n", """
            one, other = $first, $second
            for _ in range(n):
                one, other = other, ($last * other + $former * one) % $modulus
            return one % $modulus
            """),
        Solution("a matrix squared", "log n", """
            def times(left, right):
                (a, b), (c, d) = left
                (e, f), (g, h) = right
                return (
                    ((a * e + b * g) % $modulus, (a * f + b * h) % $modulus),
                    ((c * e + d * g) % $modulus, (c * f + d * h) % $modulus),
                )

            power, square, rest = ((1, 0), (0, 1)), ((0, 1), ($former, $last)), n
            while rest:
                if rest % 2:
                    power = times(power, square)
                square = times(square, square)
                rest //= 2
            return (power[0][0] * $first + power[0][1] * $second) % $modulus
            """),
    ),
    wrong=(
        """
        one, other = $first, $second
        for _ in range(n + 1):
            one, other = other, ($last * other + $former * one) % $modulus
        return one % $modulus
        """,
        """
        one, other = $first, $second
        for _ in range(n - 1):
            one, other = other, ($last * other + $former * one) % $modulus
        return other % $modulus
        """,
    ),
    answer=_recurrence,
    edges=_recurrence_edges,
    small=_recurrence_small,
    large=_recurrence_large,
    sizes=(10_000, 20_000),
)  # fmt: skip


def _ways(variant: Variant, amount: int) -> int:
    one, two, three = variant["coins"]
    return sum((amount - a - b) % three == 0 for a in range(0, amount + 1, one) for b in range(0, amount - a + 1, two))


def _ways_edges(variant: Variant) -> tuple[Arguments, ...]:
    one, two, three = variant["coins"]
    return (one + two,), (0,), (1,), (one,), (one * two,), (one + two + three,)


def _ways_small(draw: Draw, variant: Variant) -> Arguments:
    return (draw.whole(10, 120),)


def _ways_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    """An amount for which three loops take about `size` steps."""
    one, two, three = variant["coins"]
    amount = draw.whole(0, 20)
    while amount**3 < size * 6 * one * two * three:
        amount += 10
    return (amount,)


WAYS_TO_PAY = Family(
    name="ways_to_pay",
    variants=tuple({"coins": coins} for coins in combinations((2, 3, 4, 5, 7, 8, 9, 11, 12), 3) if gcd(*coins) == 1),
    signature="def ways_to_pay(amount: int) -> int:",
    task="""
        Count the ways to pay the amount exactly with coins worth $coins, as many of each as one likes.
        The order of the coins does not matter; there is one way to pay 0.""",
    solutions=(
        Solution("three loops", "n^3", """
            one, two, three = $coins
            found = 0
            for i in range(0, amount + 1, one):
                for j in range(i, amount + 1, two):
                    for k in range(j, amount + 1, three):
                        if k == amount:
                            found += 1
            return found
            """),
        Solution("two loops and a division", "n^2", """
            one, two, three = $coins
            found = 0
            for i in range(0, amount + 1, one):
                for j in range(i, amount + 1, two):
                    if (amount - j) % three == 0:
                        found += 1
            return found
            """),
        Solution("a table of amounts", "n", """
            ways = [1] + [0] * amount
            for coin in $coins:
                for i in range(coin, amount + 1):
                    ways[i] += ways[i - coin]
            return ways[amount]
            """),
    ),
    wrong=(
        """
        ways = [1] + [0] * amount
        for i in range(1, amount + 1):
            for coin in $coins:
                if coin <= i:
                    ways[i] += ways[i - coin]
        return ways[amount]
        """,
        """
        one, two, three = $coins
        found = 0
        for i in range(0, amount, one):
            for j in range(i, amount, two):
                if (amount - j) % three == 0:
                    found += 1
        return found
        """,
    ),
    answer=_ways,
    edges=_ways_edges,
    small=_ways_small,
    large=_ways_large,
    sizes=(500_000, 1_500_000),
)  # fmt: skip
