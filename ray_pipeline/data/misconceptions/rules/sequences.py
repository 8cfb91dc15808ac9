"""Sequences: next terms, rules for the nth term."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import listed, poly
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_NTH: Final = "Find and use the nth term of a sequence"
_NEXT: Final = "Continue a sequence"


def _linear(d: Draw) -> Numbers:
    step = d.whole(2, 9)
    shift = d.whole(max(-5, 1 - step), 9) or 4
    terms = tuple(step * n + shift for n in range(1, 5))
    k = d.pick((10, 12, 15, 20, 25, 50))
    return Numbers(d=step, c=shift, a=terms[0], last=terms[3], terms=listed(terms), k=k, value=step * k + shift, tenth=step * 10 + shift)


def _rule(d: Draw) -> Numbers:
    a, b = d.some(range(2, 10), 2)
    k = d.whole(3, 12)
    return Numbers(a=a, b=b, k=k, v=a * k + b)


def _geometric(d: Draw) -> Numbers:
    a, r = d.whole(2, 7), d.whole(2, 5)
    terms = tuple(a * r**n for n in range(3))
    return Numbers(a=a, r=r, terms=listed(terms), last=terms[2], gap=terms[2] - terms[1], total=sum(terms))


def _fibonacci(d: Draw) -> Numbers:
    terms = [d.whole(1, 6), d.whole(2, 9)]
    for _ in range(3):
        terms.append(terms[-1] + terms[-2])
    return Numbers(terms=listed(tuple(terms)), last=terms[4], before=terms[3], gap=terms[4] - terms[3], total=sum(terms), first=terms[0])


RULES: Final = (
    Rule(
        key="next-linear-term",
        subject="Sequences",
        construct=_NEXT,
        when="continuing sequences",
        draw=_linear,
        asks=(
            "What is the next term? {terms}, ...",
            "Find the fifth term of the sequence {terms}, ...",
            "{terms}, ... Continue this sequence by one term",
        ),
        held_out=("Patterns 1 to 4 are made of {terms} sticks. How many sticks has pattern 5, if the rule goes on?",),
        correct=lambda p: p.last + p.d,
        variants=(
            Variant(
                "gap-grows",
                "Believes the step between neighbours must become greater each time",
                lambda p: p.last + p.d + 1,
                lambda p: f"The gaps are {p.d}, so the next gap is {p.d + 1}: {p.last} + {p.d + 1}.",
            ),
            Variant(
                "first-term-added",
                "Uses the opening value as the step to go on with",
                lambda p: p.last + p.a,
                lambda p: f"It begins with {p.a}, so {p.last} + {p.a}.",
            ),
            Variant(
                "doubled",
                "Continues by doubling although the steps are equal",
                lambda p: 2 * p.last,
                lambda p: f"It grows, so 2 * {p.last} = {2 * p.last}.",
            ),
            Variant(
                "two-steps",
                "Continues one place too far",
                lambda p: p.last + 2 * p.d,
                lambda p: f"The step is {p.d}: {p.last + p.d}, {p.last + 2 * p.d}.",
            ),
            Variant(
                "step-only",
                "States the step between neighbours where a value is wanted",
                lambda p: p.d,
                lambda p: f"From one to the next there are always {p.d}.",
            ),
        ),
    ),
    Rule(
        key="nth-term",
        subject="Sequences",
        construct=_NTH,
        when="finding a position rule",
        draw=_linear,
        asks=("Find the nth term of {terms}, ...", "Write an expression for the nth term: {terms}, ...", "{terms}, ... What is the nth term?"),
        held_out=(
            "Patterns 1 to 4 are made of {terms} tiles. Write the number of tiles in pattern n.",
            "Which formula in n gives the sequence {terms}, ...?",
        ),
        correct=lambda p: poly((p.d, "n"), (p.c, "")),
        variants=(
            Variant(
                "n-plus-step",
                "Writes the rule from one value to the next in place of a rule from the position",
                lambda p: poly((1, "n"), (p.d, "")),
                lambda p: f"Each time + {p.d}, so n + {p.d}.",
            ),
            Variant(
                "first-as-constant",
                "Uses the opening value as the constant, as though positions were counted from zero",
                lambda p: poly((p.d, "n"), (p.a, "")),
                lambda p: f"The step is {p.d} and it starts at {p.a}.",
            ),
            Variant(
                "no-constant",
                "Writes the multiples of the step and leaves the shift out",
                lambda p: poly((p.d, "n")),
                lambda p: f"It goes up in steps of {p.d}, like the {p.d} times table.",
            ),
            Variant(
                "roles-exchanged",
                "Puts the step where the shift belongs and the opening value in front of the letter",
                lambda p: poly((p.a, "n"), (p.d, "")),
                lambda p: f"It starts at {p.a}, that goes with n, and then + {p.d}.",
            ),
            Variant(
                "constant-sign",
                "Finds the shift of a position rule with the opposite sign",
                lambda p: poly((p.d, "n"), (-p.c, "")),
                lambda p: f"{p.d} * 1 = {p.d}, and between {p.d} and {p.a} there are {abs(p.c)}, which I put with the other sign.",
            ),
            Variant(
                "exponent",
                "Takes equal steps for equal powers and raises the letter",
                lambda p: poly((1, "n²"), (p.a - 1, "")),
                lambda p: f"It grows with n, so n², and to begin at {p.a} I need {p.a - 1} more.",
            ),
        ),
    ),
    Rule(
        key="term-far-along",
        subject="Sequences",
        construct=_NTH,
        when="finding distant terms of a sequence",
        draw=_linear,
        asks=("Find the {k}th term of {terms}, ...", "What is the {k}th term of the sequence {terms}, ...?"),
        held_out=("A hall has {terms}, ... seats in rows 1, 2, 3, 4, ... How many seats has row {k}?",),
        correct=lambda p: p.value,
        variants=(
            Variant(
                "one-step-too-many",
                "Counts as many steps as places from the opening value, one more than there are",
                lambda p: p.a + p.k * p.d,
                lambda p: f"It starts at {p.a} and takes {p.k} steps of {p.d}: {p.a} + {p.k * p.d}.",
            ),
            Variant(
                "step-times-place",
                "Multiplies the step by the place and leaves the opening value out of account",
                lambda p: p.k * p.d,
                lambda p: f"{p.k} * {p.d} = {p.k * p.d}.",
            ),
            Variant(
                "first-times-place",
                "Multiplies the opening value by the place",
                lambda p: p.k * p.a,
                lambda p: f"The first one is {p.a}, so the {p.k}th is {p.k} * {p.a}.",
            ),
            Variant(
                "proportional",
                "Scales an early value up in proportion to the place",
                lambda p: Fraction(p.last * p.k, 4) if p.last * p.k % 4 == 0 else None,
                lambda p: f"The 4th one is {p.last}. The {p.k}th is {p.k} ÷ 4 times as much.",
            ),
            Variant(
                "place-plus-step",
                "Adds place and step, reading a rule for neighbours as one for positions",
                lambda p: p.k + p.d,
                lambda p: f"The rule is + {p.d}, so {p.k} + {p.d}.",
            ),
        ),
    ),
    Rule(
        key="term-from-formula",
        subject="Sequences",
        construct=_NTH,
        when="using a position rule",
        draw=_rule,
        asks=("The nth term is {a}n + {b}. Find term number {k}", "A sequence has nth term {a}n + {b}. What is its {k}th term?"),
        held_out=("Pattern n needs {a}n + {b} beads. How many beads does pattern {k} need?",),
        correct=lambda p: p.v,
        variants=(
            Variant(
                "digit-placed",
                "Writes the place directly behind the coefficient of a position rule",
                lambda p: int(f"{p.a}{p.k}") + p.b,
                lambda p: f"{p.a}n is {p.a}{p.k}, plus {p.b}.",
            ),
            Variant(
                "all-added",
                "Adds coefficient, place and constant of a position rule",
                lambda p: p.a + p.k + p.b,
                lambda p: f"{p.a} + {p.k} + {p.b}.",
            ),
            Variant(
                "starts-at-zero",
                "Counts positions from zero when using a position rule",
                lambda p: p.a * (p.k - 1) + p.b,
                lambda p: f"The first one has n = 0, so this one has n = {p.k - 1}: {p.a} * {p.k - 1} + {p.b}.",
            ),
            Variant(
                "constant-inside",
                "Multiplies place and constant together by the coefficient of a position rule",
                lambda p: p.a * (p.k + p.b),
                lambda p: f"{p.k} + {p.b} = {p.k + p.b}, times {p.a}.",
            ),
            Variant(
                "coefficients-exchanged",
                "Takes the constant of a position rule as its step and the coefficient as its shift",
                lambda p: p.b * p.k + p.a,
                lambda p: f"It goes up in {p.b}s: {p.b} * {p.k} = {p.b * p.k}, plus {p.a}.",
            ),
        ),
    ),
    Rule(
        key="place-of-value",
        subject="Sequences",
        construct=_NTH,
        when="finding the position of a term",
        draw=_rule,
        asks=("The nth term is {a}n + {b}. Which term is {v}?", "At which position does {v} stand in the sequence {a}n + {b}?"),
        held_out=("Pattern n needs {a}n + {b} beads. {name} used {v} beads. Which pattern is it?",),
        correct=lambda p: p.k,
        variants=(
            Variant(
                "put-in",
                "Uses a known value as the place and computes forwards",
                lambda p: p.a * p.v + p.b,
                lambda p: f"{p.a} * {p.v} + {p.b}.",
            ),
            Variant(
                "shift-added",
                "Goes back through a position rule but puts the shift on where it should come off",
                lambda p: Fraction(p.v + p.b, p.a) if (p.v + p.b) % p.a == 0 else None,
                lambda p: f"{p.v} + {p.b} = {p.v + p.b}, ÷ {p.a}.",
            ),
            Variant(
                "not-divided",
                "Takes the shift off a known value and believes the place is found",
                lambda p: p.v - p.b,
                lambda p: f"{p.v} - {p.b} = {p.v - p.b}.",
            ),
            Variant(
                "subtracts-both",
                "Takes the coefficient off as well as the shift to find a place",
                lambda p: p.v - p.b - p.a,
                lambda p: f"{p.v} - {p.b} - {p.a}.",
            ),
        ),
    ),
    Rule(
        key="next-geometric-term",
        subject="Sequences",
        construct=_NEXT,
        when="continuing sequences",
        draw=_geometric,
        asks=("A geometric sequence begins {terms}, ... What comes next?", "Find the fourth term of the geometric sequence {terms}, ..."),
        held_out=("The number of cells grows by the same factor each hour: {terms}, ... How many are there at the next count?",),
        correct=lambda p: p.last * p.r,
        variants=(
            Variant(
                "last-gap-repeated",
                "Repeats the latest difference where a constant multiplier is at work",
                lambda p: p.last + p.gap,
                lambda p: f"The last gap is {p.gap}, so {p.last} + {p.gap}.",
            ),
            Variant(
                "doubled",
                "Doubles whatever the constant multiplier is",
                lambda p: 2 * p.last,
                lambda p: f"{p.last} + {p.last}.",
            ),
            Variant(
                "multiplier-added",
                "Adds the constant multiplier to the latest value",
                lambda p: p.last + p.r,
                lambda p: f"The factor is {p.r}, so {p.last} + {p.r}.",
            ),
            Variant(
                "all-added",
                "Adds all values so far to continue a sequence with a constant multiplier",
                lambda p: p.total,
                lambda p: f"I add up {p.terms}.",
            ),
            Variant(
                "first-as-factor",
                "Uses the opening value as the constant multiplier",
                lambda p: p.last * p.a,
                lambda p: f"It starts with {p.a}, so {p.last} * {p.a}.",
            ),
        ),
    ),
    Rule(
        key="next-fibonacci-term",
        subject="Sequences",
        construct=_NEXT,
        when="continuing sequences",
        draw=_fibonacci,
        asks=(
            "Each term is the sum of the two terms before it: {terms}, ... What comes next?",
            "A Fibonacci-type sequence begins {terms}, ... Find the next term",
        ),
        held_out=("{name} adds two neighbours to get the next number: {terms}, ... Which number follows?",),
        correct=lambda p: p.last + p.before,
        variants=(
            Variant(
                "last-gap-repeated",
                "Repeats the latest difference although the rule uses a pair of neighbours",
                lambda p: p.last + p.gap,
                lambda p: f"{p.last} - {p.before} = {p.gap}, so {p.last} + {p.gap}.",
            ),
            Variant(
                "all-added",
                "Adds every earlier value although the rule uses just a pair",
                lambda p: p.total,
                lambda p: f"I add up {p.terms}.",
            ),
            Variant(
                "doubled",
                "Uses the latest value for both members of the pair",
                lambda p: 2 * p.last,
                lambda p: f"{p.last} + {p.last}.",
            ),
            Variant(
                "first-and-last",
                "Pairs the opening value with the latest one",
                lambda p: p.first + p.last,
                lambda p: f"{p.first} + {p.last}.",
            ),
        ),
    ),
)
