"""Prompts that are packed once: what is shared, what is predicted from where, and by which token it goes over a budget."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.shared_prompts import families, pack_shared, plan_families
from ray_pipeline.text.tokens import end_to_end


def learned(rows: list[list[int]], prompts: list[int]) -> LearnedTokens:
    flags = [np.arange(len(row)) >= prompt for row, prompt in zip(rows, prompts, strict=True)]
    return LearnedTokens(end_to_end(rows), np.concatenate(flags))


def test_by_hand() -> None:
    """Two answers to [7, 8, 9], one to [5]."""
    held = learned([[7, 8, 9, 1, 2], [5, 6], [7, 8, 9, 3]], [3, 1, 3])
    found = families(held, np.array([4, 2, 4]))
    assert [(one.rows.tolist(), one.prompt) for one in found] == [([1], 1), ([0, 2], 3)]
    batch = pack_shared(held, found)
    assert batch.ids.tolist() == [[5, 6, 7, 8, 9, 1, 2, 3]]
    assert batch.positions.tolist() == [[0, 1, 0, 1, 2, 3, 4, 3]]
    assert (batch.segments, batch.heads) == ((1, 1, 3, 2, 1), (0, 0, 2, 2, 2))
    assert batch.targets.tolist() == [6, 1, 2, 3]
    assert batch.places.tolist() == [0, 4, 5, 4]  # both first answers' tokens are predicted at the prompt's end
    assert batch.rows.tolist() == [0, 1, 1, 2]


def test_what_is_not_the_same_or_is_learned_is_not_shared() -> None:
    held = learned([[7, 8, 9, 1], [7, 8, 4, 1]], [3, 3])
    assert families(held, np.array([0, 0]))[0].prompt == 2
    held = learned([[7, 8, 9, 1], [7, 8, 9, 1]], [1, 3])
    assert families(held, np.array([0, 0]))[0].prompt == 1
    held = learned([[7, 8], [3, 4]], [0, 0])
    (one,) = families(held, np.array([0, 0]))
    assert one.prompt == 0
    batch = pack_shared(held, [one])
    assert (batch.targets.tolist(), batch.places.tolist(), batch.heads) == ([8, 4], [0, 2], (0, 1))


def test_a_family_that_is_too_long_says_its_prompt_again() -> None:
    held = learned([[1, 2, 3, 9], [1, 2, 3, 8, 8], [1, 2, 3, 7], [4, 5]], [3, 3, 3, 1])
    found = families(held, np.array([0, 0, 0, 1]))
    plan = plan_families(held, found, 6)
    assert [[(one.rows.tolist(), one.prompt) for one in micro] for micro in plan] == [[([0, 1], 3)], [([2], 3), ([3], 1)]]
    assert [[one.rows.tolist() for one in micro] for micro in plan_families(held, found, 1)] == [[[0]], [[1]], [[2]], [[3]]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, max_size=4)), min_size=1, max_size=4), st.integers(1, 30))
def test_every_target_is_there_once_behind_its_own_tokens(shape: list[tuple[int, list[int]]], budget: int) -> None:
    rows, prompts, groups = [], [], []
    for number, (prompt, answers) in enumerate(shape):
        for length in answers:
            rows.append([100 * number + place for place in range(prompt)] + [1000 + len(rows) * 10 + place for place in range(length)])
            prompts.append(prompt)
            groups.append(number)
    held = learned(rows, prompts)
    told: dict[int, list[int]] = {}
    for micro in plan_families(held, families(held, np.array(groups)), budget):
        batch = pack_shared(held, micro)
        members = np.concatenate([one.rows for one in micro])
        assert batch.ids.shape[1] <= max(budget, max(map(len, rows))) or all(len(one.rows) == 1 for one in micro)
        for target, place, row in zip(batch.targets, batch.places, batch.rows, strict=True):
            told.setdefault(int(members[row]), []).append(int(target))
            assert [*_seen(batch.ids[0], batch.segments or (), batch.heads or (), int(place)), int(target)] == rows[int(members[row])][
                : rows[int(members[row])].index(int(target)) + 1
            ]
    assert told == {number: row[prompt:] for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True))}


def _seen(ids: NDArray[np.int64], segments: tuple[int, ...], heads: tuple[int, ...], place: int) -> list[int]:
    """The tokens that the state at a place has seen, by definition."""
    starts = np.concatenate([[0], np.cumsum(segments)])
    segment = int(np.searchsorted(starts, place, side="right")) - 1
    own = ids[starts[segment] : place + 1].tolist()
    head = heads[segment]
    return own if head == segment else ids[starts[head] : starts[head + 1]].tolist() + own


def test_an_empty_plan() -> None:
    assert families(learned([[1, 2]], [1]).take(np.zeros(0, dtype=np.int64)), np.zeros(0, dtype=np.int64)) == []
    assert plan_families(learned([[1, 2]], [1]), [], 9) == []
