"""Right-angled triangles and similar shapes."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import half
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_TRIPLES: Final = (
    (3, 4, 5),
    (6, 8, 10),
    (5, 12, 13),
    (8, 15, 17),
    (9, 12, 15),
    (7, 24, 25),
    (12, 16, 20),
    (20, 21, 29),
    (15, 20, 25),
)


def _right_triangle(d: Draw) -> Numbers:
    a, b, c = d.pick(_TRIPLES)
    k = d.whole(1, 3)
    return Numbers(a=k * a, b=k * b, c=k * c)


def _enlarged(d: Draw) -> Numbers:
    k = d.whole(2, 6)
    a, b = d.some(range(3, 15), 2)
    return Numbers(k=k, a=a, b=b, ka=k * a)


RULES: Final = (
    Rule(
        key="pythagoras-hypotenuse",
        subject="Right-angled Triangles",
        construct="Use Pythagoras' theorem",
        when="using Pythagoras",
        draw=_right_triangle,
        asks=(
            "The shorter sides of a right-angled triangle are {a} cm and {b} cm. How long is the third side?",
            "A right-angled triangle has legs of {a} cm and {b} cm. Find its hypotenuse",
        ),
        held_out=("{name} walks {a} cm east and then {b} cm north on a plan. How far from the start is that in a straight line?",),
        correct=lambda p: p.c,
        form="{} cm",
        variants=(
            Variant(
                "sum",
                "Adds the two edges at the square corner for the one opposite",
                lambda p: p.a + p.b,
                lambda p: f"{p.a} + {p.b}.",
            ),
            Variant(
                "root-forgotten",
                "Adds the squares on two edges and takes that for a length",
                lambda p: p.a**2 + p.b**2,
                lambda p: f"{p.a**2} + {p.b**2} = {p.a**2 + p.b**2}.",
            ),
            Variant(
                "area",
                "Measures the surface where the edge opposite the square corner is wanted",
                lambda p: half(p.a * p.b),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, and half of it.",
            ),
            Variant(
                "halved",
                "Halves a total of squares to come back to a length",
                lambda p: half(p.a**2 + p.b**2),
                lambda p: f"{p.a**2} + {p.b**2} = {p.a**2 + p.b**2}, and half of it.",
            ),
            Variant(
                "doubles",
                "Doubles each edge at the square corner for its square and totals",
                lambda p: 2 * (p.a + p.b),
                lambda p: f"{2 * p.a} + {2 * p.b}.",
            ),
        ),
    ),
    Rule(
        key="pythagoras-leg",
        subject="Right-angled Triangles",
        construct="Use Pythagoras' theorem",
        when="using Pythagoras",
        draw=_right_triangle,
        asks=(
            "A right-angled triangle has hypotenuse {c} cm and another side of {a} cm. How long is the third side?",
            "The longest side of a right-angled triangle is {c} cm, a shorter one {a} cm. Find the remaining side",
        ),
        held_out=("A {c} cm ladder leans on a wall with its foot {a} cm away on level ground. How high up does it reach?",),
        correct=lambda p: p.b,
        form="{} cm",
        variants=(
            Variant(
                "difference",
                "Takes the short edge from the longest one to find the other short edge",
                lambda p: p.c - p.a,
                lambda p: f"{p.c} - {p.a}.",
            ),
            Variant(
                "root-forgotten",
                "Takes one square from the other and gives that as the short edge",
                lambda p: p.c**2 - p.a**2,
                lambda p: f"{p.c**2} - {p.a**2} = {p.c**2 - p.a**2}.",
            ),
            Variant(
                "squares-added",
                "Adds the squares although the longest edge is known, and stops there",
                lambda p: p.c**2 + p.a**2,
                lambda p: f"{p.c**2} + {p.a**2} = {p.c**2 + p.a**2}.",
            ),
            Variant(
                "halved",
                "Halves a difference of squares to come back to a short edge",
                lambda p: half(p.c**2 - p.a**2),
                lambda p: f"{p.c**2} - {p.a**2} = {p.c**2 - p.a**2}, and half of it.",
            ),
            Variant(
                "sum",
                "Adds the longest edge and a short one for the other short edge",
                lambda p: p.c + p.a,
                lambda p: f"{p.c} + {p.a}.",
            ),
        ),
    ),
    Rule(
        key="similar-length",
        subject="Similarity",
        construct="Use scale factors of similar shapes",
        when="enlarging shapes",
        draw=_enlarged,
        asks=(
            "A {a} cm by {b} cm rectangle has a similar one, where the side of {a} cm becomes {ka} cm. What does the side of {b} cm become?",
            "A photo of {a} cm by {b} cm is enlarged so that {a} cm becomes {ka} cm. How long is the other side now?",
        ),
        held_out=("Triangle Q is an enlargement of triangle P. Sides {a} cm and {b} cm of P match sides {ka} cm and y of Q. Find y",),
        correct=lambda p: p.k * p.b,
        form="{} cm",
        variants=(
            Variant(
                "additive",
                "Lengthens every side by the same amount when enlarging",
                lambda p: p.b + p.ka - p.a,
                lambda p: f"{p.ka} - {p.a} = {p.ka - p.a}, so {p.b} + {p.ka - p.a}.",
            ),
            Variant(
                "reduces",
                "Divides by the scale factor where the figure grows",
                lambda p: Fraction(p.b, p.k),
                lambda p: f"{p.ka} ÷ {p.a} = {p.k}, and {p.b} ÷ {p.k}.",
            ),
            Variant(
                "area-factor",
                "Uses the square of the scale factor for a length",
                lambda p: p.k**2 * p.b,
                lambda p: f"The factor is {p.k}, squared {p.k**2}, and {p.k**2} * {p.b}.",
            ),
            Variant(
                "factor-added",
                "Adds the scale factor to a length",
                lambda p: p.b + p.k,
                lambda p: f"The factor is {p.k}, so {p.b} + {p.k}.",
            ),
            Variant(
                "same-side",
                "Believes the second side of an enlargement ends up as long as the first",
                lambda p: p.ka,
                lambda p: f"The new rectangle has {p.ka}.",
            ),
        ),
    ),
    Rule(
        key="similar-area",
        subject="Similarity",
        construct="Use scale factors of similar shapes",
        when="enlarging shapes",
        draw=lambda d: Numbers(k=d.whole(2, 6), s=d.whole(5, 30)),
        asks=(
            "A shape of area {s} cm² is enlarged with scale factor {k}. What is the area of the image?",
            "All lengths of a shape with area {s} cm² are multiplied by {k}. What is its new area?",
        ),
        held_out=("A logo covers {s} cm². It is printed {k} times as wide and {k} times as high. What does it cover then?",),
        correct=lambda p: p.s * p.k**2,
        form="{} cm²",
        variants=(
            Variant(
                "length-factor",
                "Lets a surface grow by the factor of the lengths",
                lambda p: p.s * p.k,
                lambda p: f"{p.s} * {p.k}.",
            ),
            Variant(
                "volume-factor",
                "Lets a surface grow by the cube of the factor of the lengths",
                lambda p: p.s * p.k**3,
                lambda p: f"{p.k} * {p.k} * {p.k} = {p.k**3}, times {p.s}.",
            ),
            Variant(
                "doubled-factor",
                "Doubles the factor of the lengths for a surface because it has two dimensions",
                lambda p: p.s * 2 * p.k,
                lambda p: f"Two directions: 2 * {p.k} = {2 * p.k}, times {p.s}.",
            ),
            Variant(
                "area-squared",
                "Squares the old surface and applies the factor once",
                lambda p: p.s**2 * p.k,
                lambda p: f"{p.s} * {p.s} = {p.s**2}, times {p.k}.",
            ),
            Variant(
                "added",
                "Adds the squared factor to the old surface",
                lambda p: p.s + p.k**2,
                lambda p: f"{p.k} * {p.k} = {p.k**2}, plus {p.s}.",
            ),
        ),
    ),
)
