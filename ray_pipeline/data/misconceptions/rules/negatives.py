"""Negative numbers and the order of operations."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_SUM: Final = "Add and subtract negative numbers"
_PRODUCT: Final = "Multiply and divide negative numbers"


def _two(d: Draw) -> Numbers:
    a, b = d.some(range(2, 16), 2)
    return Numbers(a=a, b=b)


def _product(d: Draw) -> Numbers:
    a, b = d.some(range(2, 13), 2)
    return Numbers(a=a, b=b, n=a * b)


def _one(d: Draw) -> Numbers:
    return Numbers(a=d.whole(3, 12))


def _readings(d: Draw) -> Numbers:
    below = d.some(range(1, 20), 3)
    above = d.some(range(1, 20), 2)
    mixed = d.some([-n for n in below] + list(above), 5)
    return Numbers(below=below, above=above, text=", ".join(map(str, mixed)))


RULES: Final = (
    Rule(
        key="negative-plus-positive",
        subject="Negative Numbers",
        construct=_SUM,
        when="adding with negative numbers",
        draw=_two,
        asks=(*work_out("-{a} + {b}"), "It is -{a} °C at dawn. By noon it is {b} degrees warmer. What is the temperature then, in °C?"),
        held_out=(*evaluate("-{a} + {b}"), "{name}'s account stands at -{a} pounds. Then {b} pounds are paid in. How many pounds does it show?"),
        correct=lambda p: p.b - p.a,
        variants=(
            Variant(
                "sizes-added-negative",
                "Adds both sizes and keeps the sign that stood in front, even though one of them pulls upwards",
                lambda p: -(p.a + p.b),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, and the minus in front stays.",
            ),
            Variant(
                "minus-dropped",
                "Overlooks a minus at the very start of a sum",
                lambda p: p.a + p.b,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}.",
            ),
            Variant(
                "sign-reversed",
                "Finds how far apart the sizes are when starting below zero but gives it the opposite sign",
                lambda p: p.a - p.b,
                lambda p: f"I work out {p.a} - {p.b} = {p.a - p.b}.",
            ),
            Variant(
                "start-counted",
                "Counts the starting place as the first step of a climb along the number line",
                lambda p: p.b - p.a - 1,
                lambda p: f"I count {p.b} numbers: -{p.a} is the first one, then upwards.",
            ),
            Variant(
                "zero-skipped",
                "Leaves zero out when counting from one side of the number line to the other",
                lambda p: p.b - p.a + 1 if p.b > p.a else None,
                lambda p: f"From -{p.a} I go up {p.a - 1} to -1, then straight to 1, and on until I have made {p.b} steps.",
            ),
            Variant(
                "multiplied",
                "Multiplies the sizes because a minus and a plus meet, and makes the result negative",
                lambda p: -p.a * p.b,
                lambda p: f"Minus and plus give minus, and {p.a} * {p.b} = {p.a * p.b}.",
            ),
        ),
    ),
    Rule(
        key="negative-minus-positive",
        subject="Negative Numbers",
        construct=_SUM,
        when="subtracting with negative numbers",
        draw=_two,
        asks=(*work_out("-{a} - {b}"), "A diver at -{a} m sinks a further {b} m. At what height is the diver now, in m?"),
        held_out=(*evaluate("-{a} - {b}"), "{name} owes {a} pounds, shown as -{a}, and borrows {b} more. What number shows the debt now?"),
        correct=lambda p: -p.a - p.b,
        variants=(
            Variant(
                "two-minuses-make-plus",
                "Takes any two minuses in a line for a positive result, though nothing is multiplied",
                lambda p: p.a + p.b,
                lambda p: f"Two minuses make a plus: {p.a} + {p.b} = {p.a + p.b}.",
            ),
            Variant(
                "moves-up",
                "Goes up the number line when taking away from a place below zero",
                lambda p: p.b - p.a,
                lambda p: f"I start at -{p.a} and go {p.b} to the right.",
            ),
            Variant(
                "sign-then-difference",
                "Finds how far apart the sizes are and overlooks the leading minus when taking away",
                lambda p: p.a - p.b,
                lambda p: f"{p.a} take away {p.b} is {p.a - p.b}.",
            ),
            Variant(
                "product",
                "Applies the sign rule of products to a drop below zero and multiplies the sizes as well",
                lambda p: p.a * p.b,
                lambda p: f"Minus and minus is plus. {p.a} * {p.b} = {p.a * p.b}.",
            ),
            Variant(
                "start-counted",
                "Counts the starting place as the first step of a drop along the number line",
                lambda p: -p.a - p.b + 1,
                lambda p: f"I count {p.b} numbers down, and -{p.a} is the first of them.",
            ),
        ),
    ),
    Rule(
        key="minus-negative",
        subject="Negative Numbers",
        construct=_SUM,
        when="subtracting with negative numbers",
        draw=_two,
        asks=(*work_out("{a} - (-{b})"), "The cellar is at -{b} m and the roof at {a} m. How much higher is the roof, in m?"),
        held_out=(*evaluate("{a} - (-{b})"), "By how many degrees is {a} °C warmer than -{b} °C?"),
        correct=lambda p: p.a + p.b,
        variants=(
            Variant(
                "one-minus-ignored",
                "Reads two neighbouring minuses as a single one",
                lambda p: p.a - p.b,
                lambda p: f"That is {p.a} - {p.b} = {p.a - p.b}.",
            ),
            Variant(
                "order-exchanged",
                "Begins at the size of the number being taken away and removes the other from it",
                lambda p: p.b - p.a,
                lambda p: f"I start with {p.b} and take {p.a}: {p.b} - {p.a} = {p.b - p.a}.",
            ),
            Variant(
                "all-negative",
                "Adds the sizes properly but believes removing something below zero must end below zero",
                lambda p: -(p.a + p.b),
                lambda p: f"{p.a} and {p.b} together are {p.a + p.b}, and because of the -{p.b} it is negative.",
            ),
            Variant(
                "ends-not-counted",
                "Counts only the numbers strictly between the two ends of a stretch across zero",
                lambda p: p.a + p.b - 1,
                lambda p: f"Between -{p.b} and {p.a} I count {p.a + p.b - 1} numbers.",
            ),
            Variant(
                "product",
                "Multiplies when a bracket follows a minus",
                lambda p: -p.a * p.b,
                lambda p: f"A bracket means times: {p.a} times -{p.b}.",
            ),
        ),
    ),
    Rule(
        key="negative-times-negative",
        subject="Negative Numbers",
        construct=_PRODUCT,
        when="multiplying negative numbers",
        draw=_product,
        asks=work_out("-{a} * -{b}"),
        held_out=evaluate("-{a} * -{b}"),
        correct=lambda p: p.n,
        variants=(
            Variant(
                "stays-negative",
                "Believes a product of two numbers below zero lies below zero too",
                lambda p: -p.n,
                lambda p: f"{p.a} * {p.b} = {p.n}, and both are negative.",
            ),
            Variant(
                "sum-of-sizes",
                "Knows that signs cancel in a product but totals the sizes",
                lambda p: p.a + p.b,
                lambda p: f"Two minuses make a plus, so {p.a} + {p.b} = {p.a + p.b}.",
            ),
            Variant(
                "sum",
                "Puts two numbers below zero together where they should be multiplied",
                lambda p: -p.a - p.b,
                lambda p: f"-{p.a} and another -{p.b} make {-p.a - p.b}.",
            ),
            Variant(
                "difference",
                "Reads the second factor's minus as an instruction to take away",
                lambda p: p.b - p.a,
                lambda p: f"I start at -{p.a}. The minus turns round, so I go up {p.b}.",
            ),
        ),
    ),
    Rule(
        key="negative-divided",
        subject="Negative Numbers",
        construct=_PRODUCT,
        when="dividing negative numbers",
        draw=_product,
        asks=(*work_out("-{n} ÷ {a}"), "A debt of -{n} pounds is shared equally by {a} people. What number shows the debt of one of them?"),
        held_out=(*evaluate("-{n} ÷ {a}"), "The temperature change over {a} hours was -{n} degrees in even steps. What was the change in one hour?"),
        correct=lambda p: -p.b,
        variants=(
            Variant(
                "sign-lost",
                "Shares out a number below zero as though it were above",
                lambda p: p.b,
                lambda p: f"{p.n} ÷ {p.a} = {p.b}.",
            ),
            Variant(
                "subtracts",
                "Goes further down by the divisor instead of sharing",
                lambda p: -p.n - p.a,
                lambda p: f"From -{p.n} I go {p.a} down.",
            ),
            Variant(
                "adds",
                "Makes up for a minus by climbing as many steps as the divisor says",
                lambda p: p.a - p.n,
                lambda p: f"From -{p.n} I go {p.a} up, because dividing makes the debt less.",
            ),
            Variant(
                "multiplies",
                "Multiplies a number below zero by its divisor, since sharing should make it smaller",
                lambda p: -p.n * p.a,
                lambda p: f"It has to get smaller than -{p.n}, so {p.n} * {p.a} = {p.n * p.a} with a minus.",
            ),
        ),
    ),
    Rule(
        key="negative-squared",
        subject="Negative Numbers",
        construct=_PRODUCT,
        when="squaring negative numbers",
        draw=_one,
        asks=(*work_out("(-{a})²"), "What is the square of -{a}?"),
        held_out=(*evaluate("(-{a})²"), "{name} squares the number -{a}. What is the result?"),
        correct=lambda p: p.a * p.a,
        variants=(
            Variant(
                "stays-negative",
                "Squares the size and then puts the old sign back in front",
                lambda p: -p.a * p.a,
                lambda p: f"{p.a} * {p.a} = {p.a * p.a}, and the number is negative.",
            ),
            Variant(
                "doubled",
                "Doubles a number below zero where it is to be multiplied by itself",
                lambda p: -2 * p.a,
                lambda p: f"The little 2 means twice: 2 times -{p.a}.",
            ),
            Variant(
                "doubled-positive",
                "Doubles the size of a number below zero and drops its sign, since squares are never negative",
                lambda p: 2 * p.a,
                lambda p: f"The little 2 means twice, {2 * p.a}, and a square is positive.",
            ),
            Variant(
                "increased-by-exponent",
                "Moves a number below zero up by its exponent",
                lambda p: 2 - p.a,
                lambda p: f"I add the little 2 to -{p.a}.",
            ),
        ),
    ),
    Rule(
        key="coldest-reading",
        subject="Negative Numbers",
        construct="Order negative numbers",
        when="ordering negative numbers",
        draw=_readings,
        asks=("Which of these is the smallest? {text}", "Temperatures in °C: {text}. Which is the coldest?", "Choose the lowest number: {text}"),
        held_out=(
            "Five places lie at these heights in metres: {text}. Which lies deepest?",
            "Which of these lies furthest to the left on a number line? {text}",
        ),
        correct=lambda p: -max(p.below),
        variants=(
            Variant(
                "least-below",
                "Orders numbers below zero by their sizes, so the one just under zero counts as least",
                lambda p: -min(p.below),
                lambda p: f"Of {p.text} the negative ones are the smallest, and {min(p.below)} is the smallest of their digits.",
            ),
            Variant(
                "negatives-left-out",
                "Takes no account of numbers below zero when looking for the least one",
                lambda p: min(p.above),
                lambda p: f"Among the real numbers in {p.text} the smallest is {min(p.above)}.",
            ),
            Variant(
                "largest",
                "Looks at the opposite end of an order that runs through zero",
                lambda p: max(p.above),
                lambda p: f"I order {p.text} and read off the end.",
            ),
            Variant(
                "middle-below",
                "Takes whichever number below zero lies between the others as the least",
                lambda p: -sorted(p.below)[1],
                lambda p: f"I sort the negative ones of {p.text} and take the one in between.",
            ),
        ),
    ),
    Rule(
        key="temperature-rise",
        subject="Negative Numbers",
        construct="Find the difference between positive and negative numbers",
        when="finding a difference across zero",
        draw=_two,
        asks=(
            "The temperature goes from -{a} °C to {b} °C. By how many degrees does it rise?",
            "At night it is -{a} °C and by day {b} °C. What is the difference in degrees?",
            "How many degrees warmer is {b} °C than -{a} °C?",
        ),
        held_out=(
            "A lift goes from floor -{a} to floor {b}. How many floors does it climb?",
            "A bird flies from {b} m above the sea down to a fish at -{a} m. Through how many metres does it fall?",
        ),
        correct=lambda p: p.a + p.b,
        variants=(
            Variant(
                "sizes-subtracted",
                "Takes the lesser size from the greater, as though both readings were on the same side of zero",
                lambda p: abs(p.b - p.a),
                lambda p: f"The numbers are {p.a} and {p.b}. They differ by {abs(p.b - p.a)}.",
            ),
            Variant(
                "to-zero",
                "Stops the distance at zero when it should go on to the other side",
                lambda p: p.a,
                lambda p: f"From -{p.a} up to 0 there are {p.a}.",
            ),
            Variant(
                "from-zero",
                "Starts a distance at zero when it should start below",
                lambda p: p.b,
                lambda p: f"Degrees begin at 0, so up to {p.b} there are {p.b}.",
            ),
            Variant(
                "zero-left-out",
                "Leaves the zero mark out when counting a distance between opposite sides",
                lambda p: p.a + p.b - 1,
                lambda p: f"-{p.a} to -1 is {p.a - 1}, then 1 comes next, and 1 to {p.b} is {p.b - 1}: {p.a - 1} + 1 + {p.b - 1}.",
            ),
            Variant(
                "marks-counted",
                "Counts the marks of a scale, both ends included, where the gaps between them are wanted",
                lambda p: p.a + p.b + 1,
                lambda p: f"I count every mark: {p.a} below, {p.b} above and the 0.",
            ),
        ),
    ),
)
