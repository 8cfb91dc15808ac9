"""CodeDPO's scores: two rounds by hand, a plain loop of fractions, and what must hold of any outcomes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ray_pipeline.config import parse
from ray_pipeline.data.pairs.mutual_scores import mutual_scores, outranks
from ray_pipeline.data.pairs.settings import MutualSettings
from ray_pipeline.errors import DataError, SettingsError

EXAMPLE = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=np.bool_)
OUTCOMES = arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 4)))


def asked(**values: Any) -> MutualSettings:
    return parse(MutualSettings, values)


def test_two_rounds_by_hand() -> None:
    """From 1 each: after one round 2.7, 1.85 and 1 for 3, 2 and 1 passed tests; 5.25, 4.4 and 2.7 for the tests."""
    one, two = mutual_scores(EXAMPLE, asked(rounds=1)), mutual_scores(EXAMPLE, asked(rounds=2))
    assert one.solutions / one.solutions[5] == pytest.approx([2.7, 2.7, 1.85, 2.7, 1.85, 1.0])
    assert one.tests / one.solutions[5] == pytest.approx([5.25, 4.4, 2.7])
    assert two.solutions / two.solutions[5] * 4.6125 == pytest.approx([10.9025, 10.9025, 8.48, 10.9025, 8.48, 4.6125])
    assert two.tests / two.solutions[5] * 4.6125 == pytest.approx([11.6675, 10.69, 7.29])
    assert two.rounds == 2 and two.solutions.sum() + two.tests.sum() == pytest.approx(1.0)


@settings(deadline=None)
@given(OUTCOMES, st.integers(1, 6))
def test_a_plain_loop_of_fractions(passes: np.ndarray, rounds: int) -> None:
    """Without dividing by anything: the same ratios."""
    d = Fraction(17, 20)
    solutions, tests = [Fraction(1)] * len(passes), [Fraction(1)] * passes.shape[1]
    for _ in range(rounds):
        new_solutions = [(1 - d) * old + d * sum(tests[j] for j in range(len(tests)) if passes[i, j]) for i, old in enumerate(solutions)]
        tests = [(1 - d) * old + d * sum(solutions[i] for i in range(len(solutions)) if passes[i, j]) for j, old in enumerate(tests)]
        solutions = new_solutions
    whole = sum(solutions) + sum(tests)
    found = mutual_scores(passes, asked(rounds=rounds))
    assert found.solutions == pytest.approx([float(one / whole) for one in solutions])
    assert found.tests == pytest.approx([float(one / whole) for one in tests])


@settings(deadline=None)
@given(OUTCOMES, st.randoms())
def test_order_does_not_matter_and_passing_more_is_never_worse(passes: np.ndarray, random: Any) -> None:
    order = list(range(len(passes)))
    random.shuffle(order)
    found, shuffled = mutual_scores(passes, asked()), mutual_scores(passes[order], asked())
    assert shuffled.solutions == pytest.approx(found.solutions[order])
    for i, one in enumerate(passes):
        for j, other in enumerate(passes):
            if (one >= other).all():
                assert not outranks(found.solutions[j], found.solutions[i])


def test_it_is_no_count_of_passed_tests() -> None:
    """Three agree on two tests; one passes two other tests that nobody else passes: as many, and worth less."""
    passes = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], dtype=np.bool_)
    found = mutual_scores(passes, asked())
    assert outranks(found.solutions[0], found.solutions[3])
    assert mutual_scores(passes, asked(rounds=200)).solutions[3] < 1e-12  # the trap of many rounds


def test_it_stops_when_nothing_moves_and_ends_at_the_leading_singular_vectors() -> None:
    found = mutual_scores(EXAMPLE, asked(rounds=1000, tolerance=1e-12))
    assert found.rounds < 400 and found.moved < 1e-12
    left, _, right = np.linalg.svd(EXAMPLE.astype(float))
    leading = np.abs(np.concatenate([left[:, 0], right[0]]))
    assert np.concatenate([found.solutions, found.tests]) == pytest.approx(leading / leading.sum(), abs=1e-9)
    assert mutual_scores(EXAMPLE, asked()).rounds == 10


def test_nothing_passed_is_all_alike_and_nothing_asked_is_refused() -> None:
    assert mutual_scores(np.zeros((3, 2), dtype=np.bool_), asked()).solutions == pytest.approx([0.2] * 3)
    for shape in ((0, 3), (3, 0), (3,)):
        with pytest.raises(DataError, match="passes has shape"):
            mutual_scores(np.zeros(shape, dtype=np.bool_), asked())
    for damping in (0.0, 1.0):  # the first moves nothing; with the second scores may swing for ever
        with pytest.raises(SettingsError):
            asked(damping=damping)
