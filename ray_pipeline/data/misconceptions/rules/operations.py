"""Order of operations."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_ORDER: Final = "Use the order of operations"


def _three(d: Draw) -> Numbers:
    a, b, c = d.some(range(2, 13), 3)
    return Numbers(a=a, b=b, c=c)


def _descending(d: Draw) -> Numbers:
    b, c = d.whole(2, 9), d.whole(2, 9)
    return Numbers(a=d.whole(b + c + 1, 30), b=b, c=c)


def _exact_chain(d: Draw) -> Numbers:
    b, c = d.whole(2, 6), d.whole(2, 6)
    return Numbers(a=b * c * d.whole(1, 6), b=b, c=c)


def _two_products(d: Draw) -> Numbers:
    a, b, e, q = d.whole(3, 9), d.whole(3, 9), d.whole(2, 6), d.whole(2, 5)
    return Numbers(a=a, b=b, c=e * q, e=e, q=q)


def _bar(d: Draw) -> Numbers:
    c, s, t = d.whole(2, 6), d.whole(2, 9), d.whole(2, 9)
    return Numbers(a=c * s, b=c * t, c=c, s=s, t=t)


RULES: Final = (
    Rule(
        key="sum-then-product",
        subject="Order of Operations",
        construct=_ORDER,
        when="several operations are mixed",
        draw=_three,
        asks=(*work_out("{a} + {b} * {c}"), "A taxi costs {a} pounds plus {b} pounds for each of {c} miles. What does the ride cost in pounds?"),
        held_out=(*evaluate("{a} + {b} * {c}"), "There are {a} loose eggs and {b} boxes with {c} eggs each. How many eggs are there?"),
        correct=lambda p: p.a + p.b * p.c,
        variants=(
            Variant(
                "left-to-right",
                "Works strictly from left to right, whatever the signs between the numbers are",
                lambda p: (p.a + p.b) * p.c,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, then {p.a + p.b} * {p.c} = {(p.a + p.b) * p.c}.",
            ),
            Variant(
                "signs-exchanged",
                "Gives each sign to the wrong pair, multiplying in front and totalling behind",
                lambda p: p.a * p.b + p.c,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, and then + {p.c} is {p.a * p.b + p.c}.",
            ),
            Variant(
                "all-added",
                "Treats every sign in a chain as addition, so repeated groups count only once",
                lambda p: p.a + p.b + p.c,
                lambda p: f"{p.a} + {p.b} + {p.c} = {p.a + p.b + p.c}.",
            ),
            Variant(
                "all-multiplied",
                "Lets the strongest sign of a chain take over all the others",
                lambda p: p.a * p.b * p.c,
                lambda p: f"{p.a} * {p.b} * {p.c} = {p.a * p.b * p.c}.",
            ),
            Variant(
                "product-only",
                "Carries out the stronger part of a chain first and then forgets what stood in front",
                lambda p: p.b * p.c,
                lambda p: f"Times comes first: {p.b} * {p.c} = {p.b * p.c}.",
            ),
        ),
    ),
    Rule(
        key="difference-then-sum",
        subject="Order of Operations",
        construct=_ORDER,
        when="several operations are mixed",
        draw=_descending,
        asks=(*work_out("{a} - {b} + {c}"), "{a} people are on a bus. {b} get off, then {c} get on. How many are on it now?"),
        held_out=(*evaluate("{a} - {b} + {c}"), "{name} has {a} marbles, loses {b} and wins {c}. How many marbles is that?"),
        correct=lambda p: p.a - p.b + p.c,
        variants=(
            Variant(
                "addition-first",
                "Believes adding always ranks before taking away because of a rhyme for the order",
                lambda p: p.a - p.b - p.c,
                lambda p: f"Plus comes before minus: {p.b} + {p.c} = {p.b + p.c}, then {p.a} - {p.b + p.c}.",
            ),
            Variant(
                "all-added",
                "Passes over the single minus in a chain",
                lambda p: p.a + p.b + p.c,
                lambda p: f"{p.a} + {p.b} + {p.c} = {p.a + p.b + p.c}.",
            ),
            Variant(
                "reversed",
                "Takes the first number of a chain from the second because order does not seem to matter",
                lambda p: p.b - p.a + p.c,
                lambda p: f"{p.b} - {p.a} = {p.b - p.a}, then + {p.c}.",
            ),
            Variant(
                "signs-exchanged",
                "Attaches each sign to the number before it instead of the one after it",
                lambda p: p.a + p.b - p.c,
                lambda p: f"The plus belongs to {p.b} and the minus to {p.c}: {p.a} + {p.b} - {p.c}.",
            ),
        ),
    ),
    Rule(
        key="quotient-then-product",
        subject="Order of Operations",
        construct=_ORDER,
        when="several operations are mixed",
        draw=_exact_chain,
        asks=work_out("{a} ÷ {b} * {c}"),
        held_out=(
            *evaluate("{a} ÷ {b} * {c}"),
            "{b} pens cost {a} pence. {name} works out {a} ÷ {b} * {c} to price {c} pens. What is the price in pence?",
        ),
        correct=lambda p: p.a // p.b * p.c,
        variants=(
            Variant(
                "multiplication-first",
                "Believes multiplying outranks sharing even where sharing comes earlier",
                lambda p: p.a // (p.b * p.c),
                lambda p: f"Times first: {p.b} * {p.c} = {p.b * p.c}. Then {p.a} ÷ {p.b * p.c}.",
            ),
            Variant(
                "all-multiplied",
                "Multiplies throughout and passes over the sharing sign",
                lambda p: p.a * p.b * p.c,
                lambda p: f"{p.a} * {p.b} * {p.c} = {p.a * p.b * p.c}.",
            ),
            Variant(
                "signs-exchanged",
                "Exchanges the signs of a chain, multiplying by the divisor and sharing by the factor",
                lambda p: Fraction(p.a * p.b, p.c),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, and that ÷ {p.c}.",
            ),
            Variant(
                "last-step-added",
                "Shares correctly at the start and then adds where it should multiply",
                lambda p: p.a // p.b + p.c,
                lambda p: f"{p.a} ÷ {p.b} = {p.a // p.b}, and with {p.c} that is {p.a // p.b + p.c}.",
            ),
        ),
    ),
    Rule(
        key="bracket-product",
        subject="Order of Operations",
        construct=_ORDER,
        when="evaluating brackets",
        draw=_three,
        asks=(*work_out("{a} * ({b} + {c})"), "Each of {a} bags holds {b} red and {c} green apples. How many apples are there?"),
        held_out=(
            *evaluate("{a} * ({b} + {c})"),
            "{a} friends each pay {b} pounds for a ticket and {c} pounds for food. How much do they pay in all?",
        ),
        correct=lambda p: p.a * (p.b + p.c),
        variants=(
            Variant(
                "first-only",
                "Lets a factor act on the first number inside and leaves the last one single",
                lambda p: p.a * p.b + p.c,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, plus {p.c} is {p.a * p.b + p.c}.",
            ),
            Variant(
                "second-only",
                "Lets a factor act on the last number inside and leaves the first one single",
                lambda p: p.b + p.a * p.c,
                lambda p: f"{p.a} * {p.c} = {p.a * p.c}, plus {p.b} is {p.b + p.a * p.c}.",
            ),
            Variant(
                "all-added",
                "Sees no multiplication between a number and a group that follows it",
                lambda p: p.a + p.b + p.c,
                lambda p: f"Inside: {p.b + p.c}. With {p.a} that makes {p.a + p.b + p.c}.",
            ),
            Variant(
                "all-multiplied",
                "Multiplies inside a group too because a factor stands before it",
                lambda p: p.a * p.b * p.c,
                lambda p: f"Everything is times: {p.a} * {p.b} * {p.c}.",
            ),
            Variant(
                "added-once-more",
                "Multiplies the first number inside by the factor and then adds factor and last number on",
                lambda p: p.a * p.b + p.a + p.c,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, and {p.a} + {p.c} = {p.a + p.c} for the second part.",
            ),
        ),
    ),
    Rule(
        key="sum-with-square",
        subject="Order of Operations",
        construct=_ORDER,
        when="evaluating powers in a chain",
        draw=_three,
        asks=work_out("{a} + {b}²"),
        held_out=(
            *evaluate("{a} + {b}²"),
            "A garden is a square with side {b} m, and beside it lies a terrace of {a} m². What is their total area in m²?",
        ),
        correct=lambda p: p.a + p.b * p.b,
        variants=(
            Variant(
                "sum-squared",
                "Raises the whole chain in front of an exponent, not only the number it is attached to",
                lambda p: (p.a + p.b) ** 2,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, squared {(p.a + p.b) ** 2}.",
            ),
            Variant(
                "doubled",
                "Doubles the last number of a chain for an exponent of two",
                lambda p: p.a + 2 * p.b,
                lambda p: f"{p.b} twice is {2 * p.b}, and {p.a} + {2 * p.b} = {p.a + 2 * p.b}.",
            ),
            Variant(
                "both-squared",
                "Shares an exponent out to every number of a chain",
                lambda p: p.a**2 + p.b**2,
                lambda p: f"{p.a} * {p.a} = {p.a**2} and {p.b} * {p.b} = {p.b**2}, together {p.a**2 + p.b**2}.",
            ),
            Variant(
                "sum-doubled",
                "Works from the left and reads an exponent of two as twice everything so far",
                lambda p: 2 * (p.a + p.b),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, times 2 is {2 * (p.a + p.b)}.",
            ),
            Variant(
                "first-squared",
                "Attaches an exponent at the end of a chain to the number at its beginning",
                lambda p: p.a**2 + p.b,
                lambda p: f"{p.a} * {p.a} = {p.a**2}, plus {p.b} is {p.a**2 + p.b}.",
            ),
        ),
    ),
    Rule(
        key="product-with-square",
        subject="Order of Operations",
        construct=_ORDER,
        when="evaluating powers in a chain",
        draw=_three,
        asks=work_out("{a} * {b}²"),
        held_out=(*evaluate("{a} * {b}²"), "{a} square tiles have sides of {b} cm. What area do they cover, in cm²?"),
        correct=lambda p: p.a * p.b**2,
        variants=(
            Variant(
                "product-squared",
                "Multiplies first and raises the result, so the factor in front is raised as well",
                lambda p: (p.a * p.b) ** 2,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, squared {(p.a * p.b) ** 2}.",
            ),
            Variant(
                "doubled",
                "Takes an exponent for one more factor of two",
                lambda p: 2 * p.a * p.b,
                lambda p: f"{p.b} * 2 = {2 * p.b}, and {p.a} * {2 * p.b} = {2 * p.a * p.b}.",
            ),
            Variant(
                "factor-squared",
                "Raises the factor that stands in front, not the number that carries the exponent",
                lambda p: p.a**2 * p.b,
                lambda p: f"{p.a} * {p.a} = {p.a**2}, times {p.b} is {p.a**2 * p.b}.",
            ),
            Variant(
                "added",
                "Raises the right number and then adds the factor on",
                lambda p: p.a + p.b**2,
                lambda p: f"{p.b} * {p.b} = {p.b**2}, and with {p.a} that makes {p.a + p.b**2}.",
            ),
            Variant(
                "exponent-ignored",
                "Passes over a small raised digit in a product",
                lambda p: p.a * p.b,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}.",
            ),
        ),
    ),
    Rule(
        key="product-minus-quotient",
        subject="Order of Operations",
        construct=_ORDER,
        when="several operations are mixed",
        draw=_two_products,
        asks=work_out("{a} * {b} - {c} ÷ {e}"),
        held_out=evaluate("{a} * {b} - {c} ÷ {e}"),
        correct=lambda p: p.a * p.b - p.q,
        variants=(
            Variant(
                "left-to-right",
                "Ends a long chain by sharing all that came before, since every step is taken as it is read",
                lambda p: Fraction(p.a * p.b - p.c, p.e),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, minus {p.c} is {p.a * p.b - p.c}, and that ÷ {p.e}.",
            ),
            Variant(
                "difference-before-product",
                "Takes away in the middle of a long chain before either neighbour has been worked out",
                lambda p: Fraction(p.a * (p.b - p.c), p.e),
                lambda p: f"{p.b} - {p.c} = {p.b - p.c}, then {p.a} times that, then ÷ {p.e}.",
            ),
            Variant(
                "quotient-joins-factor",
                "Shares first, takes that from the neighbouring factor, and multiplies last",
                lambda p: p.a * (p.b - p.q),
                lambda p: f"{p.c} ÷ {p.e} = {p.q}, {p.b} - {p.q} = {p.b - p.q}, times {p.a}.",
            ),
            Variant(
                "plus",
                "Works out both ends of a long chain properly but adds them although one is to be removed",
                lambda p: p.a * p.b + p.q,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b} and {p.c} ÷ {p.e} = {p.q}, together {p.a * p.b + p.q}.",
            ),
        ),
    ),
    Rule(
        key="sum-over-bar",
        subject="Order of Operations",
        construct=_ORDER,
        when="a sum is divided",
        draw=_bar,
        asks=(*work_out("({a} + {b})/{c}"), "{a} sweets and {b} sweets are put together and shared by {c} children. How many does each get?"),
        held_out=(*evaluate("({a} + {b})/{c}"), "A fraction bar has {a} + {b} on top and {c} below. What is its value?"),
        correct=lambda p: p.s + p.t,
        variants=(
            Variant(
                "last-only",
                "Shares only the last number above a bar and adds the other undivided",
                lambda p: p.a + p.t,
                lambda p: f"{p.b} ÷ {p.c} = {p.t}, and {p.a} + {p.t} = {p.a + p.t}.",
            ),
            Variant(
                "first-only",
                "Shares only the first number above a bar and adds the other undivided",
                lambda p: p.s + p.b,
                lambda p: f"{p.a} ÷ {p.c} = {p.s}, and {p.s} + {p.b} = {p.s + p.b}.",
            ),
            Variant(
                "shared-twice",
                "Gives each number above a bar its own copy of the divisor and totals these, sharing by twice as much",
                lambda p: Fraction(p.a + p.b, 2 * p.c),
                lambda p: f"There are two numbers on top, so {p.c} + {p.c} = {2 * p.c} below: {p.a + p.b} over {2 * p.c}.",
            ),
            Variant(
                "product-on-top",
                "Multiplies what stands above a bar before sharing",
                lambda p: Fraction(p.a * p.b, p.c),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, ÷ {p.c}.",
            ),
        ),
    ),
)
