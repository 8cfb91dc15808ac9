"""Straight lines and transformations in coordinates."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import over, point
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_LINE: Final = "Use gradients, midpoints and equations of straight lines"


def _points(d: Draw) -> Numbers:
    x, y, m, n = d.whole(-6, 6), d.whole(-6, 6), d.whole(2, 5), d.whole(2, 6)
    return Numbers(x=x, y=y, u=x + 2 * m, v=y + 2 * n, dx=2 * m, dy=2 * n)


def _shift(d: Draw) -> Numbers:
    (x, y), (u, v) = d.some(range(1, 9), 2), d.some(range(2, 8), 2)
    return Numbers(x=x, y=y, u=u, v=-v)


def _implicit_line(d: Draw) -> Numbers:
    a, m, c = d.whole(2, 6), d.whole(2, 7), d.whole(2, 9)
    return Numbers(a=a, b=a * m, m=m, c=c)


RULES: Final = (
    Rule(
        key="midpoint",
        subject="Straight Lines",
        construct=_LINE,
        when="finding midpoints",
        draw=_points,
        asks=(
            "Find the midpoint of ({x}, {y}) and ({u}, {v})",
            "A is ({x}, {y}) and B is ({u}, {v}). What is the midpoint of AB?",
        ),
        held_out=("A pipe runs straight from ({x}, {y}) to ({u}, {v}). Where is its middle?",),
        correct=lambda p: point((p.x + p.u) // 2, (p.y + p.v) // 2),
        variants=(
            Variant(
                "difference-halved",
                "Halves the way between two places and gives this as a place",
                lambda p: point(p.dx // 2, p.dy // 2),
                lambda p: f"{p.u} - {p.x} = {p.dx} and {p.v} - {p.y} = {p.dy}, halved.",
            ),
            Variant(
                "not-halved",
                "Adds the coordinates of both ends and does not halve",
                lambda p: point(p.x + p.u, p.y + p.v),
                lambda p: f"{p.x} + {p.u} and {p.y} + {p.v}.",
            ),
            Variant(
                "coordinates-exchanged",
                "Finds the middle and writes across and up in the wrong order",
                lambda p: point((p.y + p.v) // 2, (p.x + p.u) // 2),
                lambda p: f"The halves are {(p.x + p.u) // 2} and {(p.y + p.v) // 2}, and I write the height first.",
            ),
            Variant(
                "difference",
                "Gives the way between two places as their middle",
                lambda p: point(p.dx, p.dy),
                lambda p: f"{p.u} - {p.x} = {p.dx} and {p.v} - {p.y} = {p.dy}.",
            ),
            Variant(
                "from-end",
                "Adds half of the way to the far end, not to the near one",
                lambda p: point(p.u + p.dx // 2, p.v + p.dy // 2),
                lambda p: f"Half of the way is {p.dx // 2} across and {p.dy // 2} up, from ({p.u}, {p.v}).",
            ),
        ),
    ),
    Rule(
        key="gradient-between-points",
        subject="Straight Lines",
        construct=_LINE,
        when="finding gradients",
        draw=_points,
        asks=(
            "Find the gradient of the line through ({x}, {y}) and ({u}, {v})",
            "A line goes through ({x}, {y}) and ({u}, {v}). What is its gradient?",
        ),
        held_out=("How steep is the straight path from ({x}, {y}) to ({u}, {v})? Give its gradient",),
        correct=lambda p: Fraction(p.dy, p.dx),
        variants=(
            Variant(
                "inverted",
                "Divides the way across by the way up to measure steepness",
                lambda p: Fraction(p.dx, p.dy),
                lambda p: f"{p.dx} across ÷ {p.dy} up.",
            ),
            Variant(
                "rise-only",
                "Measures steepness by the way up alone",
                lambda p: p.dy,
                lambda p: f"It climbs {p.v} - {p.y} = {p.dy}.",
            ),
            Variant(
                "coordinates-of-end",
                "Divides the coordinates of one place to measure the steepness between two",
                lambda p: Fraction(p.v, p.u) if p.u else None,
                lambda p: f"At the end it is {p.v} up and {p.u} across: {p.v} ÷ {p.u}.",
            ),
            Variant(
                "negative",
                "Mixes the order of the two places so that steepness changes its sign",
                lambda p: Fraction(-p.dy, p.dx),
                lambda p: f"{p.v} - {p.y} = {p.dy} and {p.x} - {p.u} = {-p.dx}, so {p.dy} ÷ {-p.dx}.",
            ),
            Variant(
                "difference",
                "Takes the way across from the way up to measure steepness",
                lambda p: p.dy - p.dx,
                lambda p: f"{p.dy} - {p.dx}.",
            ),
        ),
    ),
    Rule(
        key="gradient-from-equation",
        subject="Straight Lines",
        construct=_LINE,
        when="finding gradients",
        draw=_implicit_line,
        asks=("What is the gradient of the line {a}y = {b}x + {c}?", "Find the gradient of {a}y = {b}x + {c}"),
        held_out=("{name} draws the line {a}y = {b}x + {c}. How many units does it climb for each unit across?",),
        correct=lambda p: p.m,
        variants=(
            Variant(
                "coefficient-read",
                "Reads steepness off a line's formula before the other letter stands alone",
                lambda p: p.b,
                lambda p: f"The number with x is {p.b}.",
            ),
            Variant(
                "constant-read",
                "Reads the constant of a line's formula as its steepness",
                lambda p: p.c,
                lambda p: f"The number at the end is {p.c}.",
            ),
            Variant(
                "inverted",
                "Divides the coefficients of a line's formula in the wrong order",
                lambda p: over(p.a, p.b),
                lambda p: f"{p.a} over {p.b}.",
            ),
            Variant(
                "intercept",
                "Solves for where a line cuts the upright axis and calls that steepness",
                lambda p: Fraction(p.c, p.a),
                lambda p: f"{p.c} ÷ {p.a}.",
            ),
            Variant(
                "coefficient-of-y",
                "Takes the number at the upright letter for steepness",
                lambda p: p.a,
                lambda p: f"y goes up, so the number with y counts: {p.a}.",
            ),
        ),
    ),
    Rule(
        key="translate-point",
        subject="Transformations",
        construct="Translate, reflect and rotate points",
        when="translating",
        draw=_shift,
        asks=(
            "The point ({x}, {y}) is translated by the vector ({u}, {v}). What is its image?",
            "Move ({x}, {y}) by the vector ({u}, {v}). Where does it end up?",
        ),
        held_out=("A robot at ({x}, {y}) carries out the shift ({u}, {v}). Give its new position",),
        correct=lambda p: point(p.x + p.u, p.y + p.v),
        variants=(
            Variant(
                "reversed",
                "Moves against the directions that a shift states",
                lambda p: point(p.x - p.u, p.y - p.v),
                lambda p: f"{p.x} - {p.u} and {p.y} - ({p.v}).",
            ),
            Variant(
                "components-exchanged",
                "Uses the across part of a shift for up and the up part for across",
                lambda p: point(p.x + p.v, p.y + p.u),
                lambda p: f"{p.x} with {p.v} and {p.y} with {p.u}.",
            ),
            Variant(
                "sign-ignored",
                "Moves up although the second part of a shift is below zero",
                lambda p: point(p.x + p.u, p.y - p.v),
                lambda p: f"{p.u} to the right and {-p.v} up.",
            ),
            Variant(
                "across-only",
                "Carries out the across part of a shift and forgets the other",
                lambda p: point(p.x + p.u, p.y),
                lambda p: f"{p.x} + {p.u} = {p.x + p.u}, and the height stays.",
            ),
            Variant(
                "vector-itself",
                "Takes a shift for the place where it leads",
                lambda p: point(p.u, p.v),
                lambda p: f"It goes to {p.u} across and {p.v} up.",
            ),
        ),
    ),
    Rule(
        key="reflect-in-x-axis",
        subject="Transformations",
        construct="Translate, reflect and rotate points",
        when="reflecting",
        draw=_shift,
        asks=(
            "The point ({x}, {y}) is reflected in the x-axis. What is its image?",
            "Reflect ({x}, {y}) in the x-axis. Where does it end up?",
        ),
        held_out=("The horizontal axis is a mirror. Where does {name} see the mirror image of ({x}, {y})?",),
        correct=lambda p: point(p.x, -p.y),
        variants=(
            Variant(
                "other-axis",
                "Flips left and right in a level mirror because the first coordinate shares its letter",
                lambda p: point(-p.x, p.y),
                lambda p: f"x-axis, so x changes its sign: -{p.x}.",
            ),
            Variant(
                "both-signs",
                "Changes both signs in a level mirror, as a half turn does",
                lambda p: point(-p.x, -p.y),
                lambda p: f"Both turn round: -{p.x} and -{p.y}.",
            ),
            Variant(
                "exchanged",
                "Exchanges the coordinates in a level mirror, as a slanted mirror does",
                lambda p: point(p.y, p.x),
                lambda p: f"{p.y} and {p.x} change places.",
            ),
            Variant(
                "on-the-mirror",
                "Drops a place onto a level mirror and leaves it there",
                lambda p: point(p.x, 0),
                lambda p: f"Straight down from {p.y} to the axis.",
            ),
        ),
    ),
)
