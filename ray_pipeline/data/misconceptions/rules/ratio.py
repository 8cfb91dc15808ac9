"""Ratio and proportion."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import dec, over, ratio
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_SHARE: Final = "Share an amount in a given ratio"
_SCALE: Final = "Solve problems of direct and inverse proportion"


def _coprime(d: Draw, high: int) -> tuple[int, int]:
    while True:
        a, b = d.some(range(1, high), 2)
        if gcd(a, b) == 1:
            return a, b


def _share(d: Draw) -> Numbers:
    a, b = _coprime(d, 10)
    k = d.whole(2, 12)
    return Numbers(a=a, b=b, k=k, n=k * (a + b), first=a * k)


def _units(d: Draw) -> Numbers:
    a, b = d.whole(1, 9), d.whole(1, 9)
    return Numbers(a=a, b=b, cm=10 * a, m=b)


def _recipe(d: Draw) -> Numbers:
    m, n = d.some(range(2, 13), 2)
    each = d.whole(5, 40)
    return Numbers(m=m, n=n, each=each, g=m * each)


def _workers(d: Draw) -> Numbers:
    m, n = d.some(range(2, 10), 2)
    k = d.whole(1, 4)
    return Numbers(m=m, n=n, t=n * k, work=m * n * k)


def _map(d: Draw) -> Numbers:
    k, c = d.pick((20000, 25000, 50000, 100000, 200000, 250000)), d.whole(2, 12)
    return Numbers(k=k, c=c, cm=c * k)


def _exchange(d: Draw) -> Numbers:
    r = d.pick((12, 14, 15, 16, 18, 25))
    return Numbers(rate=dec(r, 1), r=r, n=r * d.whole(2, 20))


RULES: Final = (
    Rule(
        key="ratio-share",
        subject="Ratio and Proportion",
        construct=_SHARE,
        when="sharing in a ratio",
        draw=_share,
        asks=(
            "{n} pounds are shared between Ada and Bo in the ratio {a} : {b}. How many pounds does Ada get?",
            "Divide {n} in the ratio {a} : {b}. What is the first part?",
            "A mix of sand and cement in the ratio {a} : {b} weighs {n} kg. How many kg of sand are in it?",
        ),
        held_out=(
            "A drink of juice and water in the ratio {a} : {b} fills {n} ml. How many ml of juice is that?",
            "{n} pupils choose art or music; art to music is {a} : {b}. How many choose art?",
        ),
        correct=lambda p: p.a * p.k,
        variants=(
            Variant(
                "divides-by-own-part",
                "Divides the whole by one person's number of parts",
                lambda p: Fraction(p.n, p.a) if p.n % p.a == 0 and p.a > 1 else None,
                lambda p: f"The first number is {p.a}, so {p.n} ÷ {p.a}.",
            ),
            Variant(
                "equal-halves",
                "Splits evenly because there are two shares",
                lambda p: p.n // 2 if p.n % 2 == 0 else None,
                lambda p: f"There are two shares: {p.n} ÷ 2.",
            ),
            Variant(
                "other-share",
                "Assigns the shares to the wrong way round",
                lambda p: p.b * p.k,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} parts, one is {p.k}, and {p.b} * {p.k} = {p.b * p.k}.",
            ),
            Variant(
                "one-part",
                "Finds the worth of one part and stops there",
                lambda p: p.k,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} parts, and {p.n} ÷ {p.a + p.b} = {p.k}.",
            ),
            Variant(
                "as-fraction",
                "Reads two shares written side by side as a fraction of the whole",
                lambda p: Fraction(p.n * p.a, p.b) if p.n * p.a % p.b == 0 else None,
                lambda p: f"{p.a} : {p.b} is {p.a}/{p.b}, so {p.n} * {p.a} ÷ {p.b}.",
            ),
            Variant(
                "subtracts-parts",
                "Takes a number of parts off the whole as if parts were units",
                lambda p: p.n - p.b,
                lambda p: f"The other gets {p.b}, so {p.n} - {p.b} = {p.n - p.b}.",
            ),
        ),
    ),
    Rule(
        key="ratio-one-share-known",
        subject="Ratio and Proportion",
        construct=_SHARE,
        when="sharing in a ratio",
        draw=_share,
        asks=(
            "Ada and Bo share beads in the ratio {a} : {b}. Ada has {first} beads. How many has Bo?",
            "Red and blue paint are mixed in the ratio {a} : {b}. With {first} ml of red, how many ml of blue are needed?",
        ),
        held_out=("Cats and dogs in a home are in the ratio {a} : {b}. There are {first} cats. How many dogs are there?",),
        correct=lambda p: p.b * p.k,
        variants=(
            Variant(
                "additive",
                "Keeps a fixed gap between two shares instead of a fixed multiple",
                lambda p: p.first + p.b - p.a,
                lambda p: f"{p.a} and {p.b} lie {abs(p.b - p.a)} apart, so {p.first} and the other number lie {abs(p.b - p.a)} apart too.",
            ),
            Variant(
                "share-as-total",
                "Treats one person's share as though it were the whole",
                lambda p: Fraction(p.first * p.b, p.a + p.b) if p.first * p.b % (p.a + p.b) == 0 else None,
                lambda p: f"{p.a + p.b} parts make {p.first}, so {p.b} parts are {p.first} * {p.b} ÷ {p.a + p.b}.",
            ),
            Variant(
                "total",
                "Gives all shares together where only the other one is wanted",
                lambda p: p.n,
                lambda p: f"One part is {p.first} ÷ {p.a} = {p.k}, and {p.a + p.b} parts are {p.n}.",
            ),
            Variant(
                "unit-not-found",
                "Multiplies a known share by the other number of parts without dividing first",
                lambda p: p.first * p.b if p.a > 1 else None,
                lambda p: f"{p.first} * {p.b} = {p.first * p.b}.",
            ),
            Variant(
                "one-part",
                "Reduces a known share to one part and takes that for the other share",
                lambda p: p.k if p.b > 1 else None,
                lambda p: f"{p.first} ÷ {p.a} = {p.k}.",
            ),
        ),
    ),
    Rule(
        key="ratio-with-units",
        subject="Ratio and Proportion",
        construct="Write and simplify ratios",
        when="simplifying ratios",
        draw=_units,
        asks=(
            "Simplify the ratio {cm} cm : {m} m",
            "Write {cm} cm to {m} m as a ratio in its simplest form",
            "Give {cm} cm : {m} m as a ratio of whole numbers, without units, simplified",
        ),
        held_out=(
            "A toy is {cm} cm tall, the real thing {m} m. What is the ratio of toy to real height, simplified?",
            "Compare a {cm} cm ribbon with a {m} m rope: give the simplest ratio, ribbon first.",
        ),
        correct=lambda p: ratio(p.a // gcd(p.a, 10 * p.b), 10 * p.b // gcd(p.a, 10 * p.b)),
        variants=(
            Variant(
                "units-ignored",
                "Compares bare numbers although they were measured on different scales",
                lambda p: ratio(p.cm // gcd(p.cm, p.m), p.m // gcd(p.cm, p.m)),
                lambda p: f"The numbers are {p.cm} and {p.m}, so {p.cm} : {p.m}, simplified where I can.",
            ),
            Variant(
                "thousand",
                "Uses a thousand for a hundred when bringing two measures to one scale before comparing",
                lambda p: ratio(p.a // gcd(p.a, 100 * p.b), 100 * p.b // gcd(p.a, 100 * p.b)),
                lambda p: f"{p.m} m are {p.m * 1000} cm, so {p.cm} : {p.m * 1000}, simplified.",
            ),
            Variant(
                "reversed",
                "Writes a comparison of two measures in the opposite order",
                lambda p: ratio(10 * p.b // gcd(p.a, 10 * p.b), p.a // gcd(p.a, 10 * p.b)),
                lambda p: f"{p.m} m are {p.m * 100} cm, so {p.m * 100} : {p.cm}, simplified.",
            ),
            Variant(
                "not-fully",
                "Brings measures to one scale and removes only zeros, though a shared factor is left",
                lambda p: ratio(p.a, 10 * p.b),
                lambda p: f"{p.m} m are {p.m * 100} cm, so {p.cm} : {p.m * 100}. I cross out a 0 on both sides.",
            ),
            Variant(
                "wrong-side-converted",
                "Enlarges the measure that is already on the finer scale",
                lambda p: ratio(p.cm * 100 // gcd(p.cm * 100, p.m), p.m // gcd(p.cm * 100, p.m)),
                lambda p: f"{p.cm} * 100 = {p.cm * 100}, so {p.cm * 100} : {p.m}, simplified.",
            ),
        ),
    ),
    Rule(
        key="ratio-to-fraction",
        subject="Ratio and Proportion",
        construct="Link ratios and fractions",
        when="turning ratios into fractions",
        draw=_share,
        asks=(
            "Boys and girls in a club are in the ratio {a} : {b}. What fraction are boys?",
            "Red and green sweets are in the ratio {a} : {b}. What fraction of the sweets is red?",
        ),
        held_out=("For every {a} wins a team has {b} losses and no draws. What fraction of its games does it win?",),
        correct=lambda p: Fraction(p.a, p.a + p.b),
        variants=(
            Variant(
                "part-to-part",
                "Sets one share over the other where it should be set over everything",
                lambda p: over(p.a, p.b) if p.b > 1 else None,
                lambda p: f"{p.a} : {p.b} is written {p.a} over {p.b}.",
            ),
            Variant(
                "other-part",
                "Sets the second share over everything although the first is meant",
                lambda p: over(p.b, p.a + p.b),
                lambda p: f"Together {p.a + p.b}, and I take {p.b} of them.",
            ),
            Variant(
                "unit-over-part",
                "Thinks a share of several parts is one over that many",
                lambda p: over(1, p.a) if p.a > 1 else None,
                lambda p: f"The number {p.a} means one of {p.a}.",
            ),
            Variant(
                "unit-over-total",
                "Counts all parts but allows a share only a single one of them",
                lambda p: over(1, p.a + p.b) if p.a > 1 else None,
                lambda p: f"{p.a} + {p.b} = {p.a + p.b} parts, so one out of {p.a + p.b}.",
            ),
            Variant(
                "inverted",
                "Sets everything over one share",
                lambda p: over(p.a + p.b, p.a),
                lambda p: f"All are {p.a + p.b}, the share is {p.a}: {p.a + p.b} over {p.a}.",
            ),
        ),
    ),
    Rule(
        key="recipe-scaling",
        subject="Ratio and Proportion",
        construct=_SCALE,
        when="quantities are proportional",
        draw=_recipe,
        asks=(
            "A recipe for {m} people needs {g} g of flour. How many g are needed for {n} people?",
            "{m} identical books weigh {g} g. What do {n} of them weigh, in g?",
            "A machine makes {g} bolts in {m} minutes. How many does it make in {n} minutes?",
        ),
        held_out=(
            "{m} litres of paint cover {g} m². What area do {n} litres cover, in m²?",
            "In {m} hours a pump moves {g} litres. How many litres does it move in {n} hours?",
        ),
        correct=lambda p: p.each * p.n,
        variants=(
            Variant(
                "additive",
                "Changes an amount by the same number as the quantity it depends on",
                lambda p: p.g + p.n - p.m,
                lambda p: f"{p.m} and {p.n} lie {abs(p.n - p.m)} apart, so {p.g} changes by {abs(p.n - p.m)} too.",
            ),
            Variant(
                "unit-not-found",
                "Multiplies a total that is for several as if it were for one",
                lambda p: p.g * p.n,
                lambda p: f"{p.g} * {p.n} = {p.g * p.n}.",
            ),
            Variant(
                "one-only",
                "Works back to a single unit and does not go on to the number wanted",
                lambda p: p.each,
                lambda p: f"{p.g} ÷ {p.m} = {p.each}.",
            ),
            Variant(
                "inverse",
                "Lets an amount shrink as the quantity it depends on grows",
                lambda p: Fraction(p.g * p.m, p.n) if p.g * p.m % p.n == 0 else None,
                lambda p: f"{p.g} * {p.m} = {p.g * p.m}, shared by {p.n}.",
            ),
            Variant(
                "extra-units",
                "Scales by the change in number and forgets the amount there was at the start",
                lambda p: p.each * (p.n - p.m) if p.n > p.m + 1 else None,
                lambda p: f"One needs {p.g} ÷ {p.m} = {p.each}. There are {p.n - p.m} more, so {p.each} * {p.n - p.m}.",
            ),
        ),
    ),
    Rule(
        key="workers-and-days",
        subject="Ratio and Proportion",
        construct=_SCALE,
        when="quantities are inversely proportional",
        draw=_workers,
        asks=(
            "{m} painters need {t} days for a job. How many days do {n} painters need, at the same rate?",
            "Food lasts {m} hikers {t} days. How many days does it last {n} hikers who eat as much each?",
        ),
        held_out=("{m} equal taps fill a pool in {t} hours. How many hours do {n} of them take?",),
        correct=lambda p: Fraction(p.work, p.n),
        variants=(
            Variant(
                "direct",
                "Lets time grow with the number of helpers",
                lambda p: Fraction(p.t * p.n, p.m) if p.t * p.n % p.m == 0 else None,
                lambda p: f"One belongs to {p.t} ÷ {p.m} days, so {p.n} belong to {p.n} times that.",
            ),
            Variant(
                "constant-sum",
                "Believes each further helper saves exactly one unit of time",
                lambda p: p.t - (p.n - p.m) if p.t > p.n - p.m else None,
                lambda p: f"{p.m} and {p.t} make {p.m + p.t} together. With {p.n} it must be {p.m + p.t} again.",
            ),
            Variant(
                "work-total",
                "Finds the effort of one helper alone and gives that as the time of all",
                lambda p: p.work,
                lambda p: f"{p.m} * {p.t} = {p.work}.",
            ),
            Variant(
                "time-shared",
                "Shares the stated time among the new helpers without regard to the old ones",
                lambda p: Fraction(p.t, p.n),
                lambda p: f"{p.t} ÷ {p.n} = {p.t // p.n}.",
            ),
            Variant(
                "unchanged",
                "Thinks the time is a property of the job and does not depend on helpers",
                lambda p: p.t,
                lambda p: f"The job takes {p.t}, whoever does it.",
            ),
        ),
    ),
    Rule(
        key="map-scale",
        subject="Ratio and Proportion",
        construct="Use scales and maps",
        when="using map scales",
        draw=_map,
        asks=(
            "On a map with scale 1 : {k} two towns are {c} cm apart. What is the real distance in km?",
            "The scale of a plan is 1 : {k}. How many km are {c} cm on it?",
        ),
        held_out=("{name} measures {c} cm on a 1 : {k} map. How far is the walk in km?",),
        correct=lambda p: dec(p.cm // 1000, 2),
        variants=(
            Variant(
                "metres-as-km",
                "Changes centimetres of the real distance to metres and calls these kilometres",
                lambda p: dec(p.cm, 2),
                lambda p: f"{p.c} * {p.k} = {p.cm} cm, and ÷ 100.",
            ),
            Variant(
                "thousand",
                "Goes from centimetres of the real distance to kilometres through a thousand alone",
                lambda p: dec(p.cm, 3),
                lambda p: f"{p.c} * {p.k} = {p.cm} cm, and ÷ 1000.",
            ),
            Variant(
                "scale-only",
                "Reads the real distance for one centimetre off and takes no account of how many there are",
                lambda p: dec(p.k // 1000, 2),
                lambda p: f"The scale says {p.k} cm.",
            ),
            Variant(
                "scale-divided-by-length",
                "Divides the scale number by the measured length",
                lambda p: Fraction(p.k, p.c * 100000),
                lambda p: f"{p.k} ÷ {p.c}, and then to km.",
            ),
            Variant(
                "ten-thousand",
                "Converts the real distance as though a kilometre were ten thousand centimetres",
                lambda p: dec(p.cm, 4),
                lambda p: f"{p.c} * {p.k} = {p.cm} cm, and ÷ 10000.",
            ),
        ),
        form="{} km",
    ),
    Rule(
        key="currency",
        subject="Ratio and Proportion",
        construct="Use exchange rates",
        when="exchanging money",
        draw=_exchange,
        asks=(
            "1 pound is worth {rate} dollars. How many pounds are {n} dollars worth?",
            "At {rate} dollars to the pound, change {n} dollars into pounds",
        ),
        held_out=("{name} brings {n} dollars home. A bank gives 1 pound for {rate} dollars. How many pounds does {name} get?",),
        correct=lambda p: Fraction(p.n * 10, p.r),
        variants=(
            Variant(
                "multiplied",
                "Multiplies by an exchange rate whichever way the money goes",
                lambda p: p.n * p.rate,
                lambda p: f"{p.n} * {p.rate}.",
            ),
            Variant(
                "subtracted",
                "Takes the exchange rate off the sum as though it were a fee",
                lambda p: p.n - p.rate,
                lambda p: f"{p.n} - {p.rate}.",
            ),
            Variant(
                "one-for-one",
                "Thinks a sum of money keeps its number in any currency",
                lambda p: p.n,
                lambda p: f"{p.n} stays {p.n}.",
            ),
            Variant(
                "excess-applied",
                "Uses only what the exchange rate has above one to lower the sum",
                lambda p: p.n - p.n * (p.rate - 1) if p.rate < 2 else None,
                lambda p: f"The rate is {p.rate - 1} above 1, so I take {p.rate - 1} of {p.n} off.",
            ),
        ),
    ),
)
