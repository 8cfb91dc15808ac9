"""Averages, spread and charts."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import Answer, dec, half, listed
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_AVERAGES: Final = "Find averages and spread from a list of data"
_TABLES: Final = "Find averages from a frequency table"


def _odd_list(d: Draw) -> Numbers:
    n = d.pick((5, 7))
    data = tuple(d.whole(2, 20) for _ in range(n - 1))
    last = d.whole(2, 20)
    last += -(sum(data) + last) % n
    data = (*data, last)
    ranked = sorted(data)
    return Numbers(data=data, text=listed(data), ranked=ranked, n=n, total=sum(data), median=ranked[n // 2], low=ranked[0], high=ranked[-1])


def _mode_list(d: Draw) -> Numbers:
    mode, *others = d.some(range(2, 20), 5)
    times = d.whole(2, 3)
    data = d.some([mode] * times + others, 4 + times)
    ranked = sorted(data)
    return Numbers(
        text=listed(data),
        mode=mode,
        times=times,
        high=ranked[-1],
        low=ranked[0],
        last=data[-1],
        median=half(ranked[len(data) // 2] + ranked[(len(data) - 1) // 2]),
    )


def _table(d: Draw) -> Numbers:
    start = d.whole(0, 2)
    values = tuple(range(start, start + 4))
    while True:
        counts = tuple(d.whole(1, 12) for _ in values)
        total, n = sum(v * c for v, c in zip(values, counts, strict=True)), sum(counts)
        if total * 20 % n == 0:
            break
    table = ", ".join(f"{v} (frequency {c})" for v, c in zip(values, counts, strict=True))
    return Numbers(values=values, counts=counts, table=table, total=total, n=n, vsum=sum(values))


def _missing(d: Draw) -> Numbers:
    n, m = d.whole(4, 6), d.whole(6, 20)
    known = tuple(m + d.whole(-5, 5) for _ in range(n - 1))
    return Numbers(n=n, m=m, text=listed(known), known=sum(known))


def _groups(d: Draw) -> Numbers:
    a, b = d.some((4, 5, 6, 8, 10, 12, 15, 20), 2)
    x, y = d.some(range(4, 30), 2)
    return Numbers(a=a, b=b, x=x, y=y, total=a * x + b * y)


def _pie(d: Draw) -> Numbers:
    n = d.pick((20, 24, 30, 36, 40, 60, 72, 90, 120, 180))
    return Numbers(n=n, f=(f := d.whole(2, n // 2 - 1)), each=360 // n, angle=360 // n * f)


def _exact(top: int, bottom: int) -> Answer:
    """top / bottom as a decimal where that ends after two places, else as a fraction."""
    return dec(100 * top // bottom, 2) if 100 * top % bottom == 0 else Fraction(top, bottom)


RULES: Final = (
    Rule(
        key="mean-of-list",
        subject="Averages and Range",
        construct=_AVERAGES,
        when="finding the mean",
        draw=_odd_list,
        asks=(
            "Find the mean of {text}",
            "What is the mean of these numbers? {text}",
            "{name} scores {text}. What is the mean score?",
        ),
        held_out=("The points {text} are spread evenly over all {n} games. How many points is that for each game?",),
        correct=lambda p: p.total // p.n,
        variants=(
            Variant("total", "Adds all data values and forgets to share evenly", lambda p: p.total, lambda p: f"I add up {p.text}."),
            Variant(
                "median",
                "Gives the value in the middle of the order when even sharing is meant",
                lambda p: p.median,
                lambda p: f"I sort {p.text} and take the middle.",
            ),
            Variant(
                "midrange",
                "Takes the point halfway between least and greatest for the even share",
                lambda p: half(p.low + p.high),
                lambda p: f"{p.low} + {p.high} = {p.low + p.high}, and half of it.",
            ),
            Variant(
                "one-too-few",
                "Divides the total by the number of gaps, one fewer than there are values",
                lambda p: _exact(p.total, p.n - 1),
                lambda p: f"The total is {p.total}, ÷ {p.n - 1}.",
            ),
            Variant(
                "always-two",
                "Divides the total by two, however many values there are",
                lambda p: half(p.total),
                lambda p: f"The total is {p.total}, ÷ 2.",
            ),
            Variant(
                "range",
                "Gives how widely data spread when even sharing is meant",
                lambda p: p.high - p.low,
                lambda p: f"{p.high} - {p.low}.",
            ),
        ),
    ),
    Rule(
        key="median-of-list",
        subject="Averages and Range",
        construct=_AVERAGES,
        when="finding the median",
        draw=_odd_list,
        asks=(
            "Find the median of {text}",
            "What is the median of these numbers? {text}",
            "{name} scores {text}. What is the median score?",
        ),
        held_out=("{n} children are {text} years older than the baby. Which number belongs to the child in the middle when they line up by age?",),
        correct=lambda p: p.median,
        variants=(
            Variant(
                "unsorted",
                "Takes the value in the middle of the list as it is written",
                lambda p: p.data[p.n // 2],
                lambda p: f"In {p.text} the middle one is {p.data[p.n // 2]}.",
            ),
            Variant(
                "mean",
                "Shares the total evenly where the middle of the order is meant",
                lambda p: p.total // p.n,
                lambda p: f"The total is {p.total}, ÷ {p.n}.",
            ),
            Variant(
                "midrange",
                "Takes the point halfway between least and greatest for the middle of the order",
                lambda p: half(p.low + p.high),
                lambda p: f"{p.low} + {p.high} = {p.low + p.high}, and half of it.",
            ),
            Variant(
                "position",
                "Gives the place number of the middle value, not the value",
                lambda p: (p.n + 1) // 2,
                lambda p: f"{p.n} + 1 = {p.n + 1}, and half of it.",
            ),
            Variant(
                "one-place-early",
                "Halves the number of values and stops one place before the middle",
                lambda p: p.ranked[p.n // 2 - 1],
                lambda p: f"Half of {p.n} is about {p.n // 2}, and in order number {p.n // 2} is {p.ranked[p.n // 2 - 1]}.",
            ),
        ),
    ),
    Rule(
        key="mode-of-list",
        subject="Averages and Range",
        construct=_AVERAGES,
        when="finding the mode",
        draw=_mode_list,
        asks=("Find the mode of {text}", "What is the mode of these numbers? {text}"),
        held_out=("A shop sells shoes of sizes {text} in one hour. Which is the modal size?",),
        correct=lambda p: p.mode,
        variants=(
            Variant(
                "frequency",
                "Gives how often the commonest value occurs",
                lambda p: p.times,
                lambda p: f"{p.mode} occurs {p.times} times.",
            ),
            Variant(
                "largest",
                "Understands most as the greatest value",
                lambda p: p.high,
                lambda p: f"The most in {p.text} is {p.high}.",
            ),
            Variant(
                "median",
                "Confuses the commonest value with the one in the middle of the order",
                lambda p: p.median,
                lambda p: f"I sort {p.text} and go to the middle.",
            ),
            Variant(
                "least",
                "Chooses the least value of a set for its commonest",
                lambda p: p.low,
                lambda p: f"The first of {p.text} in order is {p.low}.",
            ),
        ),
    ),
    Rule(
        key="range-of-list",
        subject="Averages and Range",
        construct=_AVERAGES,
        when="finding the range",
        draw=_odd_list,
        asks=(
            "Find the range of {text}",
            "What is the range of these numbers? {text}",
            "{name} scores {text}. What is the range of the scores?",
        ),
        held_out=("The ages on a bus are {text}. By how many years do the oldest and the youngest passenger differ?",),
        correct=lambda p: p.high - p.low,
        variants=(
            Variant("largest", "Gives the greatest value as the spread", lambda p: p.high, lambda p: f"They go up to {p.high}."),
            Variant(
                "ends-of-list",
                "Compares the values that are written first and last",
                lambda p: abs(p.data[0] - p.data[-1]),
                lambda p: f"The list goes from {p.data[0]} to {p.data[-1]}.",
            ),
            Variant(
                "inclusive",
                "Counts both extreme values when measuring the spread",
                lambda p: p.high - p.low + 1,
                lambda p: f"From {p.low} to {p.high} I count {p.high - p.low + 1} numbers.",
            ),
            Variant("count", "Gives the number of values as the spread", lambda p: p.n, lambda p: f"There are {p.n} numbers."),
            Variant(
                "sum-of-extremes",
                "Adds greatest and least value for the spread",
                lambda p: p.high + p.low,
                lambda p: f"{p.high} + {p.low}.",
            ),
        ),
    ),
    Rule(
        key="mean-from-table",
        subject="Averages and Range",
        construct=_TABLES,
        when="averaging from a table",
        draw=_table,
        asks=(
            "Scores and how often they occurred: {table}. Find the mean score",
            "A survey counts pets per home: {table}. What is the mean number of pets?",
        ),
        held_out=("Goals per match in a season: {table}. How many goals per match is that on average (mean)?",),
        correct=lambda p: _exact(p.total, p.n),
        variants=(
            Variant(
                "rows",
                "Divides a weighted total by the number of rows of a table",
                lambda p: _exact(p.total, 4),
                lambda p: f"Value times count makes {p.total} in all. There are 4 rows: {p.total} ÷ 4.",
            ),
            Variant(
                "values-only",
                "Averages the values in a table as though each had occurred once",
                lambda p: _exact(p.vsum, 4),
                lambda p: f"The values make {p.vsum}, and {p.vsum} ÷ 4.",
            ),
            Variant(
                "counts-only",
                "Averages the counts in a table, not the values",
                lambda p: _exact(p.n, 4),
                lambda p: f"The counts make {p.n}, and {p.n} ÷ 4.",
            ),
            Variant(
                "not-divided",
                "Stops at the weighted total of a table",
                lambda p: p.total,
                lambda p: f"Value times count makes {p.total} in all.",
            ),
            Variant(
                "by-values",
                "Divides a weighted total by the total of the values of a table",
                lambda p: _exact(p.total, p.vsum),
                lambda p: f"{p.total} in all, ÷ {p.vsum}, the sum of the values.",
            ),
            Variant(
                "upside-down",
                "Divides the total of the counts by the weighted total",
                lambda p: _exact(p.n, p.total),
                lambda p: f"{p.n} ÷ {p.total}.",
            ),
        ),
    ),
    Rule(
        key="missing-value-for-mean",
        subject="Averages and Range",
        construct="Solve problems with the mean",
        when="working back from a mean",
        draw=_missing,
        asks=(
            "The mean of {n} numbers is {m}. All but one of them are {text}. Find the other one",
            "{n} parcels have a mean weight of {m} kg. All but one weigh {text} kg. What does the last one weigh, in kg?",
        ),
        held_out=("{name} wants a mean of {m} after {n} tests and has {text} so far. Which mark is needed in the last test?",),
        correct=lambda p: p.n * p.m - p.known,
        variants=(
            Variant(
                "mean-itself",
                "Believes an unknown value equals the even share",
                lambda p: p.m,
                lambda p: f"The missing one must be like the mean, {p.m}.",
            ),
            Variant(
                "too-few-values",
                "Multiplies the even share by the known values only and compares",
                lambda p: abs((p.n - 1) * p.m - p.known),
                lambda p: f"{p.n - 1} * {p.m} = {(p.n - 1) * p.m}, and from {p.known} that differs by {abs((p.n - 1) * p.m - p.known)}.",
            ),
            Variant(
                "total",
                "Finds what all values together make and gives that for the unknown one",
                lambda p: p.n * p.m,
                lambda p: f"{p.n} * {p.m} = {p.n * p.m}.",
            ),
            Variant(
                "mean-minus-sum",
                "Takes the even share off the known total",
                lambda p: p.known - p.m,
                lambda p: f"{p.known} - {p.m}.",
            ),
            Variant(
                "mean-of-known",
                "Averages the known values for the unknown one",
                lambda p: Fraction(p.known, p.n - 1),
                lambda p: f"{p.known} ÷ {p.n - 1}.",
            ),
        ),
    ),
    Rule(
        key="combined-mean",
        subject="Averages and Range",
        construct="Solve problems with the mean",
        when="combining means",
        draw=_groups,
        asks=(
            "{a} boys have a mean of {x} points and {b} girls a mean of {y} points. What is the mean of all of them?",
            "The mean of {a} numbers is {x}; the mean of {b} other numbers is {y}. What is the mean of all the numbers?",
        ),
        held_out=("On {a} days a shop sold {x} cakes a day and on {b} days {y} cakes a day. How many is that a day over the whole time?",),
        correct=lambda p: Fraction(p.total, p.a + p.b),
        variants=(
            Variant(
                "mean-of-means",
                "Gives groups of different size the same weight",
                lambda p: half(p.x + p.y),
                lambda p: f"{p.x} + {p.y} = {p.x + p.y}, and half of it.",
            ),
            Variant("sum-of-means", "Adds the even shares of two groups", lambda p: p.x + p.y, lambda p: f"{p.x} + {p.y}."),
            Variant(
                "weights-exchanged",
                "Multiplies each group's even share by the size of the other group",
                lambda p: Fraction(p.a * p.y + p.b * p.x, p.a + p.b),
                lambda p: f"{p.a} * {p.y} + {p.b} * {p.x} = {p.a * p.y + p.b * p.x}, ÷ {p.a + p.b}.",
            ),
            Variant(
                "divided-by-two",
                "Weights two groups correctly but shares by their number, two",
                lambda p: half(p.total),
                lambda p: f"{p.a} * {p.x} + {p.b} * {p.y} = {p.total}, ÷ 2.",
            ),
            Variant(
                "means-by-people",
                "Divides the added even shares by the number of members",
                lambda p: Fraction(p.x + p.y, p.a + p.b),
                lambda p: f"{p.x} + {p.y} = {p.x + p.y}, ÷ {p.a + p.b}.",
            ),
        ),
    ),
    Rule(
        key="pie-chart-angle",
        subject="Charts and Graphs",
        construct="Draw and read pie charts",
        when="drawing pie charts",
        draw=_pie,
        asks=(
            "{f} of {n} people choose tea. What angle has the tea sector of a pie chart?",
            "In a survey of {n} pupils {f} walk to school. How many degrees is their sector of the pie chart?",
        ),
        held_out=("A circle diagram shows {n} votes. How wide, in degrees, is the slice for a party with {f} votes?",),
        correct=lambda p: p.angle,
        form="{}°",
        variants=(
            Variant(
                "percentage",
                "Scales a slice to a hundred instead of a full turn",
                lambda p: _exact(100 * p.f, p.n),
                lambda p: f"{p.f} ÷ {p.n}, times 100.",
            ),
            Variant(
                "count",
                "Draws a slice with as many degrees as it has members",
                lambda p: p.f,
                lambda p: f"{p.f} people, {p.f} degrees.",
            ),
            Variant(
                "half-turn",
                "Scales a slice to a half turn, like the scale of a protractor",
                lambda p: half(p.angle),
                lambda p: f"{p.f} ÷ {p.n}, times 180.",
            ),
            Variant(
                "one-member",
                "Finds the degrees of one member and forgets how many there are",
                lambda p: p.each,
                lambda p: f"360 ÷ {p.n} = {p.each}.",
            ),
            Variant(
                "by-own-count",
                "Divides a full turn by the members of a slice",
                lambda p: Fraction(360, p.f) if 360 % p.f == 0 else None,
                lambda p: f"360 ÷ {p.f}.",
            ),
        ),
    ),
)
