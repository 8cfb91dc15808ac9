"""Divisors: primes that leave a remainder, numbers built of a few primes."""

from __future__ import annotations

from itertools import combinations, count
from math import gcd

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant
from ray_pipeline.data.problems.problem import Arguments

_ASKED = (("number", "len"), ("sum", "sum"))


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % one for one in range(2, int(number**0.5) + 1))


def _primes(variant: Variant, limit: int) -> int:
    found = [number for number in range(variant["rest"], limit, variant["divisor"]) if _is_prime(number)]
    return len(found) if variant["asked"] == "number" else sum(found)


def _prime_edges(variant: Variant) -> tuple[Arguments, ...]:
    of_the_class = count(variant["rest"], variant["divisor"])
    first = next(one for one in of_the_class if _is_prime(one))
    hard = next(one for one in of_the_class if one > 120 and all(one % small for small in (2, 3, 5, 7)) and not _is_prime(one))
    return (first + 1,), (first,), (hard + 1,), (2,), (0,)  # below a prime, and beyond a product of large primes


def _prime_small(draw: Draw, variant: Variant) -> Arguments:
    return (draw.whole(20, 400),)


def _size_alone(draw: Draw, variant: Variant, size: int) -> Arguments:
    return (size + draw.whole(0, size // 50),)


PRIMES = Family(
    name="primes",
    variants=tuple(
        {"divisor": divisor, "rest": rest, "asked": asked, "measure": measure}
        for divisor in (3, 4, 5, 7, 8, 9, 11, 12)  # of an odd divisor and twice it, one: nearly all primes are odd
        for rest in range(1, divisor)
        if gcd(rest, divisor) == 1
        for asked, measure in _ASKED
    ),
    signature="def primes_with_remainder(limit: int) -> int:",
    task="Give the $asked of the primes below limit that leave remainder $rest when divided by $divisor.",
    solutions=(
        Solution("divided by all below", "n^2", """
            found = []
            for number in range(2, limit):
                for divisor in range(2, number):
                    if number % divisor == 0:
                        break
                else:
                    if number % $divisor == $rest:
                        found.append(number)
            return $measure(found)
            """),
        Solution("divided up to the root", "n^1.5", """
            found = []
            for number in range(2, limit):
                divisor = 2
                while divisor * divisor <= number and number % divisor:
                    divisor += 1
                if divisor * divisor > number and number % $divisor == $rest:
                    found.append(number)
            return $measure(found)
            """),
        Solution("a sieve", "n log log n", """
            prime = bytearray([1]) * max(limit, 2)
            prime[0] = prime[1] = 0
            for number in range(2, int(max(limit, 0) ** 0.5) + 1):
                if prime[number]:
                    prime[number * number::number] = bytes(len(range(number * number, len(prime), number)))
            return $measure([number for number in range($rest, limit, $divisor) if prime[number]])
            """),
    ),
    wrong=(
        """
        found = []
        for number in range(2, limit + 1):
            if number % $divisor == $rest and all(number % divisor for divisor in range(2, int(number ** 0.5) + 1)):
                found.append(number)
        return $measure(found)
        """,
        """
        found = []
        for number in range(2, limit):
            if number % $divisor == $rest and all(number % divisor or number == divisor for divisor in (2, 3, 5, 7)):
                found.append(number)
        return $measure(found)
        """,
    ),
    answer=_primes,
    edges=_prime_edges,
    small=_prime_small,
    large=_size_alone,
    sizes=(2500, 5000),
)  # fmt: skip


def _smooth(variant: Variant, limit: int) -> int:
    left = list(range(limit + 1))
    for prime in variant["primes"]:
        power = prime
        while power <= limit:
            left[power::power] = [one // prime for one in left[power::power]]
            power *= prime
    found = [number for number in range(1, limit + 1) if left[number] == 1]
    return len(found) if variant["asked"] == "number" else sum(found)


def _smooth_edges(variant: Variant) -> tuple[Arguments, ...]:
    first, *_, last = variant["primes"]
    return (first * last,), (1,), (first,), (last * last + 1,), (0,)


def _smooth_small(draw: Draw, variant: Variant) -> Arguments:
    return (draw.whole(15, 600),)


SMOOTH_NUMBERS = Family(
    name="smooth_numbers",
    variants=tuple(
        {"primes": primes, "asked": asked, "measure": measure}
        for size in (2, 3)
        for primes in combinations((2, 3, 5, 7, 11, 13), size)
        for asked, measure in _ASKED
    ),
    signature="def built_numbers(limit: int) -> int:",
    task="Give the $asked of the numbers from 1 to limit, both included, that have no prime factor other than those in $primes. 1 has none at all.",
    solutions=(
        Solution("every number factored", "n^1.5", """
            found = []
            for number in range(1, limit + 1):
                rest, divisor, factors = number, 2, set()
                while divisor * divisor <= rest:
                    if rest % divisor:
                        divisor += 1
                    else:
                        factors.add(divisor)
                        rest //= divisor
                if rest > 1:
                    factors.add(rest)
                if factors.issubset($primes):
                    found.append(number)
            return $measure(found)
            """),
        Solution("a table of smaller ones", "n", """
            built = [False] * (limit + 1)
            found = []
            for number in range(1, limit + 1):
                if number == 1 or any(number % prime == 0 and built[number // prime] for prime in $primes):
                    built[number] = True
                    found.append(number)
            return $measure(found)
            """),
        Solution("multiplied", "as many as there are", """
            found = [1] if limit >= 1 else []
            for prime in $primes:
                for number in found:
                    if number * prime <= limit:
                        found.append(number * prime)
            return $measure(found)
            """),
    ),
    wrong=(
        """
        found = []
        for prime in $primes:
            power = prime
            while power <= limit:
                found.append(power)
                power *= prime
        return $measure([1] * (limit >= 1) + found)
        """,
        """
        found = [1] if limit > 1 else []
        for prime in $primes:
            for number in found:
                if number * prime < limit:
                    found.append(number * prime)
        return $measure(found)
        """,
    ),
    answer=_smooth,
    edges=_smooth_edges,
    small=_smooth_small,
    large=_size_alone,
    sizes=(10_000, 20_000),
)  # fmt: skip
