"""Equations, inequalities and formulae."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.phrasing import satisfy, solve
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_LINEAR: Final = "Solve linear equations"


def _two_step(d: Draw) -> Numbers:
    a, b, x = d.whole(2, 9), d.whole(2, 12), d.whole(2, 12)
    return Numbers(a=a, b=b, x=x, c=a * x + b, e=a * x - b)


def _quotient(d: Draw) -> Numbers:
    a, b, q = d.whole(2, 9), d.whole(2, 12), d.whole(2, 9)
    return Numbers(a=a, b=b, q=q, c=q + b)


def _both_sides(d: Draw) -> Numbers:
    c = d.whole(2, 6)
    a, x, b = c + d.whole(2, 6), d.whole(2, 9), d.whole(1, 12)
    return Numbers(a=a, b=b, c=c, d=(a - c) * x + b, x=x)


def _bracketed(d: Draw) -> Numbers:
    a, b, x = d.whole(2, 9), d.whole(2, 9), d.whole(2, 9)
    return Numbers(a=a, b=b, x=x, c=a * (x + b))


RULES: Final = (
    Rule(
        key="solve-two-step-plus",
        subject="Equations and Inequalities",
        construct=_LINEAR,
        when="solving equations",
        draw=_two_step,
        asks=solve("{a}x + {b} = {c}"),
        held_out=satisfy("{a}x + {b} = {c}"),
        correct=lambda p: p.x,
        form="x = {}",
        variants=(
            Variant(
                "constant-added",
                "Moves a term across the equals sign without reversing its operation",
                lambda p: Fraction(p.c + p.b, p.a),
                lambda p: f"I bring {p.b} over: {p.c} + {p.b} = {p.c + p.b}, then ÷ {p.a}.",
            ),
            Variant(
                "coefficient-subtracted",
                "Undoes a coefficient by taking it away",
                lambda p: p.c - p.b - p.a,
                lambda p: f"{p.c} - {p.b} = {p.c - p.b}, and minus {p.a} is {p.c - p.b - p.a}.",
            ),
            Variant(
                "coefficient-multiplied",
                "Multiplies by a coefficient once more where it should be undone",
                lambda p: (p.c - p.b) * p.a,
                lambda p: f"{p.c} - {p.b} = {p.c - p.b}, times {p.a} is {(p.c - p.b) * p.a}.",
            ),
            Variant(
                "coefficient-left",
                "Stops at the value of the whole letter term, coefficient included",
                lambda p: p.c - p.b,
                lambda p: f"{p.c} - {p.b} = {p.c - p.b}.",
            ),
            Variant(
                "divides-right-side-first",
                "Divides the right-hand side by the coefficient at the start but leaves the plain number on the left unshared",
                lambda p: Fraction(p.c, p.a) - p.b,
                lambda p: f"{p.c} ÷ {p.a}, and then I take {p.b} away.",
            ),
            Variant(
                "terms-merged",
                "Merges letter term and plain number on one side before undoing anything",
                lambda p: Fraction(p.c, p.a + p.b),
                lambda p: f"{p.a}x + {p.b} is {p.a + p.b}x, so {p.c} ÷ {p.a + p.b}.",
            ),
        ),
    ),
    Rule(
        key="solve-two-step-minus",
        subject="Equations and Inequalities",
        construct=_LINEAR,
        when="solving equations",
        draw=_two_step,
        asks=solve("{a}x - {b} = {e}"),
        held_out=satisfy("{a}x - {b} = {e}"),
        correct=lambda p: p.x,
        form="x = {}",
        variants=(
            Variant(
                "constant-subtracted",
                "Takes a subtracted number away a second time to be rid of it",
                lambda p: Fraction(p.e - p.b, p.a),
                lambda p: f"I take {p.b} away: {p.e} - {p.b} = {p.e - p.b}, then ÷ {p.a}.",
            ),
            Variant(
                "coefficient-subtracted",
                "Restores a subtracted number properly and then takes the coefficient away as well",
                lambda p: p.e + p.b - p.a,
                lambda p: f"{p.e} + {p.b} = {p.e + p.b}, minus {p.a}.",
            ),
            Variant(
                "coefficient-left",
                "Restores a subtracted number and believes the letter is then free",
                lambda p: p.e + p.b,
                lambda p: f"{p.e} + {p.b} = {p.e + p.b}.",
            ),
            Variant(
                "divides-then-adds",
                "Divides by the coefficient before restoring a subtracted number, which is itself not shared",
                lambda p: Fraction(p.e, p.a) + p.b,
                lambda p: f"{p.e} ÷ {p.a}, and then I add {p.b}.",
            ),
            Variant(
                "coefficient-multiplied",
                "Restores a subtracted number and then multiplies by the coefficient",
                lambda p: (p.e + p.b) * p.a,
                lambda p: f"{p.e} + {p.b} = {p.e + p.b}, times {p.a}.",
            ),
        ),
    ),
    Rule(
        key="solve-with-quotient",
        subject="Equations and Inequalities",
        construct=_LINEAR,
        when="solving equations",
        draw=_quotient,
        asks=solve("x/{a} + {b} = {c}"),
        held_out=satisfy("x/{a} + {b} = {c}"),
        correct=lambda p: p.a * p.q,
        form="x = {}",
        variants=(
            Variant(
                "divides",
                "Divides by a divisor a second time to be rid of it",
                lambda p: Fraction(p.q, p.a),
                lambda p: f"{p.c} - {p.b} = {p.q}, and that ÷ {p.a}.",
            ),
            Variant(
                "multiplies-right-side-first",
                "Multiplies only the right-hand side by a divisor and then removes the unmultiplied plain number",
                lambda p: p.c * p.a - p.b,
                lambda p: f"{p.c} * {p.a} = {p.c * p.a}, minus {p.b}.",
            ),
            Variant(
                "constant-added",
                "Brings a plain number across unreversed before undoing a divisor",
                lambda p: (p.c + p.b) * p.a,
                lambda p: f"{p.c} + {p.b} = {p.c + p.b}, times {p.a}.",
            ),
            Variant(
                "divisor-left",
                "Stops at the value of the quotient and takes it for the letter",
                lambda p: p.q,
                lambda p: f"{p.c} - {p.b} = {p.q}.",
            ),
            Variant(
                "divisor-added",
                "Undoes a divisor by adding it on",
                lambda p: p.q + p.a,
                lambda p: f"{p.c} - {p.b} = {p.q}, and + {p.a}.",
            ),
        ),
    ),
    Rule(
        key="solve-both-sides",
        subject="Equations and Inequalities",
        construct=_LINEAR,
        when="solving equations",
        draw=_both_sides,
        asks=solve("{a}x + {b} = {c}x + {d}"),
        held_out=satisfy("{a}x + {b} = {c}x + {d}"),
        correct=lambda p: p.x,
        form="x = {}",
        variants=(
            Variant(
                "letters-added",
                "Adds the letter terms of opposite sides instead of balancing them",
                lambda p: Fraction(p.d - p.b, p.a + p.c),
                lambda p: f"{p.a}x and {p.c}x are {p.a + p.c}x, {p.d} - {p.b} = {p.d - p.b}, so {p.d - p.b} ÷ {p.a + p.c}.",
            ),
            Variant(
                "constants-added",
                "Balances the letter terms of opposite sides but adds the plain numbers",
                lambda p: Fraction(p.d + p.b, p.a - p.c),
                lambda p: f"{p.a}x - {p.c}x = {p.a - p.c}x, {p.d} + {p.b} = {p.d + p.b}, so {p.d + p.b} ÷ {p.a - p.c}.",
            ),
            Variant(
                "right-letter-dropped",
                "Leaves out the letter term on the right as if it were nothing",
                lambda p: Fraction(p.d - p.b, p.a),
                lambda p: f"{p.d} - {p.b} = {p.d - p.b}, and that ÷ {p.a}.",
            ),
            Variant(
                "both-added",
                "Adds letter terms and plain numbers of opposite sides alike",
                lambda p: Fraction(p.d + p.b, p.a + p.c),
                lambda p: f"{p.a + p.c}x and {p.d + p.b}, so {p.d + p.b} ÷ {p.a + p.c}.",
            ),
            Variant(
                "last-step-subtracted",
                "Balances both sides and then takes the remaining coefficient away",
                lambda p: p.d - p.b - (p.a - p.c),
                lambda p: f"{p.a - p.c}x = {p.d - p.b}, so x is {p.d - p.b} - {p.a - p.c}.",
            ),
        ),
    ),
    Rule(
        key="solve-with-brackets",
        subject="Equations and Inequalities",
        construct=_LINEAR,
        when="solving equations",
        draw=_bracketed,
        asks=solve("{a}(x + {b}) = {c}"),
        held_out=satisfy("{a}(x + {b}) = {c}"),
        correct=lambda p: p.x,
        form="x = {}",
        variants=(
            Variant(
                "expanded-first-only",
                "Multiplies out incompletely before undoing, so the plain number inside is removed just once",
                lambda p: Fraction(p.c - p.b, p.a),
                lambda p: f"{p.a}x + {p.b} = {p.c}, so {p.c} - {p.b} = {p.c - p.b}, ÷ {p.a}.",
            ),
            Variant(
                "all-subtracted",
                "Undoes an outside factor and an inside number both by taking away",
                lambda p: p.c - p.a - p.b,
                lambda p: f"{p.c} - {p.a} - {p.b} = {p.c - p.a - p.b}.",
            ),
            Variant(
                "constant-added",
                "Divides by an outside factor and then puts the inside number on once more",
                lambda p: Fraction(p.c, p.a) + p.b,
                lambda p: f"{p.c} ÷ {p.a} = {p.c // p.a}, plus {p.b}.",
            ),
            Variant(
                "factor-not-undone",
                "Multiplies out, removes the product, and takes the remaining multiple for the letter",
                lambda p: p.c - p.a * p.b,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, and {p.c} - {p.a * p.b} = {p.c - p.a * p.b}.",
            ),
            Variant(
                "inside-left",
                "Divides by an outside factor and forgets that a number inside is left",
                lambda p: Fraction(p.c, p.a),
                lambda p: f"{p.c} ÷ {p.a} = {p.c // p.a}.",
            ),
        ),
    ),
    Rule(
        key="inequality-negative-coefficient",
        subject="Equations and Inequalities",
        construct="Solve inequalities",
        when="solving inequalities",
        draw=lambda d: Numbers(a=(a := d.whole(2, 9)), k=(k := d.whole(2, 12)), c=a * k),
        asks=("Solve -{a}x < {c}", "Solve the inequality -{a}x < {c}", "Find all x with -{a}x < {c}"),
        held_out=("For which values of x is -{a}x less than {c}?", "{name} must describe every x that makes -{a}x < {c} true. What is the answer?"),
        correct=lambda p: f"x > -{p.k}",
        variants=(
            Variant(
                "not-reversed",
                "Divides by a number below zero without turning the comparison round",
                lambda p: f"x < -{p.k}",
                lambda p: f"{p.c} ÷ -{p.a} = -{p.k}, and the sign < stays.",
            ),
            Variant(
                "minus-lost",
                "Turns the comparison round but drops the minus of the boundary",
                lambda p: f"x > {p.k}",
                lambda p: f"{p.c} ÷ {p.a} = {p.k}. Because of the minus I turn < into >.",
            ),
            Variant(
                "minus-ignored",
                "Shares as though the coefficient were above zero, keeping comparison and boundary",
                lambda p: f"x < {p.k}",
                lambda p: f"{p.c} ÷ {p.a} = {p.k}.",
            ),
            Variant(
                "equals",
                "Replaces a comparison by an equals sign and names the boundary alone",
                lambda p: f"x = -{p.k}",
                lambda p: f"I solve -{p.a}x = {p.c}: {p.c} ÷ -{p.a}.",
            ),
            Variant(
                "coefficient-added",
                "Moves a coefficient below zero across a comparison by adding it on",
                lambda p: f"x < {p.c + p.a}",
                lambda p: f"-{p.a} goes over as + {p.a}: {p.c} + {p.a} = {p.c + p.a}.",
            ),
        ),
    ),
    Rule(
        key="rearrange-formula",
        subject="Equations and Inequalities",
        construct="Change the subject of a formula",
        when="rearranging formulae",
        draw=lambda d: Numbers(a=d.whole(2, 9), b=d.whole(2, 12)),
        asks=("Make x the subject of y = {a}x + {b}", "Rearrange y = {a}x + {b} to give x", "y = {a}x + {b}. Write x in terms of y"),
        held_out=("{name} knows y and wants to compute x from y = {a}x + {b}. Which formula is needed?",),
        correct=lambda p: f"x = (y - {p.b})/{p.a}",
        variants=(
            Variant(
                "constant-unreversed",
                "Carries a plain number to the other side of a formula with its sign unchanged",
                lambda p: f"x = (y + {p.b})/{p.a}",
                lambda p: f"I bring {p.b} over to y: y + {p.b}, and divide by {p.a}.",
            ),
            Variant(
                "divided-partly",
                "Shares only the letter of the other side when making a formula's unknown stand alone",
                lambda p: f"x = y/{p.a} - {p.b}",
                lambda p: f"y divided by {p.a}, and then minus {p.b}.",
            ),
            Variant(
                "multiplied",
                "Multiplies by the coefficient when making a formula's unknown stand alone",
                lambda p: f"x = {p.a}(y - {p.b})",
                lambda p: f"First y - {p.b}, then the {p.a} goes in front.",
            ),
            Variant(
                "letters-swapped",
                "Exchanges the two letters of a formula and changes nothing else",
                lambda p: f"x = {p.a}y + {p.b}",
                lambda p: f"I swap x and y in y = {p.a}x + {p.b}.",
            ),
            Variant(
                "reversed-difference",
                "Takes the other side from the plain number instead of the plain number from the other side",
                lambda p: f"x = ({p.b} - y)/{p.a}",
                lambda p: f"I take y from {p.b} and divide by {p.a}.",
            ),
        ),
    ),
)
