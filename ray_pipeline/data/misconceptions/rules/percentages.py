"""Percentages, and ratio and proportion with money."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import dec, money, show
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_CHANGE: Final = "Increase or decrease an amount by a percentage"
_CONVERT: Final = "Convert between percentages, fractions and decimals"


def _part(d: Draw) -> Numbers:
    p = d.pick((5, 15, 20, 25, 30, 35, 40, 60, 70, 75, 80, 90))
    n = 20 * d.whole(2, 30)
    return Numbers(p=p, n=n, part=n * p // 100)


def _before_and_after(d: Draw) -> Numbers:
    p = d.pick((5, 10, 15, 20, 25, 30, 40))
    n = 20 * d.whole(2, 30)
    return Numbers(p=p, n=n, after=n * (100 + p) // 100)


def _score(d: Draw) -> Numbers:
    b = d.pick((20, 25, 40, 50, 80, 200))
    step = 2 if b in (40, 80, 200) else 1
    a = step * d.whole(2, b // step - 2)
    return Numbers(a=a, b=b)


def _from_to(d: Draw) -> Numbers:
    a = d.pick((20, 40, 80, 100, 200))
    p = d.pick((5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 75))
    rise = a * p // 100 or 1
    return Numbers(a=a, p=100 * rise // a, b=a + rise, rise=rise)


def _savings(d: Draw) -> Numbers:
    start, r, n = 100 * d.whole(2, 40), d.pick((2, 3, 4, 5, 10, 20)), d.whole(2, 3)
    return Numbers(start=start, r=r, n=n, up=dec(100 + r, 2), down=dec(100 - r, 2), year=start * r // 100)


def _pounds(value: Decimal | int) -> str:
    """An amount to the nearest penny."""
    return money(int((value * 100 + Decimal("0.5")) // 1))


def _percent_of(value: Fraction) -> Decimal:
    return dec(int(value * 10000), 2)


RULES: Final = (
    Rule(
        key="percentage-of-amount",
        subject="Percentages",
        construct="Find a percentage of an amount",
        when="finding a percentage",
        draw=_part,
        asks=(*work_out("{p}% of {n}"), "{n} people visit a fair and {p}% of them are children. How many are children?"),
        held_out=(
            "A tank holds {n} litres when full. It is {p}% full. How many litres are in it?",
            "{name} has read {p}% of a book with {n} pages. How many pages is that?",
        ),
        correct=lambda p: p.part,
        variants=(
            Variant(
                "divides-by-rate",
                "Divides a quantity by the rate, generalising from ten in a hundred being a tenth",
                lambda p: Fraction(p.n, p.p) if p.n % p.p == 0 else None,
                lambda p: f"10% means ÷ 10, so {p.p}% means ÷ {p.p}: {p.n} ÷ {p.p} = {p.n // p.p}.",
            ),
            Variant(
                "tenths",
                "Takes a rate out of a hundred for a rate out of ten",
                lambda p: p.part * 10,
                lambda p: f"{p.n} ÷ 10 = {p.n // 10}, times {p.p} is {p.part * 10}.",
            ),
            Variant(
                "rest",
                "Reports the portion outside the rate",
                lambda p: p.n - p.part,
                lambda p: f"{p.p}% is {p.part}. I take it off: {p.n} - {p.part} = {p.n - p.part}.",
            ),
            Variant(
                "rate-subtracted",
                "Takes the rate off a quantity as though it were an amount of the same kind",
                lambda p: p.n - p.p,
                lambda p: f"{p.n} - {p.p} = {p.n - p.p}.",
            ),
            Variant(
                "rate-itself",
                "Believes a rate is the wanted number already, however large the whole is",
                lambda p: p.p,
                lambda p: f"{p.p}% means {p.p} of them.",
            ),
            Variant(
                "hundred-over-rate",
                "Turns the comparison with a hundred round and multiplies by its inverse",
                lambda p: Fraction(p.n * 100, p.p) if p.n * 100 % p.p == 0 else None,
                lambda p: f"{p.n} * 100 = {p.n * 100}, and that ÷ {p.p}.",
            ),
        ),
    ),
    Rule(
        key="percentage-increase",
        subject="Percentages",
        construct=_CHANGE,
        when="increasing by a percentage",
        draw=_part,
        asks=(
            "Increase {n} by {p}%",
            "A rent of {n} pounds goes up by {p}%. What is the new rent in pounds?",
            "{n} grows by {p}%. What does it become?",
        ),
        held_out=(
            "Last year a club had {n} members; this year it has {p}% more. How many members has it now?",
            "{p}% VAT is put on a price of {n} pounds. What is the full price in pounds?",
        ),
        correct=lambda p: p.n + p.part,
        variants=(
            Variant(
                "rate-added",
                "Puts the rate itself on top of a quantity that grows",
                lambda p: p.n + p.p,
                lambda p: f"{p.n} + {p.p} = {p.n + p.p}.",
            ),
            Variant(
                "only-the-rise",
                "Gives the extra amount alone, without the quantity it belongs to",
                lambda p: p.part,
                lambda p: f"{p.p}% of {p.n} is {p.part}.",
            ),
            Variant(
                "falls",
                "Takes the extra amount off a quantity that is meant to grow",
                lambda p: p.n - p.part,
                lambda p: f"{p.p}% of {p.n} is {p.part}, and {p.n} - {p.part} = {p.n - p.part}.",
            ),
            Variant(
                "tenfold-rise",
                "Writes a growth rate as tenths in the multiplier",
                lambda p: p.n + 10 * p.part,
                lambda p: f"The multiplier is 1 + {show(dec(p.p, 1))}, so I take {p.n} * {show(dec(p.p, 1))} on top of {p.n}.",
            ),
            Variant(
                "rise-by-division",
                "Finds an extra amount by sharing with the rate and puts it on top",
                lambda p: p.n + p.n // p.p if p.n % p.p == 0 else None,
                lambda p: f"{p.n} ÷ {p.p} = {p.n // p.p}, so {p.n} + {p.n // p.p}.",
            ),
        ),
    ),
    Rule(
        key="percentage-decrease",
        subject="Percentages",
        construct=_CHANGE,
        when="decreasing by a percentage",
        draw=_part,
        asks=(
            "Decrease {n} by {p}%",
            "A coat costs {n} pounds. In a sale it is {p}% cheaper. What does it cost now, in pounds?",
            "{n} falls by {p}%. What is left?",
        ),
        held_out=(
            "A village of {n} people loses {p}% of them. How many people stay?",
            "{name} gets {p}% off a bill of {n} pounds. How many pounds are to be paid?",
        ),
        correct=lambda p: p.n - p.part,
        variants=(
            Variant(
                "rate-subtracted",
                "Takes the rate itself off a quantity that shrinks",
                lambda p: p.n - p.p,
                lambda p: f"{p.n} - {p.p} = {p.n - p.p}.",
            ),
            Variant(
                "only-the-fall",
                "Gives the saving, not what remains after it",
                lambda p: p.part,
                lambda p: f"{p.p}% of {p.n} is {p.part}.",
            ),
            Variant(
                "rises",
                "Puts a reduction on top",
                lambda p: p.n + p.part,
                lambda p: f"{p.p}% of {p.n} is {p.part}, and {p.n} + {p.part} = {p.n + p.part}.",
            ),
            Variant(
                "fall-by-division",
                "Finds a reduction by sharing with the rate and takes that off",
                lambda p: p.n - p.n // p.p if p.n % p.p == 0 else None,
                lambda p: f"{p.n} ÷ {p.p} = {p.n // p.p}, so {p.n} - {p.n // p.p}.",
            ),
            Variant(
                "divided-by-growth",
                "Undoes a growth of the given rate in place of a reduction by it",
                lambda p: Fraction(p.n * 100, 100 + p.p) if p.n * 100 % (100 + p.p) == 0 else None,
                lambda p: f"Going down is the reverse of going up, so {p.n} ÷ {show(dec(100 + p.p, 2))}.",
            ),
        ),
    ),
    Rule(
        key="percentage-reverse",
        subject="Percentages",
        construct="Find the original amount before a percentage change",
        when="finding the original amount",
        draw=_before_and_after,
        asks=(
            "After a rise of {p}% a price is {after} pounds. What was it before, in pounds?",
            "A number is increased by {p}% and becomes {after}. What was the number?",
            "{name} now earns {after} pounds, which is {p}% more than last year. What did {name} earn last year, in pounds?",
        ),
        held_out=(
            "With {p}% tax a meal costs {after} pounds. What does it cost without tax, in pounds?",
            "{after} is {p}% larger than which number?",
        ),
        correct=lambda p: p.n,
        variants=(
            Variant(
                "rate-of-final",
                "Undoes a growth by taking the rate of the final amount off, though it was a rate of the first one",
                lambda p: Decimal(p.after) - dec(p.after * p.p, 2),
                lambda p: f"{p.p}% of {p.after} is {show(dec(p.after * p.p, 2))}, and I take that off {p.after}.",
            ),
            Variant(
                "grown-again",
                "Lets the final amount grow once more where the growth should be undone",
                lambda p: Decimal(p.after) + dec(p.after * p.p, 2),
                lambda p: f"{p.p}% of {p.after} is {show(dec(p.after * p.p, 2))}, and I put that on {p.after}.",
            ),
            Variant(
                "rate-as-amount",
                "Undoes a growth by taking the bare rate off the final amount",
                lambda p: p.after - p.p,
                lambda p: f"{p.after} - {p.p} = {p.after - p.p}.",
            ),
            Variant(
                "final-times-rate",
                "Gives the rate of the final amount as the first amount",
                lambda p: dec(p.after * p.p, 2),
                lambda p: f"{p.p}% of {p.after}.",
            ),
            Variant(
                "final-is-the-rate",
                "Thinks the final amount makes up the growth rate alone and scales that to a hundred",
                lambda p: Fraction(p.after * 100, p.p) if p.after * 100 % p.p == 0 else None,
                lambda p: f"{p.after} is {p.p}%, so 1% is {p.after} ÷ {p.p} and 100% is a hundred times that.",
            ),
        ),
    ),
    Rule(
        key="percentage-expressed",
        subject="Percentages",
        construct="Write one quantity as a percentage of another",
        when="expressing a percentage",
        draw=_score,
        asks=(
            "Write {a} as a percentage of {b}",
            "{name} gets {a} marks out of {b}. What is that as a percentage?",
            "What percentage of {b} is {a}?",
        ),
        held_out=(
            "{a} of {b} trees in a park are oaks. Give their share in per cent.",
            "A bus with {b} seats carries {a} passengers, all seated. What percentage of the seats is in use?",
        ),
        correct=lambda p: _percent_of(Fraction(p.a, p.b)),
        form="{}%",
        variants=(
            Variant(
                "count-as-rate",
                "Puts the sign for a rate behind the count",
                lambda p: p.a,
                lambda p: f"There are {p.a}, so it is {p.a}%.",
            ),
            Variant(
                "missing-count-as-rate",
                "Takes what is missing from the whole off a hundred, one for one",
                lambda p: 100 - (p.b - p.a),
                lambda p: f"{p.b} - {p.a} = {p.b - p.a} are missing, so 100 - {p.b - p.a}.",
            ),
            Variant(
                "part-to-rest",
                "Compares a part with the rest instead of the whole when stating a rate",
                lambda p: _percent_of(Fraction(p.a, p.b - p.a)) if 100 * p.a % (p.b - p.a) == 0 else None,
                lambda p: f"There are {p.a} of them and {p.b - p.a} others: {p.a} ÷ {p.b - p.a}, times 100.",
            ),
            Variant(
                "complement",
                "States the rate of what does not belong to the part",
                lambda p: 100 - _percent_of(Fraction(p.a, p.b)),
                lambda p: f"{p.b} - {p.a} = {p.b - p.a}, and that ÷ {p.b}, times 100.",
            ),
            Variant(
                "tenfold-error",
                "Moves the digits of a quotient one place too few on the way to a rate",
                lambda p: dec(1000 * p.a // p.b, 2) if 1000 * p.a % p.b == 0 else None,
                lambda p: f"{p.a} ÷ {p.b}, and times 10 because of the decimal place.",
            ),
            Variant(
                "product",
                "Multiplies part and whole and reads a hundredth of it as the rate",
                lambda p: dec(p.a * p.b, 2),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, ÷ 100.",
            ),
        ),
    ),
    Rule(
        key="percentage-change",
        subject="Percentages",
        construct="Work out a percentage change",
        when="finding a percentage change",
        draw=_from_to,
        asks=(
            "A price rises from {a} pounds to {b} pounds. What is the percentage increase?",
            "Find the percentage change from {a} to {b}",
            "A plant of {a} cm has grown to {b} cm. By what percentage has it grown?",
        ),
        held_out=(
            "A team had {a} fans and now has {b}. By how many per cent did the number go up?",
            "{name} paid {a} pounds for a painting and sells it for {b} pounds. What is the percentage profit?",
        ),
        correct=lambda p: p.p,
        form="{}%",
        variants=(
            Variant(
                "over-new",
                "Compares a change with the later value",
                lambda p: _percent_of(Fraction(p.rise, p.b)) if 10000 * p.rise % p.b == 0 else None,
                lambda p: f"The change is {p.rise}. {p.rise} ÷ {p.b}, times 100.",
            ),
            Variant(
                "difference",
                "Reads the bare gap between two values as a rate",
                lambda p: p.rise,
                lambda p: f"{p.b} - {p.a} = {p.rise}.",
            ),
            Variant(
                "new-over-old",
                "Gives the later value as a rate of the earlier one instead of the change",
                lambda p: 100 + p.p,
                lambda p: f"{p.b} ÷ {p.a}, times 100.",
            ),
            Variant(
                "old-over-new",
                "Gives the earlier value as a rate of the later one instead of the change",
                lambda p: _percent_of(Fraction(p.a, p.b)) if 10000 * p.a % p.b == 0 else None,
                lambda p: f"{p.a} ÷ {p.b}, times 100.",
            ),
            Variant(
                "new-value",
                "Writes the later value down as the rate of change",
                lambda p: p.b,
                lambda p: f"It went to {p.b}, so it is {p.b}%.",
            ),
        ),
    ),
    Rule(
        key="compound-interest",
        subject="Percentages",
        construct="Calculate repeated percentage change",
        when="percentage changes repeat",
        draw=_savings,
        asks=(
            "{start} pounds are saved at {r}% compound interest a year. What are they worth after {n} years, to the nearest penny?",
            "{name} invests {start} pounds. Each year the value grows by {r}% of the value then. What is it after {n} years, to the nearest penny?",
        ),
        held_out=("A vase worth {start} pounds gains {r}% in value every year. Find its value {n} years from now, to the nearest penny.",),
        correct=lambda p: _pounds(p.start * p.up**p.n),
        variants=(
            Variant(
                "simple",
                "Lets growth act on the starting value every time, so it never feeds on itself",
                lambda p: _pounds(p.start + p.n * p.year),
                lambda p: f"One period gives {p.year}, {p.n} give {p.n * p.year}, and {p.start} + {p.n * p.year} = {p.start + p.n * p.year}.",
            ),
            Variant(
                "once",
                "Applies a repeated growth a single time",
                lambda p: _pounds(p.start + p.year),
                lambda p: f"{p.r}% of {p.start} is {p.year}, and {p.start} + {p.year} = {p.start + p.year}.",
            ),
            Variant(
                "gain-only",
                "Works out repeated growth properly and then gives just the gain",
                lambda p: _pounds(p.start * p.up**p.n - p.start),
                lambda p: f"It becomes {_pounds(p.start * p.up**p.n)}. I take away the {p.start} it began with.",
            ),
            Variant(
                "multiplier-times-periods",
                "Multiplies by the growth factor and by the number of periods, instead of using a power",
                lambda p: _pounds(p.start * p.up * p.n),
                lambda p: f"{p.start} * {p.up} * {p.n}.",
            ),
            Variant(
                "shrinks",
                "Repeats a reduction at the rate of growth",
                lambda p: _pounds(p.start * p.down**p.n),
                lambda p: f"The multiplier is {p.down}, used {p.n} times on {p.start}.",
            ),
            Variant(
                "one-period-too-many",
                "Counts the start as a period and so repeats a growth once too often",
                lambda p: _pounds(p.start * p.up ** (p.n + 1)),
                lambda p: f"With the first day there are {p.n + 1} steps of {p.up}.",
            ),
        ),
    ),
    Rule(
        key="fraction-to-percentage",
        subject="Percentages",
        construct=_CONVERT,
        when="converting to percentages",
        draw=_score,
        asks=("Write {a}/{b} as a percentage", "Convert {a}/{b} to a percentage", "Which percentage equals {a}/{b}?"),
        held_out=("{name} colours {a}/{b} of a shape. How many per cent is that?", "Put the right number before the % sign: {a}/{b} = ...%"),
        correct=lambda p: _percent_of(Fraction(p.a, p.b)),
        form="{}%",
        variants=(
            Variant(
                "top",
                "Takes the top as a rate out of a hundred whatever stands below",
                lambda p: p.a,
                lambda p: f"The top is {p.a}, so {p.a}%.",
            ),
            Variant(
                "bottom",
                "Takes the bottom as a rate out of a hundred whatever stands above",
                lambda p: p.b,
                lambda p: f"The bottom is {p.b}, so {p.b}%.",
            ),
            Variant(
                "top-point-bottom",
                "Joins top and bottom by a point and puts the sign for a rate behind",
                lambda p: f"{p.a}.{p.b}%",
                lambda p: f"The line becomes a point: {p.a}.{p.b}.",
            ),
            Variant(
                "decimal-with-sign",
                "Divides top by bottom and adds the sign for a rate without scaling to a hundred",
                lambda p: dec(int(Fraction(p.a, p.b) * 10000), 4),
                lambda p: f"{p.a} ÷ {p.b} = {show(dec(int(Fraction(p.a, p.b) * 10000), 4))}.",
            ),
            Variant(
                "added-to-hundred",
                "Brings the bottom up to a hundred by adding, and increases the top by as much",
                lambda p: p.a + 100 - p.b if p.b < 100 else None,
                lambda p: f"{p.b} + {100 - p.b} = 100, so the top is {p.a} + {100 - p.b}.",
            ),
        ),
    ),
    Rule(
        key="decimal-to-percentage",
        subject="Percentages",
        construct=_CONVERT,
        when="converting to percentages",
        draw=lambda d: Numbers(n=(n := d.pick((2, 3, 4, 6, 7, 8, 9))), x=dec(n, 1), y=dec(n, 2)),
        asks=("Write {x} as a percentage", "Convert {x} to a percentage", "Which percentage equals {x}?"),
        held_out=(*evaluate("{x} as a percentage")[2:], "The chance of snow is {x}. How many per cent is that?"),
        correct=lambda p: p.n * 10,
        form="{}%",
        variants=(
            Variant(
                "hundredths",
                "Treats a digit in the tenths place as if it counted hundredths",
                lambda p: p.n,
                lambda p: f"Behind the point stands {p.n}, so it is {p.n}%.",
            ),
            Variant(
                "sign-only",
                "Puts the sign for a rate behind a number below one and changes nothing else",
                lambda p: p.x,
                lambda p: f"{p.x} is {p.x}%.",
            ),
            Variant(
                "thousand",
                "Moves a digit in the tenths place three places up on the way to a rate",
                lambda p: p.n * 100,
                lambda p: f"The % sign has two zeros, so I put two zeros behind {p.n}.",
            ),
            Variant(
                "divided",
                "Divides by a hundred on the way from a number below one to a rate",
                lambda p: dec(p.n, 3),
                lambda p: f"Per cent means ÷ 100: {p.x} ÷ 100.",
            ),
        ),
    ),
)
