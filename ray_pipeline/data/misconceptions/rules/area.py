"""Perimeter, area and volume."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import half
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_AREA: Final = "Calculate areas and perimeters of 2D shapes"
_SOLID: Final = "Calculate volumes and surface areas of 3D shapes"


def _sides(d: Draw) -> Numbers:
    a, b = d.some(range(3, 16), 2)
    return Numbers(a=a, b=b)


def _triangle(d: Draw) -> Numbers:
    h = 2 * d.whole(2, 8)
    return Numbers(b=d.whole(5, 15), h=h, s=h + d.whole(1, 4))


def _trapezium(d: Draw) -> Numbers:
    a = d.whole(3, 9)
    return Numbers(a=a, b=a + d.whole(2, 8), h=2 * d.whole(2, 6))


def _box(d: Draw) -> Numbers:
    a, b, c = d.some(range(2, 12), 3)
    return Numbers(a=a, b=b, c=c)


RULES: Final = (
    Rule(
        key="rectangle-perimeter",
        subject="Perimeter and Area",
        construct=_AREA,
        when="finding a perimeter",
        draw=_sides,
        asks=(
            "A rectangle is {a} cm long and {b} cm wide. What is its perimeter?",
            "Find the perimeter of a rectangle with sides {a} cm and {b} cm",
        ),
        held_out=("An ant walks once around the edge of a {a} cm by {b} cm card. How far does it walk?",),
        correct=lambda p: 2 * (p.a + p.b),
        form="{} cm",
        variants=(
            Variant(
                "area",
                "Measures the surface inside where the length around is wanted",
                lambda p: p.a * p.b,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}.",
            ),
            Variant(
                "half-way",
                "Goes just half the way around, using only the sides that are labelled",
                lambda p: p.a + p.b,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}.",
            ),
            Variant(
                "three-sides",
                "Leaves one side out on the way around",
                lambda p: 2 * p.a + p.b,
                lambda p: f"{p.a} + {p.b} + {p.a}.",
            ),
            Variant(
                "as-square",
                "Uses one and the same length for all four sides",
                lambda p: 4 * p.a,
                lambda p: f"Four sides: 4 * {p.a}.",
            ),
            Variant(
                "doubled-product",
                "Doubles the surface because opposite sides come in pairs",
                lambda p: 2 * p.a * p.b,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, twice.",
            ),
        ),
    ),
    Rule(
        key="triangle-area",
        subject="Perimeter and Area",
        construct=_AREA,
        when="finding areas of triangles",
        draw=_triangle,
        asks=(
            "A triangle has base {b} cm, height {h} cm and a slanted side of {s} cm. What is its area?",
            "Find the area of a triangle with base {b} cm, perpendicular height {h} cm and sloping side {s} cm",
        ),
        held_out=("A sail is a triangle: {b} cm along the bottom, {h} cm tall, {s} cm along the slope. What is its area?",),
        correct=lambda p: p.b * p.h // 2,
        form="{} cm²",
        variants=(
            Variant(
                "not-halved",
                "Gives the surface of the box around a three-sided figure",
                lambda p: p.b * p.h,
                lambda p: f"{p.b} * {p.h} = {p.b * p.h}.",
            ),
            Variant(
                "slant-used",
                "Takes a sloping edge for how tall a three-sided figure is",
                lambda p: half(p.b * p.s),
                lambda p: f"{p.b} * {p.s} = {p.b * p.s}, and half of it.",
            ),
            Variant(
                "slant-not-halved",
                "Multiplies along two edges of a three-sided figure and does not halve",
                lambda p: p.b * p.s,
                lambda p: f"{p.b} * {p.s} = {p.b * p.s}.",
            ),
            Variant(
                "sum",
                "Adds all given lengths of a three-sided figure for its surface",
                lambda p: p.b + p.h + p.s,
                lambda p: f"{p.b} + {p.h} + {p.s}.",
            ),
            Variant(
                "all-multiplied",
                "Multiplies every given length of a three-sided figure and halves",
                lambda p: half(p.b * p.h * p.s),
                lambda p: f"{p.b} * {p.h} * {p.s}, and half of it.",
            ),
            Variant(
                "sum-halved",
                "Halves the total of width and tallness of a three-sided figure",
                lambda p: half(p.b + p.h),
                lambda p: f"{p.b} + {p.h} = {p.b + p.h}, and half of it.",
            ),
        ),
    ),
    Rule(
        key="parallelogram-area",
        subject="Perimeter and Area",
        construct=_AREA,
        when="finding areas",
        draw=_triangle,
        asks=(
            "A parallelogram has base {b} cm, slanted side {s} cm and perpendicular height {h} cm. What is its area?",
            "Find the area of a parallelogram: base {b} cm, height {h} cm, sloping side {s} cm",
        ),
        held_out=("A tile is a parallelogram, {b} cm along the bottom, {s} cm along the slope and {h} cm tall. What area does it cover?",),
        correct=lambda p: p.b * p.h,
        form="{} cm²",
        variants=(
            Variant(
                "slant-used",
                "Multiplies neighbouring edges of a leaning figure as if it stood upright",
                lambda p: p.b * p.s,
                lambda p: f"{p.b} * {p.s} = {p.b * p.s}.",
            ),
            Variant(
                "halved",
                "Halves the surface of a leaning four-sided figure as for a three-sided one",
                lambda p: p.b * p.h // 2,
                lambda p: f"{p.b} * {p.h} = {p.b * p.h}, and half of it.",
            ),
            Variant(
                "perimeter",
                "Goes around a leaning figure where its surface is wanted",
                lambda p: 2 * (p.b + p.s),
                lambda p: f"{p.b} + {p.s} + {p.b} + {p.s}.",
            ),
            Variant(
                "all-multiplied",
                "Multiplies every given length of a leaning figure",
                lambda p: p.b * p.h * p.s,
                lambda p: f"{p.b} * {p.h} * {p.s}.",
            ),
            Variant(
                "two-slants",
                "Multiplies slope and tallness of a leaning figure and leaves its width out",
                lambda p: p.s * p.h,
                lambda p: f"{p.s} * {p.h} = {p.s * p.h}.",
            ),
        ),
    ),
    Rule(
        key="trapezium-area",
        subject="Perimeter and Area",
        construct=_AREA,
        when="finding areas",
        draw=_trapezium,
        asks=(
            "A trapezium has parallel sides {a} cm and {b} cm, {h} cm apart. What is its area?",
            "Find the area of a trapezium with parallel sides of {a} cm and {b} cm and height {h} cm",
        ),
        held_out=("A table top has two parallel edges of {a} cm and {b} cm with {h} cm between them; the other edges slope. What is its area?",),
        correct=lambda p: (p.a + p.b) * p.h // 2,
        form="{} cm²",
        variants=(
            Variant(
                "not-halved",
                "Multiplies the total of two parallel edges by their distance and does not halve",
                lambda p: (p.a + p.b) * p.h,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, times {p.h}.",
            ),
            Variant(
                "product-halved",
                "Multiplies parallel edges with each other before halving",
                lambda p: p.a * p.b * p.h // 2,
                lambda p: f"{p.a} * {p.b} * {p.h}, and half of it.",
            ),
            Variant(
                "longer-only",
                "Uses the longer of two parallel edges as though the figure were upright",
                lambda p: p.b * p.h,
                lambda p: f"{p.b} * {p.h} = {p.b * p.h}.",
            ),
            Variant(
                "shorter-only",
                "Uses the shorter of two parallel edges as though the figure were upright",
                lambda p: p.a * p.h,
                lambda p: f"{p.a} * {p.h} = {p.a * p.h}.",
            ),
            Variant(
                "height-forgotten",
                "Finds the middle width between parallel edges and stops",
                lambda p: half(p.a + p.b),
                lambda p: f"{p.a} + {p.b} = {p.a + p.b}, and half of it.",
            ),
            Variant(
                "second-halved",
                "Halves only the second parallel edge's part of the surface",
                lambda p: p.a + p.b * p.h // 2,
                lambda p: f"{p.a} + {p.b} * {p.h} ÷ 2.",
            ),
        ),
    ),
    Rule(
        key="circle-area",
        subject="Perimeter and Area",
        construct="Calculate areas and circumferences of circles",
        when="working with circles",
        draw=lambda d: Numbers(r=(r := d.whole(3, 15)), d=2 * r),
        asks=(
            "A circle has diameter {d} cm. What is its area, as a multiple of π?",
            "Find the area of a circle with diameter {d} cm, in terms of π",
        ),
        held_out=("A round pond is {d} cm across. What is the exact size of its surface, with π?",),
        correct=lambda p: p.r**2,
        form="{}π cm²",
        variants=(
            Variant(
                "diameter-squared",
                "Squares the full width of a round figure, not half of it",
                lambda p: p.d**2,
                lambda p: f"{p.d} * {p.d} = {p.d**2}.",
            ),
            Variant("circumference", "Gives the rim of a round figure as its surface", lambda p: p.d, lambda p: f"π times {p.d}."),
            Variant(
                "radius-doubled",
                "Doubles the full width where half of it should be squared",
                lambda p: 2 * p.d,
                lambda p: f"Squared means times 2: {p.d} * 2 = {2 * p.d}.",
            ),
            Variant(
                "half-of-square",
                "Squares the full width of a round figure and halves afterwards",
                lambda p: 2 * p.r**2,
                lambda p: f"{p.d} * {p.d} = {p.d**2}, and half of it.",
            ),
            Variant(
                "radius",
                "Halves the width of a round figure and forgets to square",
                lambda p: p.r,
                lambda p: f"{p.d} ÷ 2 = {p.r}, times π.",
            ),
        ),
    ),
    Rule(
        key="circle-circumference",
        subject="Perimeter and Area",
        construct="Calculate areas and circumferences of circles",
        when="working with circles",
        draw=lambda d: Numbers(r=d.whole(3, 15)),
        asks=(
            "A circle has radius {r} cm. What is its circumference, as a multiple of π?",
            "Find the circumference of a circle of radius {r} cm in terms of π",
        ),
        held_out=("A wheel's spokes are {r} cm long from hub to rim. How far does it roll in one turn, as a multiple of π?",),
        correct=lambda p: 2 * p.r,
        form="{}π cm",
        variants=(
            Variant(
                "radius-as-diameter",
                "Uses the distance from the middle as though it were the full width",
                lambda p: p.r,
                lambda p: f"π times {p.r}.",
            ),
            Variant(
                "area",
                "Gives the surface of a round figure as its rim",
                lambda p: p.r**2,
                lambda p: f"{p.r} * {p.r} = {p.r**2}, times π.",
            ),
            Variant(
                "doubled-twice",
                "Doubles the distance from the middle twice on the way to the rim",
                lambda p: 4 * p.r,
                lambda p: f"The diameter is {2 * p.r}, and 2 * {2 * p.r} = {4 * p.r}.",
            ),
            Variant(
                "squared-and-doubled",
                "Doubles and also squares the distance from the middle",
                lambda p: 2 * p.r**2,
                lambda p: f"2 * {p.r} * {p.r} = {2 * p.r**2}.",
            ),
        ),
    ),
    Rule(
        key="cuboid-volume",
        subject="Volume and Surface Area",
        construct=_SOLID,
        when="finding volumes",
        draw=_box,
        asks=(
            "A cuboid measures {a} cm by {b} cm by {c} cm. What is its volume?",
            "Find the volume of a box {a} cm long, {b} cm wide and {c} cm high",
        ),
        held_out=("How many cubes of 1 cm³ fill a carton of {a} cm by {b} cm by {c} cm? Give the space in cm³.",),
        correct=lambda p: p.a * p.b * p.c,
        form="{} cm³",
        variants=(
            Variant(
                "sum",
                "Adds the three edges of a box to measure its space",
                lambda p: p.a + p.b + p.c,
                lambda p: f"{p.a} + {p.b} + {p.c}.",
            ),
            Variant(
                "surface",
                "Covers the outside of a box where its space is wanted",
                lambda p: 2 * (p.a * p.b + p.b * p.c + p.a * p.c),
                lambda p: f"The faces are {p.a * p.b}, {p.b * p.c} and {p.a * p.c}, each twice.",
            ),
            Variant(
                "base-only",
                "Multiplies two edges of a box and leaves its tallness out",
                lambda p: p.a * p.b,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}.",
            ),
            Variant(
                "base-plus-height",
                "Adds tallness to the bottom face of a box",
                lambda p: p.a * p.b + p.c,
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, plus {p.c}.",
            ),
            Variant(
                "halved",
                "Halves the space of a box as if it came to a point",
                lambda p: half(p.a * p.b * p.c),
                lambda p: f"{p.a} * {p.b} * {p.c} = {p.a * p.b * p.c}, and half of it.",
            ),
        ),
    ),
    Rule(
        key="cuboid-surface",
        subject="Volume and Surface Area",
        construct=_SOLID,
        when="finding surface areas",
        draw=_box,
        asks=(
            "A cuboid measures {a} cm by {b} cm by {c} cm. What is its surface area?",
            "Find the total surface area of a box {a} cm long, {b} cm wide and {c} cm high",
        ),
        held_out=("How much paper exactly covers a {a} cm by {b} cm by {c} cm parcel, without overlap?",),
        correct=lambda p: 2 * (p.a * p.b + p.b * p.c + p.a * p.c),
        form="{} cm²",
        variants=(
            Variant(
                "volume",
                "Fills a box where its outside should be covered",
                lambda p: p.a * p.b * p.c,
                lambda p: f"{p.a} * {p.b} * {p.c}.",
            ),
            Variant(
                "visible-faces",
                "Counts only the three faces that a drawing of a box shows",
                lambda p: p.a * p.b + p.b * p.c + p.a * p.c,
                lambda p: f"{p.a * p.b} + {p.b * p.c} + {p.a * p.c}.",
            ),
            Variant(
                "all-alike",
                "Treats all six faces of a box as copies of one",
                lambda p: 6 * p.a * p.b,
                lambda p: f"One face is {p.a * p.b}, and there are 6.",
            ),
            Variant(
                "edges",
                "Adds the edges of a box for its outside",
                lambda p: 4 * (p.a + p.b + p.c),
                lambda p: f"There are four of each edge: 4 * {p.a + p.b + p.c}.",
            ),
            Variant(
                "open-top",
                "Leaves the lid of a box out",
                lambda p: p.a * p.b + 2 * (p.b * p.c + p.a * p.c),
                lambda p: f"Bottom {p.a * p.b}, and the sides {2 * (p.b * p.c + p.a * p.c)}.",
            ),
        ),
    ),
)
