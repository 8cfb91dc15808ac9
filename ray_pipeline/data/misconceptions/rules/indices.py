"""The laws of indices in algebra."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import poly, power
from ray_pipeline.data.misconceptions.phrasing import do, redo
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_INDEX: Final = "Use the laws of indices"


def _two_powers(d: Draw) -> Numbers:
    a, b, n = d.whole(2, 7), d.whole(2, 7), d.whole(2, 5)
    m = n * d.whole(2, 4)
    return Numbers(a=a, b=b, m=m, n=n, xm=power("x", m), xn=power("x", n), ab=a * b, diff=a * b - b)


RULES: Final = (
    Rule(
        key="index-multiply",
        subject="Powers and Roots",
        construct=_INDEX,
        when="using index laws",
        draw=_two_powers,
        asks=do("Simplify", "{a}{xm} * {b}{xn}"),
        held_out=redo("Simplify", "{a}{xm} * {b}{xn}"),
        correct=lambda p: poly((p.ab, power("x", p.m + p.n))),
        variants=(
            Variant(
                "exponents-multiplied",
                "Multiplies the exponents along with the coefficients in a product",
                lambda p: poly((p.ab, power("x", p.m * p.n))),
                lambda p: f"{p.a} * {p.b} = {p.ab} and {p.m} * {p.n} = {p.m * p.n}.",
            ),
            Variant(
                "coefficients-added",
                "Adds the coefficients along with the exponents in a product",
                lambda p: poly((p.a + p.b, power("x", p.m + p.n))),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} and {p.m} + {p.n} = {p.m + p.n}.",
            ),
            Variant(
                "exchanged",
                "Adds the coefficients and multiplies the exponents, each rule applied to the other's numbers",
                lambda p: poly((p.a + p.b, power("x", p.m * p.n))),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} and {p.m} * {p.n} = {p.m * p.n}.",
            ),
            Variant(
                "exponents-subtracted",
                "Takes one exponent from the other in a product, as belongs to a quotient",
                lambda p: poly((p.ab, power("x", p.m - p.n))),
                lambda p: f"{p.a} * {p.b} = {p.ab} and {p.m} - {p.n} = {p.m - p.n}.",
            ),
            Variant(
                "larger-exponent",
                "Keeps the greater of two exponents in a product",
                lambda p: poly((p.ab, power("x", p.m))),
                lambda p: f"{p.a} * {p.b} = {p.ab}, and {p.xm} already contains {p.xn}.",
            ),
        ),
    ),
    Rule(
        key="index-divide",
        subject="Powers and Roots",
        construct=_INDEX,
        when="using index laws",
        draw=_two_powers,
        asks=do("Simplify", "{ab}{xm} ÷ {b}{xn}"),
        held_out=redo("Simplify", "{ab}{xm} ÷ {b}{xn}"),
        correct=lambda p: poly((p.a, power("x", p.m - p.n))),
        variants=(
            Variant(
                "exponents-divided",
                "Divides one exponent by the other along with the coefficients in a quotient",
                lambda p: poly((p.a, power("x", p.m // p.n))),
                lambda p: f"{p.ab} ÷ {p.b} = {p.a} and {p.m} ÷ {p.n} = {p.m // p.n}.",
            ),
            Variant(
                "coefficients-subtracted",
                "Takes one coefficient from the other along with the exponents in a quotient",
                lambda p: poly((p.diff, power("x", p.m - p.n))),
                lambda p: f"{p.ab} - {p.b} = {p.diff} and {p.m} - {p.n} = {p.m - p.n}.",
            ),
            Variant(
                "exponents-added",
                "Adds the exponents in a quotient, as belongs to a product",
                lambda p: poly((p.a, power("x", p.m + p.n))),
                lambda p: f"{p.ab} ÷ {p.b} = {p.a} and {p.m} + {p.n} = {p.m + p.n}.",
            ),
            Variant(
                "letter-cancelled",
                "Cancels a letter completely because it stands in both parts of a quotient",
                lambda p: p.a,
                lambda p: f"{p.ab} ÷ {p.b} = {p.a}, and the x's cancel.",
            ),
            Variant(
                "both-exchanged",
                "Takes one coefficient from the other and shares one exponent by the other",
                lambda p: poly((p.diff, power("x", p.m // p.n))),
                lambda p: f"{p.ab} - {p.b} = {p.diff} and {p.m} ÷ {p.n} = {p.m // p.n}.",
            ),
        ),
    ),
    Rule(
        key="index-power",
        subject="Powers and Roots",
        construct=_INDEX,
        when="using index laws",
        draw=lambda d: Numbers(a=(a := d.whole(2, 5)), m=(m := d.whole(3, 7)), n=(n := d.whole(2, 3)), text=f"({a}{power('x', m)}){power('', n)}"),
        asks=do("Simplify", "{text}"),
        held_out=redo("Simplify", "{text}"),
        correct=lambda p: poly((p.a**p.n, power("x", p.m * p.n))),
        variants=(
            Variant(
                "coefficient-left",
                "Raises the letter part of a bracket and leaves the coefficient as it is",
                lambda p: poly((p.a, power("x", p.m * p.n))),
                lambda p: f"{p.m} * {p.n} = {p.m * p.n}, and the {p.a} stays.",
            ),
            Variant(
                "coefficient-multiplied",
                "Multiplies the coefficient of a raised bracket by the outer exponent",
                lambda p: poly((p.a * p.n, power("x", p.m * p.n))),
                lambda p: f"{p.a} * {p.n} = {p.a * p.n} and {p.m} * {p.n} = {p.m * p.n}.",
            ),
            Variant(
                "exponents-added",
                "Adds the inner and outer exponents of a raised bracket",
                lambda p: poly((p.a**p.n, power("x", p.m + p.n))),
                lambda p: f"{p.a} to the power {p.n} is {p.a**p.n}, and {p.m} + {p.n} = {p.m + p.n}.",
            ),
            Variant(
                "exponent-raised",
                "Raises the inner exponent by the outer one",
                lambda p: poly((p.a**p.n, power("x", p.m**p.n))),
                lambda p: f"{p.a} to the power {p.n} is {p.a**p.n}, and {p.m} to the power {p.n} is {p.m**p.n}.",
            ),
            Variant(
                "left-and-added",
                "Leaves the coefficient of a raised bracket and totals inner and outer exponents",
                lambda p: poly((p.a, power("x", p.m + p.n))),
                lambda p: f"The {p.a} stays, and {p.m} + {p.n} = {p.m + p.n}.",
            ),
            Variant(
                "multiplied-and-added",
                "Multiplies the coefficient by the outer exponent and totals inner and outer exponents",
                lambda p: poly((p.a * p.n, power("x", p.m + p.n))),
                lambda p: f"{p.a} * {p.n} = {p.a * p.n}, and {p.m} + {p.n} = {p.m + p.n}.",
            ),
        ),
    ),
)
