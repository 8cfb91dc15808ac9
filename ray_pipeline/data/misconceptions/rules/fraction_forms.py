"""Fractions of amounts, mixed numbers, simplest form, and comparing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import gcd
from typing import Any, Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import over
from ray_pipeline.data.misconceptions.phrasing import work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_MIXED: Final = "Convert between mixed numbers and improper fractions"
Pair = tuple[int, int]


def _amount(d: Draw) -> Numbers:
    b = d.pick((3, 4, 5, 6, 7, 8, 9))
    a = d.pick([n for n in range(2, b) if gcd(n, b) == 1])
    return Numbers(a=a, b=b, n=a * b * d.whole(2, 6))


def _whole_and_part(d: Draw) -> Numbers:
    b = d.whole(3, 9)
    w, a = d.whole(2, 7), d.proper(b)
    return Numbers(w=w, a=a, b=b, n=w * b + a)


def _cancellable(d: Draw) -> Numbers:
    k = d.pick((2, 3, 4, 5, 6, 8, 9, 10))
    b = d.whole(3, 9)
    a = d.proper(b)
    first = next(f for f in (2, 3, 5) if k % f == 0)
    return Numbers(k=k, a=a, b=b, top=k * a, bottom=k * b, f=first)


def _four(d: Draw) -> Numbers:
    fractions: list[Pair] = []
    while len(fractions) < 4:
        b = d.whole(3, 12)
        pair = (d.proper(b), b)
        if pair not in fractions:
            fractions.append(pair)
    return Numbers(pairs=tuple(fractions), text=", ".join(f"{a}/{b}" for a, b in fractions))


def _chosen(size: Callable[[Pair], Any]) -> Callable[[Any], str | None]:
    """The fraction that is largest by `size`; None where two are equally large."""

    def choose(p: Any) -> str | None:
        sizes = [size(pair) for pair in p.pairs]
        best = max(sizes)
        if sizes.count(best) > 1:
            return None
        top, bottom = p.pairs[sizes.index(best)]
        return f"{top}/{bottom}"

    return choose


_true_largest = _chosen(lambda pair: Fraction(*pair))

RULES: Final = (
    Rule(
        key="fraction-of-amount",
        subject="Fractions",
        construct="Find a fraction of an amount",
        when="finding part of a quantity",
        draw=_amount,
        asks=(*work_out("{a}/{b} of {n}"), "{name} has {n} stickers and gives away {a}/{b} of them. How many are given away?"),
        held_out=(
            "A film lasts {n} minutes and {a}/{b} of it has been shown. How many minutes have been shown?",
            "There are {n} seats in a hall; {a}/{b} are taken. How many seats are taken?",
        ),
        correct=lambda p: p.n * p.a // p.b,
        variants=(
            Variant(
                "swapped",
                "Divides a quantity by the top and then multiplies by the bottom",
                lambda p: p.n // p.a * p.b,
                lambda p: f"{p.n} ÷ {p.a} = {p.n // p.a}, and {p.n // p.a} * {p.b} = {p.n // p.a * p.b}.",
            ),
            Variant(
                "unit-only",
                "Stops at one equal share of the quantity, disregarding how many shares the top asks for",
                lambda p: p.n // p.b,
                lambda p: f"I split {p.n} into {p.b} parts: {p.n} ÷ {p.b} = {p.n // p.b}.",
            ),
            Variant(
                "top-only",
                "Divides a quantity by the top and takes no notice of the bottom",
                lambda p: p.n // p.a,
                lambda p: f"The top number is {p.a}, so {p.n} ÷ {p.a} = {p.n // p.a}.",
            ),
            Variant(
                "remainder",
                "Reports the part of a quantity that stays behind, not the part asked for",
                lambda p: p.n - p.n * p.a // p.b,
                lambda p: f"One part is {p.n // p.b}, {p.a} parts are {p.n * p.a // p.b}, and {p.n} - {p.n * p.a // p.b} remains.",
            ),
            Variant(
                "shares-plus-top",
                "Finds one equal share of a quantity correctly and then adds the top on, where it should be repeated",
                lambda p: p.n // p.b + p.a,
                lambda p: f"{p.n} ÷ {p.b} = {p.n // p.b}. The top is {p.a}, so {p.n // p.b} + {p.a} = {p.n // p.b + p.a}.",
            ),
            Variant(
                "subtracts-top-and-bottom",
                "Treats top and bottom as two numbers to be taken off the quantity",
                lambda p: p.n - p.a - p.b,
                lambda p: f"From {p.n} I take {p.a} and then {p.b}: {p.n} - {p.a} - {p.b} = {p.n - p.a - p.b}.",
            ),
        ),
    ),
    Rule(
        key="mixed-to-improper",
        subject="Fractions",
        construct=_MIXED,
        when="rewriting mixed numbers",
        draw=_whole_and_part,
        asks=(
            "Write {w} {a}/{b} as an improper fraction",
            "Convert {w} {a}/{b} to an improper fraction",
            "Which improper fraction equals {w} {a}/{b}?",
        ),
        held_out=(
            "{name} cuts {w} {a}/{b} pizzas into slices of 1/{b}. Write the amount of pizza as a single fraction.",
            "Express {w} {a}/{b} as one top-heavy fraction",
        ),
        correct=lambda p: over(p.n, p.b) or p.w,
        variants=(
            Variant(
                "adds-whole",
                "Puts the whole part straight onto the top as though it counted single pieces",
                lambda p: over(p.w + p.a, p.b),
                lambda p: f"{p.w} + {p.a} = {p.w + p.a}, over {p.b}.",
            ),
            Variant(
                "multiplies-top",
                "Multiplies the whole part by the top, not by the bottom",
                lambda p: over(p.w * p.a, p.b),
                lambda p: f"{p.w} * {p.a} = {p.w * p.a}, and the bottom stays {p.b}.",
            ),
            Variant(
                "bottom-added",
                "Multiplies whole part and top, then adds the bottom: the last two steps are in the wrong roles",
                lambda p: over(p.w * p.a + p.b, p.b),
                lambda p: f"{p.w} * {p.a} = {p.w * p.a}, plus {p.b} is {p.w * p.a + p.b}, over {p.b}.",
            ),
            Variant(
                "pieces-forgotten",
                "Changes the whole part into pieces but forgets the pieces that were already there",
                lambda p: over(p.w * p.b, p.b),
                lambda p: f"{p.w} wholes are {p.w} * {p.b} = {p.w * p.b} pieces, so {p.w * p.b} over {p.b}.",
            ),
            Variant(
                "digits-joined",
                "Writes the digits of the whole part in front of the top as if they formed one number",
                lambda p: over(int(f"{p.w}{p.a}"), p.b),
                lambda p: f"I move the {p.w} up next to the {p.a}, which makes {p.w}{p.a}, over {p.b}.",
            ),
            Variant(
                "whole-as-bottom",
                "Finds the number of pieces correctly but then uses the whole part as the size of a piece",
                lambda p: over(p.n, p.w),
                lambda p: f"{p.w} * {p.b} + {p.a} = {p.n}. I write that over {p.w}.",
            ),
        ),
    ),
    Rule(
        key="improper-to-mixed",
        subject="Fractions",
        construct=_MIXED,
        when="rewriting top-heavy fractions",
        draw=_whole_and_part,
        asks=(
            "Write {n}/{b} as a mixed number",
            "Convert {n}/{b} to a mixed number",
            "Which mixed number equals {n}/{b}?",
            "Change {n}/{b} into a whole number and a fraction",
        ),
        held_out=(
            "{name} has {n} slices, each 1/{b} of a cake. How many cakes is that, as a mixed number?",
            "Where does {n}/{b} lie on a number line? Answer with a mixed number.",
        ),
        correct=lambda p: f"{p.w} {p.a}/{p.b}",
        variants=(
            Variant(
                "whole-under",
                "Writes what is left over above the number of wholes, not above the size of a piece",
                lambda p: f"{p.w} {p.a}/{p.w}",
                lambda p: f"{p.b} goes into {p.n} {p.w} times with {p.a} left. The {p.a} goes over the {p.w}.",
            ),
            Variant(
                "roles-swapped",
                "Exchanges the number of wholes and what is left over",
                lambda p: f"{p.a} {p.w}/{p.b}",
                lambda p: f"{p.n} ÷ {p.b} is {p.w} remainder {p.a}. I put {p.a} in front and {p.w} on top.",
            ),
            Variant(
                "one-whole-only",
                "Takes out a single whole and leaves a part that is still top-heavy",
                lambda p: f"1 {p.n - p.b}/{p.b}",
                lambda p: f"{p.b}/{p.b} is 1. {p.n} - {p.b} = {p.n - p.b} pieces are left.",
            ),
            Variant(
                "remainder-as-decimal",
                "Writes a remainder behind a point as if it counted tenths",
                lambda p: f"{p.w}.{p.a}",
                lambda p: f"{p.n} ÷ {p.b} = {p.w} remainder {p.a}, which I write {p.w}.{p.a}.",
            ),
            Variant(
                "top-kept",
                "States the number of wholes but keeps the original top beside them, counting the same pieces twice",
                lambda p: f"{p.w} {p.n}/{p.b}",
                lambda p: f"{p.b} fits into {p.n} {p.w} times, so there are {p.w} wholes in front of {p.n}/{p.b}.",
            ),
            Variant(
                "missing-part",
                "Writes what is missing to the next whole as the part that belongs to the wholes",
                lambda p: f"{p.w} {p.b - p.a}/{p.b}",
                lambda p: f"{p.w} * {p.b} = {p.n - p.a}. The next whole needs {p.b - p.a} more pieces, so the part is {p.b - p.a}/{p.b}.",
            ),
        ),
    ),
    Rule(
        key="fraction-simplest-form",
        subject="Fractions",
        construct="Simplify a fraction to its lowest terms",
        when="cancelling fractions",
        draw=_cancellable,
        asks=("Write {top}/{bottom} in its simplest form", "Simplify {top}/{bottom} as far as possible", "Cancel {top}/{bottom} down fully"),
        held_out=(
            "{top} of {bottom} pupils walk to school. Which fraction is that, in lowest terms?",
            "{name} wants to write {top}/{bottom} with the smallest possible numbers. What should {name} write?",
        ),
        correct=lambda p: f"{p.a}/{p.b}",
        variants=(
            Variant(
                "stops-early",
                "Cancels once by a shared factor and does not look for another one",
                lambda p: f"{p.top // p.f}/{p.bottom // p.f}",
                lambda p: f"Both can be divided by {p.f}: {p.top} ÷ {p.f} = {p.top // p.f} and {p.bottom} ÷ {p.f} = {p.bottom // p.f}.",
            ),
            Variant(
                "subtracts",
                "Reduces both parts by subtracting one and the same number, thinking the value stays as it is",
                lambda p: f"{p.top - p.k}/{p.bottom - p.k}" if p.a > 1 else None,
                lambda p: f"I make both smaller by {p.k}: {p.top} - {p.k} = {p.top - p.k} and {p.bottom} - {p.k} = {p.bottom - p.k}.",
            ),
            Variant(
                "top-only",
                "Divides the top by the shared factor and leaves the bottom",
                lambda p: f"{p.a}/{p.bottom}",
                lambda p: f"{p.top} ÷ {p.k} = {p.a}, and the bottom is {p.bottom}.",
            ),
            Variant(
                "bottom-only",
                "Divides the bottom by the shared factor and leaves the top",
                lambda p: f"{p.top}/{p.b}",
                lambda p: f"{p.bottom} ÷ {p.k} = {p.b}, and the top is {p.top}.",
            ),
            Variant(
                "unit",
                "Believes every fraction cancels until a one stands on top",
                lambda p: f"1/{p.bottom // p.top}" if p.a > 1 and p.bottom // p.top > 1 else None,
                lambda p: f"{p.top} goes into {p.bottom} about {p.bottom // p.top} times, so it is one part of {p.bottom // p.top}.",
            ),
        ),
    ),
    Rule(
        key="fraction-compare",
        subject="Fractions",
        construct="Order fractions by size",
        when="comparing fractions",
        draw=_four,
        asks=("Which of these is the largest? {text}", "Choose the greatest fraction: {text}", "Which fraction is worth the most? {text}"),
        held_out=(
            "Four pupils have read {text} of a book. Who has read most? Give the fraction.",
            "Which of these lies furthest to the right on a number line? {text}",
        ),
        correct=lambda p: _true_largest(p) or "all equal",
        variants=(
            Variant(
                "biggest-bottom",
                "Believes more pieces in a whole make each piece greater, so judges by the bottom alone",
                _chosen(lambda pair: pair[1]),
                lambda p: f"The bottoms of {p.text} tell the size, and the biggest bottom wins.",
            ),
            Variant(
                "biggest-top",
                "Judges by the number of pieces alone, whatever their size",
                _chosen(lambda pair: pair[0]),
                lambda p: f"I compare the tops of {p.text} and take the one with the most pieces.",
            ),
            Variant(
                "smallest-bottom",
                "Judges by the size of one piece alone, however few there are",
                _chosen(lambda pair: -pair[1]),
                lambda p: f"Small bottoms mean big pieces, so among {p.text} the smallest bottom wins.",
            ),
            Variant(
                "smallest-gap",
                "Compares how far top and bottom lie apart and takes the least gap for the greatest value",
                _chosen(lambda pair: pair[0] - pair[1]),
                lambda p: f"In {p.text} I look for how much is missing between top and bottom and take the smallest gap.",
            ),
            Variant(
                "largest-sum",
                "Puts top and bottom together and ranks by that total",
                _chosen(lambda pair: pair[0] + pair[1]),
                lambda p: f"I put the two numbers of each of {p.text} together and take the biggest total.",
            ),
            Variant(
                "reverse-order",
                "Compares values correctly but picks the wrong end of the order",
                _chosen(lambda pair: -Fraction(*pair)),
                lambda p: f"I put {p.text} in order and take the one at the end, where the numbers are small.",
            ),
        ),
    ),
)
