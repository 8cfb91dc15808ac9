"""Decimals: the four operations and powers of ten."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import dec, many, show
from ray_pipeline.data.misconceptions.phrasing import evaluate, work_out
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_SUM: Final = "Add and subtract decimals"
_PRODUCT: Final = "Multiply and divide decimals"


def _ragged(d: Draw) -> Numbers:
    """x = i.t and y = j.uv, so that the columns do not end together; x is the larger."""
    j = d.whole(1, 7)
    i, t, u, v = d.whole(j + 1, 9), d.whole(1, 9), d.whole(1, 9), d.whole(1, 9)
    return Numbers(i=i, j=j, t=t, u=u, v=v, uv=10 * u + v, x=dec(10 * i + t, 1), y=dec(100 * j + 10 * u + v, 2))


def _factors(d: Draw) -> Numbers:
    i, t, u = d.whole(1, 9), d.whole(1, 9), d.whole(2, 9)
    return Numbers(i=i, t=t, u=u, n=10 * i + t, x=dec(10 * i + t, 1), y=dec(u, 1), m=(10 * i + t) * u)


def _quotient(d: Draw) -> Numbers:
    u, k = d.whole(2, 9), d.whole(2, 9)
    return Numbers(u=u, k=k, x=u * k, y=dec(u, 1))


def _shift(d: Draw) -> Numbers:
    digits, z = d.whole(101, 999), d.whole(1, 3)
    if digits % 10 == 0:
        digits += d.whole(1, 9)
    return Numbers(digits=digits, z=z, k=10**z, whole=digits // 100, part=f"{digits % 100:02d}", x=dec(digits, 2))


def _shift_down(d: Draw) -> Numbers:
    digits, z = d.whole(101, 9999), d.whole(1, 3)
    if digits % 10 == 0:
        digits += d.whole(1, 9)
    return Numbers(digits=digits, z=z, k=10**z, x=dec(digits, 1))


RULES: Final = (
    Rule(
        key="decimal-add",
        subject="Decimals",
        construct=_SUM,
        when="adding decimals",
        draw=_ragged,
        asks=(*work_out("{x} + {y}"), "A parcel weighs {x} kg and a suitcase {y} kg. What do they weigh together, in kg?"),
        held_out=(*evaluate("{x} + {y}"), "{name} cycles {x} km before lunch and {y} km after it. How many km is that?"),
        correct=lambda p: p.x + p.y,
        variants=(
            Variant(
                "parts-as-whole-numbers",
                "Adds the digits behind the point as though they were an ordinary count, separate from those in front",
                lambda p: Decimal(f"{p.i + p.j}.{p.t + p.uv}"),
                lambda p: f"In front: {p.i} + {p.j} = {p.i + p.j}. Behind: {p.t} + {p.uv} = {p.t + p.uv}.",
            ),
            Variant(
                "right-aligned-two",
                "Lines numbers up at their last digit, ignoring place value, and then gives the total as many places as the longer one",
                lambda p: dec(10 * p.i + p.t + 100 * p.j + p.uv, 2),
                lambda p: f"Without points: {p.i}{p.t} + {p.j}{p.uv} = {10 * p.i + p.t + 100 * p.j + p.uv}. Then two places.",
            ),
            Variant(
                "right-aligned-one",
                "Lines numbers up at their last digit, ignoring place value, and then gives the total as few places as the shorter one",
                lambda p: dec(10 * p.i + p.t + 100 * p.j + p.uv, 1),
                lambda p: f"Without points: {p.i}{p.t} + {p.j}{p.uv} = {10 * p.i + p.t + 100 * p.j + p.uv}. Then one place.",
            ),
            Variant(
                "last-digit-dropped",
                "Cuts the longer number to match the shorter before totalling",
                lambda p: p.x + dec(10 * p.j + p.u, 1),
                lambda p: f"{p.x} has one place, so I use {p.j}.{p.u}: {p.x} + {p.j}.{p.u}.",
            ),
            Variant(
                "carry-lost",
                "Forgets to pass a full ten of tenths on to the ones",
                lambda p: p.x + p.y - 1 if p.t + p.u >= 10 else None,
                lambda p: f"Tenths: {p.t} + {p.u} = {p.t + p.u}, write {p.t + p.u - 10}. Ones: {p.i} + {p.j} = {p.i + p.j}.",
            ),
            Variant(
                "carry-written-down",
                "Writes both digits of an overfull tenths column behind the point instead of passing one on",
                lambda p: Decimal(f"{p.i + p.j}.{p.t + p.u}{p.v}") if p.t + p.u >= 10 else None,
                lambda p: f"Hundredths: {p.v}. Tenths: {p.t} + {p.u} = {p.t + p.u}, which I write down. Ones: {p.i + p.j}.",
            ),
        ),
    ),
    Rule(
        key="decimal-subtract",
        subject="Decimals",
        construct=_SUM,
        when="subtracting decimals",
        draw=_ragged,
        asks=(*work_out("{x} - {y}"), "A plank is {x} m long and {y} m is sawn off. How long is the rest, in m?"),
        held_out=(*evaluate("{x} - {y}"), "What must be added to {y} to make {x}?"),
        correct=lambda p: p.x - p.y,
        variants=(
            Variant(
                "parts-as-whole-numbers",
                "Finds the gap between the digits behind the point as though they were an ordinary count",
                lambda p: Decimal(f"{p.i - p.j}.{p.uv - p.t:02d}"),
                lambda p: f"In front: {p.i} - {p.j} = {p.i - p.j}. Behind: {p.uv} - {p.t} = {p.uv - p.t}.",
            ),
            Variant(
                "digit-brought-down",
                "Copies down a lone digit from the number being taken away because nothing stands above it",
                lambda p: p.x - dec(10 * p.j + p.u, 1) + dec(p.v, 2),
                lambda p: f"Nothing is above the {p.v}, so I bring {p.v} down. The rest is {p.x} - {p.j}.{p.u}.",
            ),
            Variant(
                "exchange-not-paid",
                "Takes ten hundredths from a tenth but does not make the tenths one fewer",
                lambda p: p.x - p.y + dec(1, 1),
                lambda p: f"Hundredths: 10 - {p.v} = {10 - p.v}. Tenths still {p.t}: I take away {p.u}. Ones: {p.i} and {p.j}.",
            ),
            Variant(
                "right-aligned",
                "Lines numbers up at their last digit when taking away and puts the point back two places in",
                lambda p: dec(abs(100 * p.j + p.uv - 10 * p.i - p.t), 2),
                lambda p: f"Without points these are {p.i}{p.t} and {p.j}{p.uv}. They differ by {abs(100 * p.j + p.uv - 10 * p.i - p.t)}.",
            ),
            Variant(
                "added",
                "Adds two decimal lengths where the remaining one is wanted",
                lambda p: p.x + p.y,
                lambda p: f"I line up the points and put {p.x} and {p.y} together.",
            ),
            Variant(
                "smaller-from-larger",
                "Takes the smaller digit from the greater in every decimal column, whichever stands on top",
                lambda p: dec(100 * (p.i - p.j) + 10 * (p.u - p.t) + p.v, 2) if p.u > p.t else None,
                lambda p: f"Ones: {p.i} - {p.j} = {p.i - p.j}. Tenths: {p.u} - {p.t} = {p.u - p.t}. Hundredths: {p.v} - 0 = {p.v}.",
            ),
        ),
    ),
    Rule(
        key="decimal-multiply",
        subject="Decimals",
        construct=_PRODUCT,
        when="multiplying decimals",
        draw=_factors,
        asks=(*work_out("{x} * {y}"), "One metre of cable weighs {x} kg. What do {y} metres weigh, in kg?"),
        held_out=(*evaluate("{x} * {y}"), "A strip is {x} m long and {y} m wide. What is its area in m²?"),
        correct=lambda p: dec(p.m, 2),
        variants=(
            Variant(
                "one-place",
                "Gives a product as many decimal places as each factor has, in the way a total is written",
                lambda p: dec(p.m, 1),
                lambda p: f"{p.n} * {p.u} = {p.m}. Both have one place, so one place again.",
            ),
            Variant(
                "one-place-too-many",
                "Counts the leading zero of a factor as a further decimal place of the product",
                lambda p: dec(p.m, 3),
                lambda p: f"{p.n} * {p.u} = {p.m}. I count one place, one place and the 0 in front: three places.",
            ),
            Variant(
                "parts-apart",
                "Multiplies what stands before the points and what stands behind them separately",
                lambda p: Decimal(f"0.{p.t * p.u}"),
                lambda p: f"In front: {p.i} * 0 = 0. Behind: {p.t} * {p.u} = {p.t * p.u}.",
            ),
            Variant(
                "added",
                "Adds two decimal factors, treating repeated parts as a single addition",
                lambda p: p.x + p.y,
                lambda p: f"I put {p.x} and {p.y} together.",
            ),
            Variant(
                "no-point",
                "Takes the points out for a product and never puts one back",
                lambda p: p.m,
                lambda p: f"I work with {p.n} * {p.u} = {p.m}.",
            ),
        ),
    ),
    Rule(
        key="decimal-divide",
        subject="Decimals",
        construct=_PRODUCT,
        when="dividing decimals",
        draw=_quotient,
        asks=(*work_out("{x} ÷ {y}"), "{x} litres of juice are poured into glasses of {y} litres. How many glasses are filled?"),
        held_out=(*evaluate("{x} ÷ {y}"), "How many pieces of {y} m can be cut from {x} m of rope?"),
        correct=lambda p: p.k * 10,
        variants=(
            Variant(
                "point-ignored",
                "Divides as though a divisor below one were the whole number with its digits",
                lambda p: p.k,
                lambda p: f"{p.x} ÷ {p.u} = {p.k}.",
            ),
            Variant(
                "shrinks",
                "Believes sharing by a number below one must make the result ten times less, not ten times more",
                lambda p: dec(p.k, 1),
                lambda p: f"{p.x} ÷ {p.u} = {p.k}. There is one decimal place, so I put the point in.",
            ),
            Variant(
                "multiplies",
                "Thinks sharing always makes smaller and so multiplies by a number below one",
                lambda p: dec(p.x * p.u, 1),
                lambda p: f"Dividing must make it smaller. {p.x} * {p.u} = {p.x * p.u}, with one decimal place.",
            ),
            Variant(
                "hundredfold",
                "Makes both numbers of a quotient ten times as great and then enlarges the result once more",
                lambda p: p.k * 100,
                lambda p: f"{p.x}0 ÷ {p.u} = {p.k * 10}. I moved the point, so I put another 0 behind it.",
            ),
            Variant(
                "subtracts",
                "Takes a portion off once instead of counting how many portions there are",
                lambda p: p.x - p.y,
                lambda p: f"I take {p.y} away from {p.x}.",
            ),
        ),
    ),
    Rule(
        key="decimal-times-power-of-ten",
        subject="Decimals",
        construct="Multiply and divide by powers of 10",
        when="multiplying by powers of ten",
        draw=_shift,
        asks=(*work_out("{x} * {k}"), "One screw weighs {x} g. What do {k} screws weigh, in g?"),
        held_out=(*evaluate("{x} * {k}"), "A tile is {x} cm wide. How wide is a row of {k} tiles, in cm?"),
        correct=lambda p: p.x * p.k,
        variants=(
            Variant(
                "zeros-appended",
                "Enlarges a decimal by writing zeros at its end",
                lambda p: f"{show(p.x)}{'0' * p.z}",
                lambda p: f"{p.k} has {many(p.z, 'zero')}, so I write as many behind {p.x}.",
            ),
            Variant(
                "whole-part-only",
                "Enlarges only what stands before the point",
                lambda p: Decimal(f"{p.whole * p.k}.{p.part}"),
                lambda p: f"{p.whole} * {p.k} = {p.whole * p.k}, and .{p.part} stays.",
            ),
            Variant(
                "wrong-way",
                "Moves digits towards smaller places although the number should grow",
                lambda p: dec(p.digits, 2 + p.z),
                lambda p: f"I move the point {many(p.z, 'place')} to the left.",
            ),
            Variant(
                "one-place-too-far",
                "Counts the digits of the multiplier, its one included, to see how far a growing number moves",
                lambda p: p.x * p.k * 10,
                lambda p: f"{p.k} has {p.z + 1} digits, so I move the point {p.z + 1} places.",
            ),
            Variant(
                "added",
                "Adds a multiplier of ten, a hundred or a thousand on",
                lambda p: p.x + p.k,
                lambda p: f"{p.x} and {p.k} more.",
            ),
            Variant(
                "one-place-always",
                "Moves every growing number by a single place, whichever power of ten is meant",
                lambda p: p.x * 10,
                lambda p: f"Times {p.k} means the point of {p.x} moves by one.",
            ),
        ),
    ),
    Rule(
        key="decimal-divided-by-power-of-ten",
        subject="Decimals",
        construct="Multiply and divide by powers of 10",
        when="dividing by powers of ten",
        draw=_shift_down,
        asks=(*work_out("{x} ÷ {k}"), "{x} kg of rice is shared equally among {k} bags. How many kg are in each?"),
        held_out=(*evaluate("{x} ÷ {k}"), "{k} equal steps cover {x} m. How long is one step, in m?"),
        correct=lambda p: dec(p.digits, 1 + p.z),
        variants=(
            Variant(
                "wrong-way",
                "Moves digits towards greater places although the number should shrink",
                lambda p: p.x * p.k,
                lambda p: f"I move the point of {p.x} {many(p.z, 'place')} to the right.",
            ),
            Variant(
                "one-place-too-far",
                "Counts the digits of the divisor, its one included, to see how far a shrinking number moves",
                lambda p: dec(p.digits, 2 + p.z),
                lambda p: f"{p.k} has {p.z + 1} digits, so the point of {p.x} moves {p.z + 1} places.",
            ),
            Variant(
                "point-to-front",
                "Always writes the point in front of all digits when a number is shared by a power of ten",
                lambda p: Decimal(f"0.{p.digits}"),
                lambda p: f"Dividing makes it small, so all digits of {p.x} go behind the point.",
            ),
            Variant(
                "zero-behind-point",
                "Slips zeros in directly behind the point instead of moving any digit",
                lambda p: Decimal(f"{p.digits // 10}.{'0' * p.z}{p.digits % 10}"),
                lambda p: f"{p.k} has {many(p.z, 'zero')}. I put as many behind the point of {p.x}.",
            ),
            Variant(
                "subtracted",
                "Takes a divisor of ten, a hundred or a thousand off",
                lambda p: p.x - p.k,
                lambda p: f"{p.x} take away {p.k}.",
            ),
        ),
    ),
)
