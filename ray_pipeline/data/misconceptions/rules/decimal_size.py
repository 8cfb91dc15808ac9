"""Decimals: order, rounding, conversion to fractions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import dec, many, over
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant


def _list(d: Draw) -> Numbers:
    numbers: list[Decimal] = []
    for places in d.some((1, 2, 2, 3, 3), 4):
        digits = d.whole(10 ** (places - 1), 10**places - 1) if d.whole(0, 2) else d.whole(1, 10 ** (places - 1) + 8)
        number = dec(digits - digits % 10 + d.whole(1, 9), places)
        if number >= 1 or number in numbers:
            number = dec(d.whole(1, 9), 1)
        numbers.append(number)
    return Numbers(numbers=tuple(numbers), text=", ".join(map(str, numbers)))


def _picked(size: Callable[[str], Any]) -> Callable[[Any], Decimal | None]:
    """The number whose digits after the point are largest by `size`; None where several are."""

    def choose(p: Any) -> Decimal | None:
        sizes = [size(str(number)[2:]) for number in p.numbers]
        best = max(sizes)
        return p.numbers[sizes.index(best)] if sizes.count(best) == 1 else None

    return choose


def _long(d: Draw) -> Numbers:
    places = d.pick((1, 2))
    digits = d.whole(10000, 99999)
    unit = 10 ** (4 - places)
    return Numbers(
        digits=digits, places=places, unit=unit, wanted=many(places, "decimal place"), x=dec(digits, 4), up=digits // unit + 1, down=digits // unit
    )


def _rounded(digits: int, unit: int) -> int:
    return (digits + unit // 2) // unit


def _hundredths(d: Draw) -> Numbers:
    a, b = d.whole(1, 9), d.whole(1, 9)
    return Numbers(a=a, b=b, n=10 * a + b)


RULES: Final = (
    Rule(
        key="decimal-largest",
        subject="Decimals",
        construct="Order decimals",
        when="comparing decimals",
        draw=_list,
        asks=("Which of these is the largest? {text}", "Choose the greatest number: {text}", "Which number has the highest value? {text}"),
        held_out=(
            "Four frogs jump {text} metres. How far did the winner jump?",
            "Which of these lies furthest to the right on a number line? {text}",
        ),
        correct=lambda p: max(p.numbers),
        variants=(
            Variant(
                "as-whole-numbers",
                "Reads the digits behind the point as a count, so that more digits usually win",
                _picked(int),
                lambda p: f"Behind the point of {p.text} I read whole numbers and take the biggest.",
            ),
            Variant(
                "shortest",
                "Thinks fewer digits mean bigger pieces and so always a greater decimal",
                _picked(lambda digits: -len(digits)),
                lambda p: f"In {p.text} tenths beat hundredths and thousandths, so I take the shortest.",
            ),
            Variant(
                "zeros-ignored",
                "Passes over zeros behind the point, as though the other digits moved up",
                _picked(lambda digits: Fraction(int(digits.replace("0", "")), 10 ** len(digits.replace("0", "")))),
                lambda p: f"Zeros are worth nothing, so I leave them out of {p.text} and then compare.",
            ),
            Variant(
                "last-digit",
                "Compares decimals by their final digit",
                _picked(lambda digits: digits[-1]),
                lambda p: f"I look at how {p.text} end and take the highest last digit.",
            ),
            Variant(
                "smallest",
                "Compares place values like those of negative numbers, so the one closest to nothing seems greatest",
                _picked(lambda digits: -Fraction(int(digits), 10 ** len(digits))),
                lambda p: f"Decimals get bigger towards 0, so among {p.text} I take the one nearest to 0.",
            ),
        ),
    ),
    Rule(
        key="decimal-round",
        subject="Rounding and Estimating",
        construct="Round to a number of decimal places",
        when="rounding",
        draw=_long,
        asks=("Round {x} to {wanted}", "Write {x} correct to {places} d.p.", "What is {x} to {wanted}?"),
        held_out=("A calculator shows {x}. Give this to {places} d.p.", "{name} measures {x} m. What is that with {wanted}?"),
        correct=lambda p: dec(_rounded(p.digits, p.unit), p.places),
        variants=(
            Variant(
                "cut-off",
                "Cuts the unwanted digits off without looking at them",
                lambda p: dec(p.down, p.places),
                lambda p: f"I keep {many(p.places, 'digit')} behind the point of {p.x} and drop the others.",
            ),
            Variant(
                "always-up",
                "Raises the last digit that is kept, whatever follows it",
                lambda p: dec(p.up, p.places),
                lambda p: f"I keep {many(p.places, 'digit')} behind the point of {p.x} and round the last one up.",
            ),
            Variant(
                "zeros-kept",
                "Replaces the unwanted digits behind the point by zeros, as is done with whole numbers",
                lambda p: format(Decimal(_rounded(p.digits, p.unit)).scaleb(-p.places), "f") + "0" * (4 - p.places),
                lambda p: f"I round {p.x} and put a 0 for every digit that goes.",
            ),
            Variant(
                "significant-figures",
                "Counts the digits to keep from the very first one, not from the point",
                lambda p: dec(_rounded(p.digits, p.unit * 10), p.places - 1),
                lambda p: f"I want {many(p.places, 'digit')} in all, starting at the front of {p.x}.",
            ),
            Variant(
                "one-digit-more",
                "Keeps one digit more than asked for because the deciding digit is counted as well",
                lambda p: dec(_rounded(p.digits, p.unit // 10), p.places + 1),
                lambda p: f"I look at the digit after the first {p.places} and stop there: {p.places + 1} digits of {p.x} stay.",
            ),
        ),
    ),
    Rule(
        key="decimal-to-fraction",
        subject="Decimals",
        construct="Convert between decimals and fractions",
        when="turning decimals into fractions",
        draw=_hundredths,
        asks=("Write 0.{n} as a fraction", "Convert 0.{n} to a fraction", "Which fraction equals 0.{n}?"),
        held_out=(
            "{name} runs 0.{n} km. Which fraction of a kilometre is that?",
            "The shaded part of a square is 0.{n} of it. Give this as a fraction.",
        ),
        correct=lambda p: Fraction(p.n, 100),
        variants=(
            Variant(
                "digits-as-top-and-bottom",
                "Reads the two digits behind the point as top and bottom",
                lambda p: over(p.a, p.b),
                lambda p: f"The digits are {p.a} and {p.b}, so one goes over the other.",
            ),
            Variant(
                "unit-fraction",
                "Reads the digits behind the point as the number of parts the whole is cut into",
                lambda p: over(1, p.n),
                lambda p: f"0.{p.n} means one part of {p.n}.",
            ),
            Variant(
                "tenths",
                "Takes every decimal for tenths, however many digits follow the point",
                lambda p: over(p.n, 10),
                lambda p: f"Behind the point come tenths, so {p.n} over 10.",
            ),
            Variant(
                "thousandths",
                "Counts the zero before the point as well when choosing tenths, hundredths or thousandths",
                lambda p: over(p.n, 1000),
                lambda p: f"0.{p.n} has three digits, so {p.n} over 1000.",
            ),
            Variant(
                "inverted",
                "Picks the right place value but writes it on top and the digits underneath",
                lambda p: over(100, p.n),
                lambda p: f"These are hundredths: 100 on top, {p.n} below.",
            ),
        ),
    ),
)
