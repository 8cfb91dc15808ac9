"""Fractions: adding, subtracting, multiplying and dividing."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import lcm, mixed, over
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_BOTTOMS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
_SUM: Final = "Add and subtract fractions"
_PRODUCT: Final = "Multiply and divide fractions"


def _unlike(d: Draw) -> Numbers:
    """a/b and c/e with different denominators, the larger first, and their common denominator."""
    b, e = d.some(_BOTTOMS, 2)
    a, c = d.proper(b), d.proper(e)
    if a * e < c * b:
        a, b, c, e = c, e, a, b
    common = lcm(b, e)
    return Numbers(a=a, b=b, c=c, e=e, m=common, s=a * common // b, t=c * common // e)


def _like(d: Draw) -> Numbers:
    n = d.whole(5, 15)
    a, c = d.some(range(1, n), 2)
    return Numbers(a=a, c=c, n=n)


def _times_whole(d: Draw) -> Numbers:
    b = d.pick((3, 4, 5, 6, 7, 8, 9, 10))
    return Numbers(n=d.whole(2, 9), a=d.proper(b), b=b)


RULES: Final = (
    Rule(
        key="fraction-add-unlike",
        subject="Fractions",
        construct=_SUM,
        when="adding fractions",
        draw=_unlike,
        asks=(
            *work_out("{a}/{b} + {c}/{e}"),
            "{name} walks {a}/{b} of a mile and then {c}/{e} of a mile. How far is that altogether, in miles?",
        ),
        held_out=(*evaluate("{a}/{b} + {c}/{e}"), "A jug holds {a}/{b} of a litre. {c}/{e} of a litre is poured in. How many litres are there now?"),
        correct=lambda p: Fraction(p.a, p.b) + Fraction(p.c, p.e),
        variants=(
            Variant(
                "across",
                "Combines two fractions by totalling the tops and totalling the bottoms, though the pieces are of different size",
                lambda p: over(p.a + p.c, p.b + p.e),
                lambda p: f"On top I have {p.a} + {p.c} = {p.a + p.c} and underneath {p.b} + {p.e} = {p.b + p.e}.",
            ),
            Variant(
                "larger-bottom",
                "Adds the tops and simply keeps whichever of the two bottoms is bigger",
                lambda p: over(p.a + p.c, max(p.b, p.e)),
                lambda p: f"The tops make {p.a} + {p.c} = {p.a + p.c}. The bigger bottom is {max(p.b, p.e)}, so everything goes over that.",
            ),
            Variant(
                "tops-unscaled",
                "Finds a shared multiple for the bottoms of a total but leaves both tops as they were",
                lambda p: over(p.a + p.c, p.m),
                lambda p: f"{p.b} and {p.e} both go into {p.m}, so the bottom is {p.m}. The tops are {p.a} + {p.c} = {p.a + p.c}.",
            ),
            Variant(
                "one-top-scaled",
                "Rewrites only the first of the two fractions over the shared bottom before totalling",
                lambda p: over(p.s + p.c, p.m),
                lambda p: f"Over {p.m} the first one is {p.s}/{p.m}. Then I put on {p.c}: {p.s} + {p.c} = {p.s + p.c}.",
            ),
            Variant(
                "equivalent-by-adding",
                "Makes equivalent fractions additively before a total, increasing top and bottom by one and the same amount",
                lambda p: over(p.a + p.m - p.b + p.c + p.m - p.e, p.m),
                lambda p: (
                    f"To turn {p.b} into {p.m} I add {p.m - p.b} to top and bottom: {p.a + p.m - p.b}/{p.m}. "
                    f"To turn {p.e} into {p.m} I add {p.m - p.e}: {p.c + p.m - p.e}/{p.m}. Then I put the tops together."
                ),
            ),
            Variant(
                "own-bottom",
                "Multiplies each top by its own bottom, not by the other one, when cross-multiplying for a total",
                lambda p: over(p.a * p.b + p.c * p.e, p.b * p.e),
                lambda p: (
                    f"The bottom is {p.b} * {p.e} = {p.b * p.e}. The tops become {p.a} * {p.b} = {p.a * p.b} "
                    f"and {p.c} * {p.e} = {p.c * p.e}, together {p.a * p.b + p.c * p.e}."
                ),
            ),
        ),
    ),
    Rule(
        key="fraction-subtract-unlike",
        subject="Fractions",
        construct=_SUM,
        when="subtracting fractions",
        draw=_unlike,
        asks=(
            *work_out("{a}/{b} - {c}/{e}"),
            "A ribbon is {a}/{b} of a metre long. {name} cuts off {c}/{e} of a metre. What length is left, in metres?",
        ),
        held_out=(*evaluate("{a}/{b} - {c}/{e}"), "How much more than {c}/{e} is {a}/{b}?"),
        correct=lambda p: Fraction(p.a, p.b) - Fraction(p.c, p.e),
        variants=(
            Variant(
                "across",
                "Takes top from top and bottom from bottom, always the smaller from the bigger, to find what is left",
                lambda p: over(abs(p.a - p.c), abs(p.b - p.e)),
                lambda p: f"The tops differ by {abs(p.a - p.c)} and the bottoms differ by {abs(p.b - p.e)}.",
            ),
            Variant(
                "add-bottoms",
                "Takes one top from the other but totals the bottoms when finding a difference",
                lambda p: over(abs(p.a - p.c), p.b + p.e),
                lambda p: f"The tops differ by {abs(p.a - p.c)}. Underneath I put {p.b} + {p.e} = {p.b + p.e}.",
            ),
            Variant(
                "tops-unscaled",
                "Finds a shared multiple for the bottoms of a difference but leaves both tops as they were",
                lambda p: over(abs(p.a - p.c), p.m),
                lambda p: f"{p.b} and {p.e} both go into {p.m}. The difference of the tops is {abs(p.a - p.c)}, so I write it over {p.m}.",
            ),
            Variant(
                "one-top-scaled",
                "Rewrites only the first fraction over the shared bottom before taking the second top away",
                lambda p: over(p.s - p.c, p.m) if p.t != p.c else None,
                lambda p: f"The first one is {p.s}/{p.m}. Now {p.s} - {p.c} = {p.s - p.c}.",
            ),
            Variant(
                "plus-for-minus",
                "Rewrites both fractions properly but then puts them together although one is to be removed",
                lambda p: Fraction(p.a, p.b) + Fraction(p.c, p.e),
                lambda p: f"Over {p.m} they are {p.s}/{p.m} and {p.t}/{p.m}. I put the tops together: {p.s} + {p.t} = {p.s + p.t}.",
            ),
            Variant(
                "larger-bottom",
                "Takes one top from the other and keeps whichever of the two bottoms is bigger",
                lambda p: over(abs(p.a - p.c), max(p.b, p.e)),
                lambda p: f"The tops differ by {abs(p.a - p.c)} and the bigger bottom is {max(p.b, p.e)}.",
            ),
        ),
    ),
    Rule(
        key="fraction-add-like",
        subject="Fractions",
        construct=_SUM,
        when="adding fractions",
        draw=_like,
        asks=(
            *work_out("{a}/{n} + {c}/{n}"),
            "A van uses {a}/{n} of a tank of fuel on Monday and {c}/{n} of a tank on Tuesday. How many tanks is that?",
        ),
        held_out=(*evaluate("{a}/{n} + {c}/{n}"), "By how much does a number grow if first {a}/{n} and then {c}/{n} is added to it?"),
        correct=lambda p: Fraction(p.a + p.c, p.n),
        variants=(
            Variant(
                "bottoms-too",
                "Doubles the bottom when totalling pieces of one and the same size",
                lambda p: over(p.a + p.c, 2 * p.n),
                lambda p: f"{p.a} + {p.c} = {p.a + p.c} and {p.n} + {p.n} = {2 * p.n}.",
            ),
            Variant(
                "bottoms-squared",
                "Multiplies the bottoms together without changing the tops, although the pieces already have one size",
                lambda p: over(p.a + p.c, p.n * p.n),
                lambda p: f"For the bottom I multiply {p.n} * {p.n} = {p.n * p.n}. The tops make {p.a + p.c}.",
            ),
            Variant(
                "tops-multiplied",
                "Multiplies the tops where equal-sized pieces should be counted together",
                lambda p: over(p.a * p.c, p.n),
                lambda p: f"The bottoms agree, so I keep {p.n}. On top {p.a} * {p.c} = {p.a * p.c}.",
            ),
            Variant(
                "bottoms-cancel",
                "Thinks matching bottoms cancel each other out, leaving only a whole number of tops",
                lambda p: p.a + p.c,
                lambda p: f"Both have {p.n} underneath, so the {p.n}s cancel. What is left is {p.a} + {p.c}.",
            ),
            Variant(
                "tops-subtracted",
                "Finds by how much equal-sized parts differ where their total is wanted",
                lambda p: Fraction(abs(p.a - p.c), p.n),
                lambda p: f"The bottom stays {p.n}. From {max(p.a, p.c)} I take {min(p.a, p.c)}, which leaves {abs(p.a - p.c)} on top.",
            ),
        ),
    ),
    Rule(
        key="fraction-multiply",
        subject="Fractions",
        construct=_PRODUCT,
        when="multiplying fractions",
        draw=_unlike,
        asks=(*work_out("{a}/{b} * {c}/{e}"), "What is {c}/{e} of {a}/{b}?"),
        held_out=(*evaluate("{a}/{b} * {c}/{e}"), "A rectangle is {a}/{b} m long and {c}/{e} m wide. What is its area in square metres?"),
        correct=lambda p: Fraction(p.a * p.c, p.b * p.e),
        variants=(
            Variant(
                "cross",
                "Multiplies diagonally, each top with the opposite bottom, and writes one result over the other to find a product",
                lambda p: Fraction(p.a * p.e, p.b * p.c),
                lambda p: f"I multiply crosswise: {p.a} * {p.e} = {p.a * p.e} and {p.b} * {p.c} = {p.b * p.c}.",
            ),
            Variant(
                "keep-common-bottom",
                "Believes a product keeps the shared bottom in the way a sum does, so only the rewritten tops are multiplied",
                lambda p: over(p.s * p.t, p.m),
                lambda p: f"First a shared bottom: {p.s}/{p.m} and {p.t}/{p.m}. Then {p.s} * {p.t} = {p.s * p.t}, and the bottom stays {p.m}.",
            ),
            Variant(
                "bottoms-added",
                "Multiplies the tops but totals the bottoms when finding a part of a part",
                lambda p: over(p.a * p.c, p.b + p.e),
                lambda p: f"{p.a} * {p.c} = {p.a * p.c} on top, and {p.b} + {p.e} = {p.b + p.e} underneath.",
            ),
            Variant(
                "tops-added",
                "Multiplies the bottoms but totals the tops when finding a part of a part",
                lambda p: over(p.a + p.c, p.b * p.e),
                lambda p: f"{p.b} * {p.e} = {p.b * p.e} underneath, and {p.a} + {p.c} = {p.a + p.c} on top.",
            ),
            Variant(
                "added",
                "Carries out the complete procedure for a total although a product of two fractions is wanted",
                lambda p: Fraction(p.a, p.b) + Fraction(p.c, p.e),
                lambda p: f"Over {p.m} I have {p.s}/{p.m} and {p.t}/{p.m}, so {p.s} + {p.t} = {p.s + p.t} over {p.m}.",
            ),
            Variant(
                "flip-first",
                "Turns the first of two factors upside down before multiplying",
                lambda p: Fraction(p.b * p.c, p.a * p.e),
                lambda p: f"I turn {p.a}/{p.b} over to {p.b}/{p.a} and multiply: {p.b} * {p.c} over {p.a} * {p.e}.",
            ),
        ),
    ),
    Rule(
        key="fraction-divide",
        subject="Fractions",
        construct=_PRODUCT,
        when="dividing fractions",
        draw=_unlike,
        asks=(*work_out("{a}/{b} ÷ {c}/{e}"), "How many times does {c}/{e} go into {a}/{b}?"),
        held_out=(*evaluate("{a}/{b} ÷ {c}/{e}"), "{a}/{b} kg of flour is put in bags of {c}/{e} kg. How many bags does it fill?"),
        correct=lambda p: Fraction(p.a * p.e, p.b * p.c),
        variants=(
            Variant(
                "no-flip",
                "Changes a quotient into a product without inverting anything",
                lambda p: Fraction(p.a * p.c, p.b * p.e),
                lambda p: f"I change it to times: {p.a} * {p.c} = {p.a * p.c} over {p.b} * {p.e} = {p.b * p.e}.",
            ),
            Variant(
                "flip-first",
                "Inverts the amount being shared out, not the one it is shared by",
                lambda p: Fraction(p.b * p.c, p.a * p.e),
                lambda p: f"I flip the first one to {p.b}/{p.a} and multiply: {p.b} * {p.c} over {p.a} * {p.e}.",
            ),
            Variant(
                "flip-both",
                "Inverts both fractions before changing a quotient into a product",
                lambda p: Fraction(p.b * p.e, p.a * p.c),
                lambda p: f"I flip both: {p.b}/{p.a} and {p.e}/{p.c}. Then {p.b} * {p.e} over {p.a} * {p.c}.",
            ),
            Variant(
                "keep-common-bottom",
                "Gives both a shared bottom, divides one top by the other, and still writes the shared bottom underneath",
                lambda p: Fraction(p.s, p.t * p.m),
                lambda p: f"They are {p.s}/{p.m} and {p.t}/{p.m}. I divide the tops, {p.s} ÷ {p.t}, and keep the {p.m} underneath.",
            ),
            Variant(
                "flip-add",
                "Inverts the right fraction of a quotient but then totals instead of multiplying",
                lambda p: Fraction(p.a, p.b) + Fraction(p.e, p.c),
                lambda p: f"Keep {p.a}/{p.b}, flip the other to {p.e}/{p.c}, and put them together.",
            ),
            Variant(
                "subtracts",
                "Believes finding how often one fraction fits into another means finding what is left over",
                lambda p: Fraction(p.a, p.b) - Fraction(p.c, p.e),
                lambda p: f"I take {p.c}/{p.e} away from {p.a}/{p.b}: {p.s}/{p.m} - {p.t}/{p.m}.",
            ),
        ),
    ),
    Rule(
        key="fraction-times-whole",
        subject="Fractions",
        construct=_PRODUCT,
        when="multiplying fractions",
        draw=_times_whole,
        asks=(*work_out("{n} * {a}/{b}"), "One lap is {a}/{b} of a kilometre. {name} runs {n} laps. How many kilometres is that?"),
        held_out=(*evaluate("{n} * {a}/{b}"), "{n} bottles each hold {a}/{b} of a litre. How many litres do they hold together?"),
        correct=lambda p: Fraction(p.n * p.a, p.b),
        variants=(
            Variant(
                "both",
                "Applies a whole-number factor to the top and to the bottom alike, so nothing has really grown",
                lambda p: over(p.n * p.a, p.n * p.b),
                lambda p: f"{p.n} * {p.a} = {p.n * p.a} and {p.n} * {p.b} = {p.n * p.b}.",
            ),
            Variant(
                "bottom-only",
                "Applies a whole-number factor to the bottom alone",
                lambda p: over(p.a, p.n * p.b),
                lambda p: f"{p.n} * {p.b} = {p.n * p.b} goes underneath, and {p.a} stays.",
            ),
            Variant(
                "added-to-top",
                "Increases the top by a whole-number factor where it should be repeated that often",
                lambda p: over(p.n + p.a, p.b),
                lambda p: f"I put the {p.n} with the top: {p.n} + {p.a} = {p.n + p.a}, over {p.b}.",
            ),
            Variant(
                "mixed-number",
                "Reads a whole number times a fraction as the mixed number written with both",
                lambda p: mixed(Fraction(p.n * p.b + p.a, p.b)),
                lambda p: f"{p.n} and {p.a}/{p.b} stand next to each other, so I join them.",
            ),
            Variant(
                "bottom-dropped",
                "Multiplies the top by the whole number and forgets that a bottom remains",
                lambda p: p.n * p.a,
                lambda p: f"{p.n} * {p.a} = {p.n * p.a}.",
            ),
            Variant(
                "divided",
                "Inverts the fraction when it is to be repeated a whole number of times",
                lambda p: Fraction(p.n * p.b, p.a),
                lambda p: f"I turn {p.a}/{p.b} over to {p.b}/{p.a} and work out {p.n} * {p.b} = {p.n * p.b} over {p.a}.",
            ),
        ),
    ),
)
