"""Probability of single and combined events."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import dec, over
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant

_SINGLE: Final = "Find probabilities of single events"
_COMBINED: Final = "Find probabilities of combined events"


def _bag(d: Draw) -> Numbers:
    r, b = d.some(range(2, 12), 2)
    return Numbers(r=r, b=b, n=r + b)


def _two_chances(d: Draw) -> Numbers:
    a, b = d.some(range(1, 10), 2)
    return Numbers(a=a, b=b, pa=dec(a, 1), pb=dec(b, 1))


def _half_of(value: Decimal) -> Decimal:
    return value * Decimal("0.5")


RULES: Final = (
    Rule(
        key="single-probability",
        subject="Probability",
        construct=_SINGLE,
        when="finding a probability",
        draw=_bag,
        asks=(
            "A bag has {r} red and {b} blue balls. One is taken at random. What is the probability that it is red?",
            "{r} of the cards in a hat are red and the other {b} are blue. Find the probability of drawing a red one",
        ),
        held_out=("A tin holds {r} red and {b} blue sweets. {name} takes one without looking. How likely is red?",),
        correct=lambda p: Fraction(p.r, p.n),
        variants=(
            Variant(
                "part-to-part",
                "Compares favourable with unfavourable outcomes, as odds do",
                lambda p: over(p.r, p.b),
                lambda p: f"{p.r} red to {p.b} blue.",
            ),
            Variant(
                "one-over-favourable",
                "Puts one over the number of favourable outcomes",
                lambda p: over(1, p.r),
                lambda p: f"I take one of {p.r} red ones.",
            ),
            Variant(
                "one-over-all",
                "Counts a single favourable outcome among all of them",
                lambda p: over(1, p.n),
                lambda p: f"I take one, and there are {p.n}.",
            ),
            Variant(
                "complement",
                "States the chance of the opposite outcome",
                lambda p: Fraction(p.b, p.n),
                lambda p: f"{p.b} of the {p.n} are blue.",
            ),
            Variant(
                "equal-chances",
                "Believes outcomes of two kinds are always equally likely",
                lambda p: Fraction(1, 2),
                lambda p: "It is red or blue, one of two.",
            ),
            Variant(
                "count",
                "States how many outcomes are favourable and compares with nothing",
                lambda p: p.r,
                lambda p: f"There are {p.r} red ones.",
            ),
        ),
    ),
    Rule(
        key="complement-probability",
        subject="Probability",
        construct=_SINGLE,
        when="finding a probability",
        draw=lambda d: Numbers(t=(t := d.whole(1, 8)), h=(h := d.whole(1, 9)), q=dec(10 * t + h, 2)),
        asks=(
            "The probability of rain is {q}. What is the probability of no rain?",
            "An event has probability {q}. What is the probability that it does not happen?",
        ),
        held_out=("{name} wins a game with chance {q}. There are no draws. With what chance does {name} lose?",),
        correct=lambda p: 1 - p.q,
        variants=(
            Variant(
                "columns",
                "Completes tenths and hundredths to ten separately, so a chance and its opposite exceed one",
                lambda p: dec(10 * (10 - p.t) + 10 - p.h, 2),
                lambda p: f"Tenths: 10 - {p.t} = {10 - p.t}. Hundredths: 10 - {p.h} = {10 - p.h}.",
            ),
            Variant(
                "same",
                "Believes something and its opposite are equally likely",
                lambda p: p.q,
                lambda p: f"It happens or it does not, so {p.q} as well.",
            ),
            Variant("added", "Adds a chance to one to find its opposite", lambda p: 1 + p.q, lambda p: f"1 + {p.q}."),
            Variant(
                "from-hundred",
                "Takes a chance off a hundred as if it were a rate",
                lambda p: 100 - p.q,
                lambda p: f"100 - {p.q}.",
            ),
            Variant(
                "negative",
                "Puts a minus before a chance to find its opposite",
                lambda p: -p.q,
                lambda p: "Not happening is the reverse, so minus.",
            ),
        ),
    ),
    Rule(
        key="independent-and",
        subject="Probability",
        construct=_COMBINED,
        when="combining probabilities",
        draw=_two_chances,
        asks=(
            "Two independent events have probabilities {pa} and {pb}. What is the probability that both happen?",
            "A bus is late with probability {pa} and, independently, a train with probability {pb}. Find the probability that both are late",
        ),
        held_out=("Ann hits a target with chance {pa}, Bob with chance {pb}, independently. How likely is it that both hit?",),
        correct=lambda p: dec(p.a * p.b, 2),
        variants=(
            Variant(
                "added",
                "Adds the chances of two happenings that must come together",
                lambda p: p.pa + p.pb,
                lambda p: f"{p.pa} + {p.pb}.",
            ),
            Variant(
                "averaged",
                "Takes the middle between two chances for the chance of both",
                lambda p: _half_of(p.pa + p.pb),
                lambda p: f"{p.pa} + {p.pb}, and half of it.",
            ),
            Variant(
                "smaller",
                "Believes two happenings together are as likely as the less likely one",
                lambda p: min(p.pa, p.pb),
                lambda p: f"It fails at the harder one, {min(p.pa, p.pb)}.",
            ),
            Variant(
                "at-least-one",
                "Finds the chance of one or the other where both are required",
                lambda p: p.pa + p.pb - dec(p.a * p.b, 2),
                lambda p: f"{p.pa} + {p.pb} - {dec(p.a * p.b, 2)}.",
            ),
            Variant(
                "place-value",
                "Multiplies two chances given in tenths and writes the product in tenths as well",
                lambda p: dec(p.a * p.b, 1),
                lambda p: f"{p.a} * {p.b} = {p.a * p.b}, with one decimal place.",
            ),
        ),
    ),
    Rule(
        key="at-least-one",
        subject="Probability",
        construct=_COMBINED,
        when="combining probabilities",
        draw=lambda d: Numbers(a=(a := d.whole(1, 9)), p=dec(a, 1), q=dec(10 - a, 1)),
        asks=(
            "Each of two independent tries succeeds with probability {p}. What is the probability of at least one success?",
            "A lamp is faulty with probability {p}, independently. Two are bought. Find the probability that at least one is faulty",
        ),
        held_out=("Two friends each remember the key with chance {p}, independently. How likely is it that they have a key?",),
        correct=lambda p: 1 - p.q * p.q,
        variants=(
            Variant(
                "both",
                "Finds the chance of succeeding every time where once is enough",
                lambda p: p.p * p.p,
                lambda p: f"{p.p} * {p.p}.",
            ),
            Variant("doubled", "Doubles the chance of one try for two tries", lambda p: 2 * p.p, lambda p: f"Two tries: 2 * {p.p}."),
            Variant(
                "exactly-one",
                "Leaves out that both tries may succeed",
                lambda p: 2 * p.p * p.q,
                lambda p: f"One yes and one no, in two orders: 2 * {p.p} * {p.q}.",
            ),
            Variant(
                "none",
                "Finds the chance of failing throughout and does not take it off one",
                lambda p: p.q * p.q,
                lambda p: f"{p.q} * {p.q}.",
            ),
            Variant(
                "one-order",
                "Counts one success and one failure in a single order",
                lambda p: p.p * p.q,
                lambda p: f"One yes and one no: {p.p} * {p.q}.",
            ),
            Variant(
                "complement-of-both",
                "Takes the chance of two successes off one where that of two failures belongs",
                lambda p: 1 - p.p * p.p,
                lambda p: f"1 - {p.p} * {p.p}.",
            ),
        ),
    ),
    Rule(
        key="without-replacement",
        subject="Probability",
        construct=_COMBINED,
        when="combining probabilities",
        draw=_bag,
        asks=(
            "A bag has {r} red and {b} blue balls. Two are taken without replacement. What is the probability that both are red?",
            "From {r} red and {b} blue cards two are drawn, one after the other, and kept. Find the probability of two red cards",
        ),
        held_out=("{name} eats two sweets at random from {r} red and {b} blue ones. How likely is it that both were red?",),
        correct=lambda p: Fraction(p.r * (p.r - 1), p.n * (p.n - 1)),
        variants=(
            Variant(
                "replaced",
                "Uses the chance of the first draw again although nothing was put back",
                lambda p: Fraction(p.r * p.r, p.n * p.n),
                lambda p: f"{p.r}/{p.n} * {p.r}/{p.n}.",
            ),
            Variant(
                "top-unchanged",
                "Makes the whole one fewer for the second draw but not the favourable ones",
                lambda p: Fraction(p.r * p.r, p.n * (p.n - 1)),
                lambda p: f"{p.r}/{p.n} * {p.r}/{p.n - 1}.",
            ),
            Variant(
                "bottom-unchanged",
                "Makes the favourable ones one fewer for the second draw but not the whole",
                lambda p: Fraction(p.r * (p.r - 1), p.n * p.n),
                lambda p: f"{p.r}/{p.n} * {p.r - 1}/{p.n}.",
            ),
            Variant(
                "added",
                "Adds the chances along a path of dependent draws",
                lambda p: Fraction(p.r, p.n) + Fraction(p.r - 1, p.n - 1),
                lambda p: f"{p.r}/{p.n} + {p.r - 1}/{p.n - 1}.",
            ),
            Variant(
                "second-only",
                "Gives the chance of the second draw alone as that of the whole path",
                lambda p: Fraction(p.r - 1, p.n - 1),
                lambda p: f"One red is gone: {p.r - 1} of {p.n - 1}.",
            ),
            Variant(
                "first-halved",
                "Shares the chance of one draw among two draws",
                lambda p: Fraction(p.r, 2 * p.n),
                lambda p: f"{p.r}/{p.n}, and there are two, so half of it.",
            ),
        ),
    ),
    Rule(
        key="expected-frequency",
        subject="Probability",
        construct="Use probability to estimate frequencies",
        when="estimating from a probability",
        draw=lambda d: Numbers(a=(a := d.whole(1, 9)), p=dec(a, 1), n=10 * d.whole(3, 40)),
        asks=(
            "A spinner lands on red with probability {p}. How many reds are expected in {n} spins?",
            "A seed grows with probability {p}. About how many of {n} seeds will grow?",
        ),
        held_out=("The chance that a caller buys is {p}. {name} phones {n} people. How many sales should {name} count on?",),
        correct=lambda p: p.a * p.n // 10,
        variants=(
            Variant(
                "divided",
                "Divides the number of trials by a chance",
                lambda p: Fraction(10 * p.n, p.a) if 10 * p.n % p.a == 0 else None,
                lambda p: f"{p.n} ÷ {p.p}.",
            ),
            Variant(
                "complement",
                "Expects the opposite outcome's number of cases",
                lambda p: (10 - p.a) * p.n // 10,
                lambda p: f"1 - {p.p} = {1 - p.p}, times {p.n}.",
            ),
            Variant(
                "even",
                "Expects half of all trials to succeed, whatever the chance",
                lambda p: p.n // 2,
                lambda p: f"It happens or not: {p.n} ÷ 2.",
            ),
            Variant(
                "hundredths",
                "Uses a chance in tenths as though it were in hundredths",
                lambda p: dec(p.a * p.n, 2),
                lambda p: f"{p.a}% of {p.n}.",
            ),
            Variant(
                "tenths-as-wholes",
                "Multiplies trials by the digit of a chance and forgets the point",
                lambda p: p.a * p.n if p.a > 1 else None,
                lambda p: f"{p.a} * {p.n}.",
            ),
        ),
    ),
)
