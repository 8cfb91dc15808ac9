"""Angles in triangles, polygons and at lines."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import half
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_ANGLES: Final = "Use angle facts to find missing angles"
_POLYGON: Final = "Use interior and exterior angles of polygons"


def _two_angles(d: Draw) -> Numbers:
    a, b = d.whole(25, 80), d.whole(25, 80)
    return Numbers(a=a, b=b)


def _apex(d: Draw) -> Numbers:
    return Numbers(a=2 * d.whole(10, 70))


def _polygon(d: Draw) -> Numbers:
    n, name = d.pick(((5, "pentagon"), (6, "hexagon"), (8, "octagon"), (9, "nonagon"), (10, "decagon"), (12, "dodecagon")))
    return Numbers(n=n, name_of_shape=name, outer=360 // n)


RULES: Final = (
    Rule(
        key="triangle-third-angle",
        subject="Angles",
        construct=_ANGLES,
        when="finding angles",
        draw=_two_angles,
        asks=("Two angles of a triangle are {a}° and {b}°. What is the third?", "A triangle has angles {a}°, {b}° and x. Find x"),
        held_out=("{name} measures {a}° and {b}° at two corners of a triangle. What should the last corner measure?",),
        correct=lambda p: 180 - p.a - p.b,
        form="{}°",
        variants=(
            Variant(
                "full-turn",
                "Believes the corners of any closed figure, however few, make a full turn",
                lambda p: 360 - p.a - p.b,
                lambda p: f"360 - {p.a} - {p.b}.",
            ),
            Variant("one-subtracted", "Takes just one known corner from a half turn", lambda p: 180 - p.a, lambda p: f"180 - {p.a}."),
            Variant(
                "sum",
                "Gives the total of the known corners, an exterior value, for the unknown corner inside",
                lambda p: p.a + p.b,
                lambda p: f"{p.a} + {p.b}.",
            ),
            Variant(
                "isosceles",
                "Assumes two corners of every three-sided figure match and copies a known one",
                lambda p: p.b,
                lambda p: f"Two angles are equal, and {p.b}° is there already.",
            ),
            Variant(
                "rest-halved",
                "Takes one corner off a half turn and splits the rest evenly, as if the other two matched",
                lambda p: half(180 - p.a),
                lambda p: f"180 - {p.a} = {180 - p.a}, shared by two.",
            ),
            Variant(
                "difference",
                "Takes the gap between the known corners off a half turn",
                lambda p: 180 - abs(p.a - p.b),
                lambda p: f"The two differ by {abs(p.a - p.b)}, and 180 - {abs(p.a - p.b)}.",
            ),
        ),
    ),
    Rule(
        key="angle-on-line",
        subject="Angles",
        construct=_ANGLES,
        when="finding angles",
        draw=lambda d: Numbers(a=d.whole(20, 85)),
        asks=(
            "An angle of {a}° and an angle x lie together on a straight line. Find x",
            "A line meets a straight road at {a}° on one side. What is the angle on the other side?",
        ),
        held_out=("A door has turned {a}° out of a half turn. Through how many degrees can it still turn?",),
        correct=lambda p: 180 - p.a,
        form="{}°",
        variants=(
            Variant("full-turn", "Completes neighbours along a line to a full turn", lambda p: 360 - p.a, lambda p: f"360 - {p.a}."),
            Variant("right-angle", "Completes neighbours along a line to a quarter turn", lambda p: 90 - p.a, lambda p: f"90 - {p.a}."),
            Variant(
                "equal",
                "Believes neighbours along a line match, confusing them with opposite ones",
                lambda p: p.a,
                lambda p: f"The angles match, so x is {p.a}°.",
            ),
            Variant("hundred", "Completes neighbours along a line to a round hundred", lambda p: 100 - p.a, lambda p: f"100 - {p.a}."),
        ),
    ),
    Rule(
        key="isosceles-base-angle",
        subject="Angles",
        construct=_ANGLES,
        when="finding angles in triangles",
        draw=_apex,
        asks=(
            "An isosceles triangle has an angle of {a}° between its equal sides. Find one of the other two angles",
            "The top angle of an isosceles triangle, between the equal sides, is {a}°. How large is a base angle?",
        ),
        held_out=("A ladder and its prop are equally long and open to {a}° at the top. At what angle does each meet the level floor?",),
        correct=lambda p: 90 - p.a // 2,
        form="{}°",
        variants=(
            Variant(
                "not-halved",
                "Finds both matching corners together and gives that for one",
                lambda p: 180 - p.a,
                lambda p: f"180 - {p.a} = {180 - p.a}.",
            ),
            Variant(
                "same-as-apex",
                "Takes the corner between matching sides for one of the matching corners",
                lambda p: p.a,
                lambda p: f"Isosceles means equal, so {p.a}° again.",
            ),
            Variant(
                "apex-doubled",
                "Takes the corner between matching sides twice, as though it were the repeated one",
                lambda p: 180 - 2 * p.a if p.a < 90 else None,
                lambda p: f"Two of {p.a}° make {2 * p.a}°, and 180 - {2 * p.a}.",
            ),
            Variant(
                "full-turn-halved",
                "Splits what is left of a full turn between the matching corners",
                lambda p: 180 - p.a // 2,
                lambda p: f"360 - {p.a} = {360 - p.a}, shared by two.",
            ),
            Variant(
                "apex-halved",
                "Halves the corner between matching sides for each of the others",
                lambda p: p.a // 2,
                lambda p: f"{p.a} ÷ 2.",
            ),
        ),
    ),
    Rule(
        key="co-interior-angle",
        subject="Angles",
        construct="Use angles in parallel lines",
        when="lines are parallel",
        draw=lambda d: Numbers(a=d.whole(91, 150)),
        asks=(
            "Two parallel lines are cut by a third. Find the angle co-interior to {a}°",
            "Between parallel lines, x and {a}° are co-interior angles. What is x?",
        ),
        held_out=("In a trapezium the angles at the two ends of a slanted side are {a}° and x. The other pair of sides is parallel. Find x",),
        correct=lambda p: 180 - p.a,
        form="{}°",
        variants=(
            Variant(
                "equal",
                "Treats a C-shaped pair in the same way as a Z-shaped or F-shaped pair",
                lambda p: p.a,
                lambda p: f"Angles at parallel lines are equal: {p.a}°.",
            ),
            Variant("full-turn", "Completes a C-shaped pair to a full turn", lambda p: 360 - p.a, lambda p: f"360 - {p.a}."),
            Variant(
                "past-right-angle",
                "Takes a quarter turn off one of a C-shaped pair for the other",
                lambda p: p.a - 90,
                lambda p: f"{p.a} - 90.",
            ),
            Variant("halved", "Halves the given one of a C-shaped pair", lambda p: half(p.a), lambda p: f"{p.a} ÷ 2."),
        ),
    ),
    Rule(
        key="polygon-angle-sum",
        subject="Angles",
        construct=_POLYGON,
        when="finding angles in polygons",
        draw=lambda d: Numbers(n=d.whole(5, 15)),
        asks=(
            "What is the sum of the interior angles of a polygon with {n} sides?",
            "Find the total of all interior angles in a polygon with {n} corners",
        ),
        held_out=("{name} adds up the inside angles at all {n} corners of a polygon. What total is right?",),
        correct=lambda p: 180 * (p.n - 2),
        form="{}°",
        variants=(
            Variant(
                "one-triangle-a-side",
                "Counts one triangle for each side and forgets the turn around the middle",
                lambda p: 180 * p.n,
                lambda p: f"{p.n} triangles, so {p.n} * 180.",
            ),
            Variant(
                "one-fewer",
                "Splits a many-sided figure into one triangle fewer than it has sides",
                lambda p: 180 * (p.n - 1),
                lambda p: f"{p.n} - 1 = {p.n - 1} triangles, times 180.",
            ),
            Variant(
                "always-full-turn",
                "Gives the total of outside turns for that of inside corners",
                lambda p: 360,
                lambda p: f"Once around all {p.n} corners is a full turn.",
            ),
            Variant(
                "right-angles",
                "Counts a quarter turn for every corner of a many-sided figure",
                lambda p: 90 * p.n,
                lambda p: f"{p.n} corners of 90°.",
            ),
            Variant(
                "quadrilaterals",
                "Multiplies the reduced number of sides by a full turn, not by a half turn",
                lambda p: 360 * (p.n - 2),
                lambda p: f"{p.n} - 2 = {p.n - 2}, times 360.",
            ),
        ),
    ),
    Rule(
        key="regular-interior-angle",
        subject="Angles",
        construct=_POLYGON,
        when="finding angles in polygons",
        draw=_polygon,
        asks=(
            "What is each interior angle of a regular {name_of_shape}?",
            "Find one interior angle of a regular polygon with {n} sides",
        ),
        held_out=("A coin is a regular {name_of_shape} ({n} sides). What does {name} measure inside each corner?",),
        correct=lambda p: 180 - p.outer,
        form="{}°",
        variants=(
            Variant(
                "exterior",
                "Gives the turn outside at a corner where the inside is meant",
                lambda p: p.outer,
                lambda p: f"360 ÷ {p.n} = {p.outer}.",
            ),
            Variant(
                "total",
                "Gives the total of all inside corners for a single one",
                lambda p: 180 * (p.n - 2),
                lambda p: f"{p.n} - 2 = {p.n - 2}, times 180.",
            ),
            Variant("half-turn-shared", "Shares a half turn among all corners", lambda p: Fraction(180, p.n), lambda p: f"180 ÷ {p.n}."),
            Variant(
                "reflex",
                "Takes the outside turn off a full turn, not off a half turn",
                lambda p: 360 - p.outer,
                lambda p: f"360 ÷ {p.n} = {p.outer}, and 360 - {p.outer}.",
            ),
            Variant(
                "shared-by-triangles",
                "Shares the total of all corners among the triangles, not the corners",
                lambda p: 180,
                lambda p: f"{p.n - 2} triangles have {180 * (p.n - 2)}°, and that ÷ {p.n - 2}.",
            ),
        ),
    ),
)
