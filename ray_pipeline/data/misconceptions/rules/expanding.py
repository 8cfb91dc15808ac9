"""Collecting terms and multiplying brackets out."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import poly
from ray_pipeline.data.misconceptions.phrasing import do, redo
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_EXPAND: Final = "Expand brackets and simplify"
X2: Final = "x²"


def _terms(d: Draw) -> Numbers:
    a, c = d.some(range(2, 10), 2)
    b, e = d.some(range(1, 13), 2)
    return Numbers(a=a, b=b, c=c, e=e, text=poly((a, "x"), (b, ""), (c, "x"), (-e, "")))


def _single(d: Draw) -> Numbers:
    a, b, c = d.some(range(2, 10), 3)
    return Numbers(a=a, b=b, c=c)


def _double(d: Draw) -> Numbers:
    a, b = d.some(range(2, 10), 2)
    return Numbers(a=a, b=b, s=a + b, p=a * b)


RULES: Final = (
    Rule(
        key="collect-terms",
        subject="Algebraic Expressions",
        construct="Simplify expressions by collecting like terms",
        when="collecting like terms",
        draw=_terms,
        asks=do("Simplify", "{text}"),
        held_out=redo("Simplify", "{text}"),
        correct=lambda p: poly((p.a + p.c, "x"), (p.b - p.e, "")),
        variants=(
            Variant(
                "unlike-combined",
                "Runs letters and plain numbers together into a single letter term",
                lambda p: poly((p.a + p.b + p.c - p.e, "x")),
                lambda p: f"{p.a} + {p.b} + {p.c} - {p.e} = {p.a + p.b + p.c - p.e}, and there is an x.",
            ),
            Variant(
                "letter-squared",
                "Raises the letter when several terms with it are put together",
                lambda p: poly((p.a + p.c, X2), (p.b - p.e, "")),
                lambda p: f"{p.a}x and {p.c}x make {p.a + p.c}x², because x and x is x².",
            ),
            Variant(
                "sign-lost",
                "Detaches a plain number from the minus before it",
                lambda p: poly((p.a + p.c, "x"), (p.b + p.e, "")),
                lambda p: f"{p.a} + {p.c} = {p.a + p.c} x's. The numbers are {p.b} and {p.e}, together {p.b + p.e}.",
            ),
            Variant(
                "sign-of-next",
                "Gives each term the sign that follows it, not the one before it",
                lambda p: poly((p.a - p.c, "x"), (p.b + p.e, "")),
                lambda p: f"The minus stands behind {p.c}x, so {p.a} - {p.c} = {p.a - p.c} x's, and {p.b} + {p.e} = {p.b + p.e}.",
            ),
            Variant(
                "letters-multiplied",
                "Multiplies the numbers in front of a letter when its terms are put together",
                lambda p: poly((p.a * p.c, "x"), (p.b - p.e, "")),
                lambda p: f"{p.a} * {p.c} = {p.a * p.c} x's, and {p.b} - {p.e} = {p.b - p.e}.",
            ),
            Variant(
                "letter-dropped",
                "Ignores letters altogether, leaving a bare number",
                lambda p: p.a + p.b + p.c - p.e,
                lambda p: f"{p.a} + {p.b} + {p.c} - {p.e} = {p.a + p.b + p.c - p.e}.",
            ),
        ),
    ),
    Rule(
        key="expand-single",
        subject="Algebraic Expressions",
        construct=_EXPAND,
        when="expanding a bracket",
        draw=_single,
        asks=do("Expand", "{a}({b}x + {c})"),
        held_out=(*redo("Expand", "{a}({b}x + {c})"), "A rectangle has sides {a} and {b}x + {c}. Write its area without brackets."),
        correct=lambda p: poly((p.a * p.b, "x"), (p.a * p.c, "")),
        variants=(
            Variant(
                "first-only",
                "Applies an outside factor just to the letter term",
                lambda p: poly((p.a * p.b, "x"), (p.c, "")),
                lambda p: f"{p.a} * {p.b}x = {p.a * p.b}x, and then + {p.c}.",
            ),
            Variant(
                "second-only",
                "Applies an outside factor just to the plain number inside",
                lambda p: poly((p.b, "x"), (p.a * p.c, "")),
                lambda p: f"{p.b}x stays, and {p.a} * {p.c} = {p.a * p.c}.",
            ),
            Variant(
                "added-to-both",
                "Adds an outside factor to the numbers inside instead of multiplying",
                lambda p: poly((p.a + p.b, "x"), (p.a + p.c, "")),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} and {p.a} + {p.c} = {p.a + p.c}.",
            ),
            Variant(
                "added-to-second",
                "Multiplies the letter term by an outside factor but adds it to the plain number",
                lambda p: poly((p.a * p.b, "x"), (p.a + p.c, "")),
                lambda p: f"{p.a} * {p.b}x = {p.a * p.b}x, and {p.a} + {p.c} = {p.a + p.c}.",
            ),
            Variant(
                "result-combined",
                "Multiplies both parts properly and then merges the unlike results into one term",
                lambda p: poly((p.a * p.b + p.a * p.c, "x")),
                lambda p: f"{p.a * p.b}x and {p.a * p.c} make {p.a * p.b + p.a * p.c}x.",
            ),
        ),
    ),
    Rule(
        key="expand-negative-factor",
        subject="Algebraic Expressions",
        construct=_EXPAND,
        when="expanding a bracket",
        draw=_single,
        asks=do("Expand", "-{a}({b}x - {c})"),
        held_out=redo("Expand", "-{a}({b}x - {c})"),
        correct=lambda p: poly((-p.a * p.b, "x"), (p.a * p.c, "")),
        variants=(
            Variant(
                "second-sign-kept",
                "Thinks a minus outside and a minus inside still leave a minus",
                lambda p: poly((-p.a * p.b, "x"), (-p.a * p.c, "")),
                lambda p: f"-{p.a} * {p.b}x = -{p.a * p.b}x. Then minus {p.a} * {p.c} = {p.a * p.c}.",
            ),
            Variant(
                "second-not-multiplied",
                "Lets a factor below zero reach the letter term alone",
                lambda p: poly((-p.a * p.b, "x"), (-p.c, "")),
                lambda p: f"-{p.a} * {p.b}x = -{p.a * p.b}x, and - {p.c} stays.",
            ),
            Variant(
                "outer-minus-ignored",
                "Multiplies out as though the factor outside were above zero",
                lambda p: poly((p.a * p.b, "x"), (-p.a * p.c, "")),
                lambda p: f"{p.a} * {p.b}x = {p.a * p.b}x and {p.a} * {p.c} = {p.a * p.c}, with the minus between them.",
            ),
            Variant(
                "all-positive",
                "Lets a minus outside wipe out every sign inside",
                lambda p: poly((p.a * p.b, "x"), (p.a * p.c, "")),
                lambda p: f"The minuses cancel: {p.a * p.b}x and {p.a * p.c}.",
            ),
            Variant(
                "sign-only-on-second",
                "Changes the sign of the plain number but forgets to multiply it by the factor below zero",
                lambda p: poly((-p.a * p.b, "x"), (p.c, "")),
                lambda p: f"-{p.a} * {p.b}x = -{p.a * p.b}x. Two minuses make + {p.c}.",
            ),
        ),
    ),
    Rule(
        key="expand-double",
        subject="Algebraic Expressions",
        construct=_EXPAND,
        when="expanding two brackets",
        draw=_double,
        asks=do("Expand", "(x + {a})(x + {b})"),
        held_out=(
            *redo("Expand", "(x + {a})(x + {b})"),
            "A square with side x is made {a} longer and {b} wider. Write its new area without brackets.",
        ),
        correct=lambda p: poly((1, X2), (p.s, "x"), (p.p, "")),
        variants=(
            Variant(
                "first-and-last",
                "Multiplies only the leading parts and only the final parts of two factors",
                lambda p: poly((1, X2), (p.p, "")),
                lambda p: f"x * x = x² and {p.a} * {p.b} = {p.p}.",
            ),
            Variant(
                "constant-added",
                "Adds the plain numbers of two factors for the last term too",
                lambda p: poly((1, X2), (p.s, "x"), (p.s, "")),
                lambda p: f"x², then {p.a}x and {p.b}x make {p.s}x, and {p.a} + {p.b} = {p.s}.",
            ),
            Variant(
                "roles-exchanged",
                "Puts the product of the plain numbers in the middle term and their total at the end",
                lambda p: poly((1, X2), (p.p, "x"), (p.s, "")),
                lambda p: f"x², then {p.a} * {p.b} = {p.p} for the x, and {p.a} + {p.b} = {p.s}.",
            ),
            Variant(
                "middle-multiplied",
                "Uses the product of the plain numbers in the middle term and at the end",
                lambda p: poly((1, X2), (p.p, "x"), (p.p, "")),
                lambda p: f"x², {p.a}x times {p.b} gives {p.p}x, and {p.a} * {p.b} = {p.p}.",
            ),
            Variant(
                "letters-added",
                "Takes a letter multiplied by itself for twice the letter",
                lambda p: poly((p.s + 2, "x"), (p.p, "")),
                lambda p: f"x and x is 2x, with {p.a}x and {p.b}x that is {p.s + 2}x, and {p.p} at the end.",
            ),
            Variant(
                "sum-of-brackets",
                "Drops the brackets of two factors and totals everything",
                lambda p: poly((2, "x"), (p.s, "")),
                lambda p: f"x + x = 2x and {p.a} + {p.b} = {p.s}.",
            ),
        ),
    ),
    Rule(
        key="square-binomial",
        subject="Algebraic Expressions",
        construct=_EXPAND,
        when="expanding a squared bracket",
        draw=lambda d: Numbers(a=d.whole(3, 12)),
        asks=do("Expand", "(x + {a})²"),
        held_out=(*redo("Expand", "(x + {a})²"), "A square has sides of length x + {a}. Write its area without brackets."),
        correct=lambda p: poly((1, X2), (2 * p.a, "x"), (p.a**2, "")),
        variants=(
            Variant(
                "each-squared",
                "Raises each part of a sum by itself, losing the middle term",
                lambda p: poly((1, X2), (p.a**2, "")),
                lambda p: f"x² and {p.a}² = {p.a**2}.",
            ),
            Variant(
                "number-doubled",
                "Raises the letter but doubles the plain number",
                lambda p: poly((1, X2), (2 * p.a, "")),
                lambda p: f"x² and {p.a} * 2 = {2 * p.a}.",
            ),
            Variant(
                "middle-once",
                "Counts the mixed product in a squared sum a single time",
                lambda p: poly((1, X2), (p.a, "x"), (p.a**2, "")),
                lambda p: f"x², then x * {p.a} = {p.a}x, then {p.a}² = {p.a**2}.",
            ),
            Variant(
                "all-doubled",
                "Takes the square of a sum for twice the sum",
                lambda p: poly((2, "x"), (2 * p.a, "")),
                lambda p: f"The 2 means twice: 2x and {2 * p.a}.",
            ),
            Variant(
                "middle-squared",
                "Uses the squared plain number in the middle term as well",
                lambda p: poly((1, X2), (p.a**2, "x"), (p.a**2, "")),
                lambda p: f"x², and {p.a}² = {p.a**2}, for the x and at the end.",
            ),
        ),
    ),
)
