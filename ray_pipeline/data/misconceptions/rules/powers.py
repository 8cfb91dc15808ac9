"""Powers and roots of numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import half, over, raised
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_POWERS: Final = "Evaluate powers and roots"


def _power(d: Draw) -> Numbers:
    a, n = d.pick(((2, 4), (2, 5), (3, 3), (3, 4), (4, 3), (5, 3), (6, 3), (10, 3), (2, 6), (7, 3), (5, 4), (8, 3)))
    return Numbers(a=a, n=n, sup=raised(n), product=" * ".join([str(a)] * n))


def _reciprocal(d: Draw) -> Numbers:
    a, n = d.whole(2, 9), d.whole(2, 3)
    return Numbers(a=a, n=n, sup=raised(-n))


def _root(d: Draw) -> Numbers:
    n = d.whole(4, 15)
    return Numbers(n=n, square=n * n)


def _root_of_sum(d: Draw) -> Numbers:
    a, b, c = d.pick(((3, 4, 5), (6, 8, 10), (5, 12, 13), (8, 15, 17), (9, 12, 15), (7, 24, 25), (12, 16, 20), (10, 24, 26), (20, 21, 29)))
    return Numbers(a=a, b=b, c=c, s=a * a, t=b * b)


RULES: Final = (
    Rule(
        key="power-of-number",
        subject="Powers and Roots",
        construct=_POWERS,
        when="evaluating powers",
        draw=_power,
        asks=(*work_out("{a}{sup}"), "What is {a} to the power of {n}?"),
        held_out=(*evaluate("{a}{sup}"), "{name} works out {product}. Which number is this?"),
        correct=lambda p: p.a**p.n,
        variants=(
            Variant(
                "multiplied-by-exponent",
                "Multiplies a base by its exponent",
                lambda p: p.a * p.n,
                lambda p: f"{p.a} * {p.n} = {p.a * p.n}.",
            ),
            Variant(
                "exchanged",
                "Exchanges the roles of base and exponent",
                lambda p: p.n**p.a,
                lambda p: f"I multiply {p.n} by itself until I have {p.a} of them.",
            ),
            Variant(
                "added",
                "Adds base and exponent as two parts of a sum",
                lambda p: p.a + p.n,
                lambda p: f"{p.a} + {p.n} = {p.a + p.n}.",
            ),
            Variant(
                "one-factor-too-many",
                "Counts the multiplication signs, not the factors, when writing a power out",
                lambda p: p.a ** (p.n + 1),
                lambda p: f"The exponent says {p.n} times signs, so {p.n + 1} factors {p.a}.",
            ),
            Variant(
                "squared-only",
                "Squares whatever exponent is given",
                lambda p: p.a**2 if p.n > 2 else None,
                lambda p: f"A small number on top means {p.a} * {p.a} = {p.a**2}.",
            ),
        ),
    ),
    Rule(
        key="negative-exponent",
        subject="Powers and Roots",
        construct=_POWERS,
        when="evaluating negative indices",
        draw=_reciprocal,
        asks=(*work_out("{a}{sup}"), "Write {a}{sup} as a fraction"),
        held_out=(*evaluate("{a}{sup}"), "Which fraction is {a} to the power of -{n}?"),
        correct=lambda p: over(1, p.a**p.n) or 0,
        variants=(
            Variant(
                "negative-value",
                "Believes an exponent below zero makes the value itself negative",
                lambda p: -(p.a**p.n),
                lambda p: f"{p.a} to the power {p.n} is {p.a**p.n}, and the minus goes in front.",
            ),
            Variant(
                "negative-multiple",
                "Multiplies a base by an exponent below zero",
                lambda p: -p.a * p.n,
                lambda p: f"{p.a} times -{p.n}.",
            ),
            Variant(
                "sign-ignored",
                "Passes over the minus of an exponent",
                lambda p: p.a**p.n,
                lambda p: f"{p.a} to the power {p.n} is {p.a**p.n}.",
            ),
            Variant(
                "reciprocal-of-multiple",
                "Knows that an exponent below zero means one over something but multiplies base and exponent underneath",
                lambda p: over(1, p.a * p.n),
                lambda p: f"The minus means one over: 1 over {p.a} * {p.n}.",
            ),
            Variant(
                "negative-reciprocal",
                "Uses the minus of an exponent twice, inverting and changing the sign",
                lambda p: Fraction(-1, p.a**p.n),
                lambda p: f"One over {p.a**p.n}, and a minus as well.",
            ),
        ),
    ),
    Rule(
        key="square-root",
        subject="Powers and Roots",
        construct=_POWERS,
        when="finding roots",
        draw=_root,
        asks=(*work_out("√{square}"), "What is the square root of {square}?"),
        held_out=(*evaluate("√{square}"), "A square has an area of {square} cm². How long is its side in cm?"),
        correct=lambda p: p.n,
        variants=(
            Variant(
                "halved",
                "Thinks undoing a second power means taking half",
                lambda p: half(p.square),
                lambda p: f"{p.square} ÷ 2.",
            ),
            Variant(
                "quartered",
                "Thinks of a figure's four sides and splits the whole amount among them",
                lambda p: Fraction(p.square, 4),
                lambda p: f"A square has four sides, so {p.square} ÷ 4.",
            ),
            Variant(
                "doubled",
                "Doubles a number under a root sign",
                lambda p: 2 * p.square,
                lambda p: f"Square means two, so {p.square} * 2 = {2 * p.square}.",
            ),
            Variant(
                "root-of-root-doubled",
                "Finds the number that was multiplied by itself but gives both copies added",
                lambda p: 2 * p.n,
                lambda p: f"{p.n} * {p.n} = {p.square}. There are two of them: {p.n} + {p.n}.",
            ),
        ),
    ),
    Rule(
        key="root-of-sum",
        subject="Powers and Roots",
        construct=_POWERS,
        when="finding roots",
        draw=_root_of_sum,
        asks=work_out("√({a}² + {b}²)"),
        held_out=evaluate("√({a}² + {b}²)"),
        correct=lambda p: p.c,
        variants=(
            Variant(
                "splits",
                "Believes a root may be taken of each part of a total by itself",
                lambda p: p.a + p.b,
                lambda p: f"The root undoes each square, so {p.a} + {p.b} = {p.a + p.b}.",
            ),
            Variant(
                "root-forgotten",
                "Adds two squares and forgets the sign in front of them",
                lambda p: p.s + p.t,
                lambda p: f"{p.s} + {p.t} = {p.s + p.t}.",
            ),
            Variant(
                "halves",
                "Takes half of a total of two squares",
                lambda p: half(p.s + p.t),
                lambda p: f"{p.s} + {p.t} = {p.s + p.t}, and half of it.",
            ),
            Variant(
                "squares-as-doubles",
                "Doubles both numbers for their exponents and leaves the root sign out of account",
                lambda p: 2 * p.a + 2 * p.b,
                lambda p: f"{p.a} * 2 = {2 * p.a} and {p.b} * 2 = {2 * p.b}, together {2 * p.a + 2 * p.b}.",
            ),
            Variant(
                "first-root-only",
                "Ends a root after the first part of a total, leaving the other part squared",
                lambda p: p.a + p.t,
                lambda p: f"The root of {p.a}² is {p.a}. Then + {p.t}.",
            ),
        ),
    ),
)
