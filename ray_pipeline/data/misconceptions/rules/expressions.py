"""Factorising, cancelling and substituting in algebraic expressions."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import bracket, poly
from ray_pipeline.data.misconceptions.phrasing import do, redo
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant


def _double(d: Draw) -> Numbers:
    a, b = d.some(range(2, 10), 2)
    return Numbers(a=a, b=b, s=a + b, p=a * b)


def _common(d: Draw) -> Numbers:
    k, (a, b) = d.pick((4, 6, 8, 9, 10, 12)), d.some(range(2, 10), 2)
    if gcd(a, b) > 1:
        a, b = 3, 4
    f = next(f for f in (2, 3) if k % f == 0)
    return Numbers(k=k, a=a, b=b, ka=k * a, kb=k * b, f=f)


def _value(d: Draw) -> Numbers:
    a, b, n = d.some(range(2, 10), 3)
    return Numbers(a=a, b=b, n=n)


RULES: Final = (
    Rule(
        key="factorise-common",
        subject="Algebraic Expressions",
        construct="Factorise expressions",
        when="factorising",
        draw=_common,
        asks=do("Factorise", "{ka}x + {kb}"),
        held_out=redo("Factorise", "{ka}x + {kb}"),
        correct=lambda p: f"{p.k}({poly((p.a, 'x'), (p.b, ''))})",
        variants=(
            Variant(
                "partial",
                "Takes out some shared factor but not the greatest",
                lambda p: f"{p.f}({poly((p.ka // p.f, 'x'), (p.kb // p.f, ''))})",
                lambda p: f"Both are in the {p.f} times table: {p.ka // p.f}x and {p.kb // p.f}.",
            ),
            Variant(
                "second-undivided",
                "Takes a shared factor out of the letter term and leaves the plain number as large as before",
                lambda p: f"{p.k}({poly((p.a, 'x'), (p.kb, ''))})",
                lambda p: f"{p.ka} ÷ {p.k} = {p.a}, so {p.k} goes in front and + {p.kb} stays.",
            ),
            Variant(
                "first-undivided",
                "Takes a shared factor out of the plain number and leaves the letter term as large as before",
                lambda p: f"{p.k}({poly((p.ka, 'x'), (p.b, ''))})",
                lambda p: f"{p.kb} ÷ {p.k} = {p.b}, so {p.k} goes in front and {p.ka}x stays.",
            ),
            Variant(
                "subtracted",
                "Reduces both terms by the shared factor instead of sharing by it",
                lambda p: f"{p.k}({poly((p.ka - p.k, 'x'), (p.kb - p.k, ''))})",
                lambda p: f"I take {p.k} out of both: {p.ka} - {p.k} = {p.ka - p.k} and {p.kb} - {p.k} = {p.kb - p.k}.",
            ),
            Variant(
                "letter-taken-too",
                "Takes the letter out as well although the plain number does not have it",
                lambda p: f"{p.k}x({poly((p.a + p.b, ''))})",
                lambda p: f"{p.k} and x come out in front, and {p.a} + {p.b} = {p.a + p.b} is left.",
            ),
            Variant(
                "factor-lost",
                "Divides both terms by the shared factor and forgets to write it in front",
                lambda p: poly((p.a, "x"), (p.b, "")),
                lambda p: f"I divide by {p.k}: {p.a}x and {p.b}.",
            ),
        ),
    ),
    Rule(
        key="factorise-quadratic",
        subject="Algebraic Expressions",
        construct="Factorise expressions",
        when="factorising quadratics",
        draw=_double,
        asks=do("Factorise", "x² + {s}x + {p}"),
        held_out=redo("Factorise", "x² + {s}x + {p}"),
        correct=lambda p: bracket(min(p.a, p.b)) + bracket(max(p.a, p.b)),
        variants=(
            Variant(
                "signs-flipped",
                "Writes the numbers of a quadratic's factors with opposite signs, as for its solutions",
                lambda p: bracket(-min(p.a, p.b)) + bracket(-max(p.a, p.b)),
                lambda p: f"{p.a} and {p.b} fit, and the signs turn round.",
            ),
            Variant(
                "coefficients-used",
                "Copies the middle and last coefficients into two factors",
                lambda p: bracket(p.s) + bracket(p.p),
                lambda p: f"The numbers are {p.s} and {p.p}, one for each bracket.",
            ),
            Variant(
                "one-and-product",
                "Accepts any factor pair of the last coefficient without testing the middle one",
                lambda p: bracket(1) + bracket(p.p),
                lambda p: f"1 * {p.p} = {p.p}, so I use 1 and {p.p}.",
            ),
            Variant(
                "sum-pair-only",
                "Accepts any two numbers with the right total without testing their product",
                lambda p: bracket(1) + bracket(p.s - 1),
                lambda p: f"1 + {p.s - 1} = {p.s}, so I use 1 and {p.s - 1}.",
            ),
            Variant(
                "letter-only",
                "Takes the letter out of the first two terms and leaves the last one trailing",
                lambda p: f"x{bracket(p.s)} + {p.p}",
                lambda p: f"x² + {p.s}x has an x in it, which I take out, and + {p.p} stays.",
            ),
        ),
    ),
    Rule(
        key="difference-of-squares",
        subject="Algebraic Expressions",
        construct="Factorise expressions",
        when="factorising quadratics",
        draw=lambda d: Numbers(a=(a := 2 * d.whole(2, 8)), s=a * a),
        asks=do("Factorise", "x² - {s}"),
        held_out=redo("Factorise", "x² - {s}"),
        correct=lambda p: f"(x + {p.a})(x - {p.a})",
        variants=(
            Variant(
                "both-minus",
                "Uses the same minus in both factors when one square is removed from another",
                lambda p: f"(x - {p.a})(x - {p.a})",
                lambda p: f"The root of {p.s} is {p.a}, and the sign is minus, so x - {p.a} twice.",
            ),
            Variant(
                "no-root",
                "Keeps the square number itself in both factors with opposite signs",
                lambda p: f"(x + {p.s})(x - {p.s})",
                lambda p: f"One bracket with plus, one with minus, and {p.s} in both.",
            ),
            Variant(
                "halved",
                "Halves the square number for use in both factors",
                lambda p: f"(x + {p.s // 2})(x - {p.s // 2})",
                lambda p: f"{p.s} ÷ 2 = {p.s // 2}, one bracket with plus and one with minus.",
            ),
            Variant(
                "letter-out",
                "Takes the letter out of the first square though the second lacks it",
                lambda p: f"x(x - {p.s})",
                lambda p: f"x² has an x to take out, and x - {p.s} is left.",
            ),
        ),
    ),
    Rule(
        key="substitute-linear",
        subject="Algebraic Expressions",
        construct="Substitute numbers into expressions",
        when="substituting",
        draw=_value,
        asks=("Find the value of {a}x + {b} when x = {n}", "x = {n}. Work out {a}x + {b}", "If x is {n}, what is {a}x + {b}?"),
        held_out=(
            "A plumber charges {a}x + {b} pounds for x hours. What do {n} hours cost, in pounds?",
            "Put {n} in place of x in {a}x + {b}. What number results?",
        ),
        correct=lambda p: p.a * p.n + p.b,
        variants=(
            Variant(
                "digit-placed",
                "Writes the value of a letter as a digit beside its coefficient",
                lambda p: int(f"{p.a}{p.n}") + p.b,
                lambda p: f"{p.a}x becomes {p.a}{p.n}, and {p.a}{p.n} + {p.b}.",
            ),
            Variant(
                "coefficient-added",
                "Adds a coefficient to the value of its letter",
                lambda p: p.a + p.n + p.b,
                lambda p: f"{p.a} + {p.n} + {p.b}.",
            ),
            Variant(
                "added-first",
                "Adds the plain number to the value of the letter before multiplying",
                lambda p: p.a * (p.n + p.b),
                lambda p: f"{p.n} + {p.b} = {p.n + p.b}, times {p.a}.",
            ),
            Variant(
                "coefficients-joined",
                "Merges coefficient and plain number before the value of the letter is used",
                lambda p: (p.a + p.b) * p.n,
                lambda p: f"{p.a}x + {p.b} is {p.a + p.b}x, and {p.a + p.b} * {p.n}.",
            ),
            Variant(
                "coefficient-ignored",
                "Replaces the letter together with its coefficient by the value",
                lambda p: p.n + p.b,
                lambda p: f"{p.a}x is {p.n}, and {p.n} + {p.b}.",
            ),
        ),
    ),
    Rule(
        key="substitute-square",
        subject="Algebraic Expressions",
        construct="Substitute numbers into expressions",
        when="substituting",
        draw=_value,
        asks=("Find the value of {a}x² when x = {n}", "x = {n}. Work out {a}x²", "If x is {n}, what is {a}x²?"),
        held_out=(
            "A ball has rolled {a}x² cm after x seconds. How many cm is that after {n} seconds?",
            "Put {n} in place of x in {a}x². What number results?",
        ),
        correct=lambda p: p.a * p.n**2,
        variants=(
            Variant(
                "all-squared",
                "Raises coefficient and letter together when a value is put in",
                lambda p: (p.a * p.n) ** 2,
                lambda p: f"{p.a} * {p.n} = {p.a * p.n}, squared {(p.a * p.n) ** 2}.",
            ),
            Variant(
                "doubled",
                "Doubles the value put in for a letter that carries an exponent of two",
                lambda p: p.a * 2 * p.n,
                lambda p: f"{p.n}² is {2 * p.n}, times {p.a}.",
            ),
            Variant(
                "coefficient-squared",
                "Raises the coefficient and leaves the value put in unraised",
                lambda p: p.a**2 * p.n,
                lambda p: f"{p.a} * {p.a} = {p.a**2}, times {p.n}.",
            ),
            Variant(
                "added",
                "Raises the value put in and adds the coefficient to it",
                lambda p: p.a + p.n**2,
                lambda p: f"{p.n} * {p.n} = {p.n**2}, and with {p.a} that is {p.a + p.n**2}.",
            ),
            Variant(
                "digit-placed",
                "Writes the raised value as digits directly behind the coefficient",
                lambda p: int(f"{p.a}{p.n**2}"),
                lambda p: f"{p.n} * {p.n} = {p.n**2}. That goes behind the {p.a}.",
            ),
        ),
    ),
    Rule(
        key="cancel-algebraic-fraction",
        subject="Algebraic Expressions",
        construct="Simplify algebraic fractions",
        when="simplifying algebraic fractions",
        draw=_common,
        asks=do("Simplify", "({ka}x + {kb})/{k}"),
        held_out=redo("Simplify", "({ka}x + {kb})/{k}"),
        correct=lambda p: poly((p.a, "x"), (p.b, "")),
        variants=(
            Variant(
                "letter-term-only",
                "Cancels a divisor with the letter term alone",
                lambda p: poly((p.a, "x"), (p.kb, "")),
                lambda p: f"{p.ka} ÷ {p.k} = {p.a}, and + {p.kb} stays.",
            ),
            Variant(
                "number-only",
                "Cancels a divisor with the plain number alone",
                lambda p: poly((p.ka, "x"), (p.b, "")),
                lambda p: f"{p.kb} ÷ {p.k} = {p.b}, and {p.ka}x stays.",
            ),
            Variant(
                "subtracted",
                "Removes a divisor from the plain number above it by taking away",
                lambda p: poly((p.ka, "x"), (p.kb - p.k, "")),
                lambda p: f"{p.kb} - {p.k} = {p.kb - p.k}, with {p.ka}x in front.",
            ),
            Variant(
                "merged",
                "Merges unlike terms above a divisor and then shares",
                lambda p: poly((p.a + p.b, "x")),
                lambda p: f"{p.ka}x + {p.kb} is {p.ka + p.kb}x, and that ÷ {p.k}.",
            ),
            Variant(
                "divisor-halved",
                "Halves a divisor between the two terms above it",
                lambda p: poly((2 * p.a, "x"), (2 * p.b, "")) if p.k % 2 == 0 else None,
                lambda p: f"Two terms share the {p.k}, so each is divided by {Fraction(p.k, 2)}.",
            ),
        ),
    ),
)
