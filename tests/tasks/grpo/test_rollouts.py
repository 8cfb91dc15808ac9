"""From rollouts to what is learned: advantages by prompt, what is left out and counted, EGPO's entropies of thoughts alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_pipeline.config import parse
from ray_pipeline.errors import TrainingError
from ray_pipeline.storage import Location
from ray_pipeline.tasks.grpo.batches import RolloutBatch, Values
from ray_pipeline.tasks.grpo.rollouts import Rollout, learned_from
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.unfinished import UnfinishedBatches


def rollout(prompt: str, reward: float, tokens: int = 2, **given: Any) -> Rollout:
    length = 2 if prompt == "a" else 3
    return Rollout(
        prompt,
        tuple(range(length)),
        tuple(range(10, 10 + tokens)),
        (True,) * tokens,
        (-0.5,) * tokens,
        (True, *(False,) * (tokens - 1)),
        reward,
        **given,
    )


def no_entropies(batch: RolloutBatch) -> Values:
    raise AssertionError("nobody asked")


def settings(**given: Any) -> GrpoTraining:
    return parse(GrpoTraining, given)


ROLLOUTS = [rollout("b", 1.0), rollout("a", 3.0, 4), rollout("b", 0.0, 1), rollout("a", 1.0), rollout("b", 0.0)]


def test_the_batch_by_hand() -> None:
    found = learned_from(ROLLOUTS, settings(advantage={"kind": "dr_grpo"}), no_entropies)
    batch = found.batch
    assert not batch.idle
    assert batch.groups.tolist() == [0, 1, 0, 1, 0]
    assert batch.advantages.tolist() == pytest.approx([2 / 3, 1, -1 / 3, -1, -1 / 3])
    assert batch.rows.tokens.lengths.tolist() == [5, 6, 4, 4, 5]
    assert batch.rows.targets().tolist() == [2, 4, 1, 2, 2]
    assert len(batch.engine) == 11
    assert (found.failed, found.truncated, found.alone, found.uniform) == (0, 0, 0, 0)


def test_what_is_left_out_is_counted() -> None:
    given = [*ROLLOUTS, rollout("c", 1.0), rollout("d", 1.0), rollout("d", 1.0), replace(rollout("a", 9.0), failed=True)]
    given += [replace(rollout("a", 0.0), truncated=True)]
    found = learned_from(given, settings(drop_truncated=True, drop_uniform=True), no_entropies)
    assert (found.failed, found.truncated, found.alone, found.uniform) == (1, 1, 1, 2)
    assert found.batch.groups.tolist() == [0, 1, 0, 1, 0]
    kept = learned_from(given, settings(), no_entropies)
    assert (kept.failed, kept.truncated, kept.alone, kept.uniform, len(kept.batch)) == (1, 0, 1, 2, 8)
    assert kept.batch.advantages[-3:-1].tolist() == [0.0, 0.0]  # the uniform prompt's


@pytest.mark.parametrize(
    "given", [[rollout("a", 1.0)], [rollout("a", 1.0), rollout("a", 1.0)], [replace(rollout("a", 1.0), failed=True), rollout("a", 2.0)]]
)
@pytest.mark.parametrize("drop", [True, False])
def test_where_nothing_teaches_the_batch_is_idle(given: list[Rollout], drop: bool) -> None:
    batch = learned_from(given, settings(drop_uniform=drop), no_entropies).batch
    assert batch.idle and len(batch) == len(given) and not batch.advantages.any()


def test_egpo_is_told_the_entropies_of_thoughts() -> None:
    """Each rollout's first token is its thought; entropies are 1, 2, 3, ... by target."""

    def counted(batch: RolloutBatch) -> Values:
        return np.arange(1, len(batch.engine) + 1, dtype=np.float32)

    found = learned_from(ROLLOUTS, settings(advantage={"kind": "egpo", "weight": 0.01}), counted)
    plain = learned_from(ROLLOUTS, settings(), no_entropies)
    assert (found.batch.advantages - plain.batch.advantages).tolist() == pytest.approx([0.01, 0.03, 0.07, 0.08, 0.10], abs=1e-5)
    thoughtless = [replace(one, thought=(False,) * len(one.thought)) for one in ROLLOUTS]
    without = learned_from(thoughtless, settings(advantage={"kind": "egpo"}), counted)
    assert without.batch.advantages.tolist() == pytest.approx(plain.batch.advantages.tolist())


def test_the_environments_words_are_not_learned() -> None:
    one = Rollout("a", (1, 2), (10, 11, 12, 13), (True, False, False, True), (-1.0, -2.0), (False, False), 1.0)
    other = Rollout("a", (1, 2), (10, 14), (True, True), (-1.0, -3.0), (False, False), 0.0)
    batch = learned_from([one, other], settings(), no_entropies).batch
    assert batch.rows.learned.tolist() == [False, False, True, False, False, True, False, False, True, True]
    assert batch.engine.tolist() == [-1.0, -2.0, -1.0, -3.0]


def test_a_batch_is_cut_into_parts_of_whole_prompts() -> None:
    batch = replace(learned_from(ROLLOUTS, settings(advantage={"kind": "dr_grpo"}), no_entropies).batch, old=np.arange(11, dtype=np.float32))
    first, second = batch.in_parts(2)
    assert first.groups.tolist() == [0, 0, 0] and second.groups.tolist() == [1, 1]
    assert first.advantages.tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3]) and second.advantages.tolist() == pytest.approx([1, -1])
    assert first.old is not None and first.old.tolist() == [0, 1, 6, 9, 10]
    assert second.old is not None and second.old.tolist() == [2, 3, 4, 5, 7, 8]
    assert first.thought is not None and first.thought.tolist() == [True, False, True, True, False]
    assert first.rows.tokens.lengths.tolist() == [5, 4, 5]
    assert [one.groups.tolist() for one in batch.in_parts(3)] == [[0, 0, 0], [1, 1], [0, 0, 0]]


def test_a_batch_is_the_same_again_from_its_file(tmp_path: Path) -> None:
    batch = replace(learned_from(ROLLOUTS, settings(), no_entropies).batch, old=np.arange(11, dtype=np.float32), figures={"reward": 0.5})
    place = Location.of(str(tmp_path))
    UnfinishedBatches(place, "attempts/a", 0).write(batch, 3)
    UnfinishedBatches(place, "attempts/b", 0).write(replace(batch, old=None), 4)
    found = UnfinishedBatches(place, "attempts/c", 0).read(3)
    assert found.figures == {"reward": 0.5} and not found.idle
    for name in ("groups", "advantages", "engine", "old", "thought"):
        np.testing.assert_array_equal(getattr(found, name), getattr(batch, name))
    np.testing.assert_array_equal(found.rows.tokens.ids, batch.rows.tokens.ids)
    np.testing.assert_array_equal(found.rows.learned, batch.rows.learned)
    with pytest.raises(TrainingError, match="the run stopped while it learned from draw 5"):
        UnfinishedBatches(place, "attempts/c", 0).read(5)
