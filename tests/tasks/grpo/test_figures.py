"""What is logged of a draw: by hand, and the same from two ranks as from one.

This file is also the program of a rank: `test_figures.py RANK FOLDER`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist

from ray_pipeline.config import parse
from ray_pipeline.tasks.grpo.batches import RolloutBatch, Values
from ray_pipeline.tasks.grpo.figures import Figured, draw_figures, update_figures
from ray_pipeline.tasks.grpo.rollouts import Rollout, learned_from
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.training.distributed import Group
from tests.ranks import run_ranks


def rollout(prompt: str, reward: float, tokens: int, **given: object) -> Rollout:
    found = Rollout(prompt, (1, 2), (5,) * tokens, (True,) * tokens, (-0.5,) * tokens, (True, *(False,) * (tokens - 1)), reward, version=3)
    return replace(found, **given)  # type: ignore[arg-type]


ROLLOUTS = [
    rollout("a", 1.0, 10, calls=5, failed_calls=2),
    rollout("a", 0.0, 20, truncated=True),
    rollout("b", 1.0, 30),
    rollout("b", 1.0, 41),
    rollout("c", 0.0, 9, failed=True),
]
PARTS = [{"calls": 1.0, "form": 2.0}, {"calls": 0.0, "form": 4.0}, {"calls": 1.0}, {"calls": 1.0, "form": 2.0}, {"form": 9.0}]


def no_entropies(batch: RolloutBatch) -> Values:
    raise AssertionError("nobody asked")


def figured(rollouts: list[Rollout], parts: list[dict[str, float]], names: tuple[str, ...] = ("calls", "form")) -> Figured:
    found = learned_from(rollouts, parse(GrpoTraining, {"advantage": {"kind": "dr_grpo"}}), no_entropies)
    return Figured(rollouts, parts, names, found, now=5)


def test_the_figures_of_a_draw_by_hand() -> None:
    """The failed one has no reward, so it is in no mean of rewards; nor has it an advantage."""
    assert figured(ROLLOUTS, PARTS).figures(Group()) == pytest.approx(
        {
            "reward": 0.75,
            "reward_calls": 0.75,
            "reward_form": 2.0,
            "reward_std": 0.75**0.5 / 2,
            "failed": 0.2,
            "truncated": 0.2,
            "answer_tokens": 22.0,
            "thought_tokens": 1.0,
            "tool_calls": 1.0,
            "failed_calls": 0.4,
            "staleness": 2.0,
            "uniform": 0.4,  # b's
            "advantage": 0.2,  # a half each for a's
            "answer_tokens_p95": 30 + 0.8 * 11,
            "answer_tokens_max": 41.0,
        }
    )


def test_a_single_part_is_the_reward_and_is_not_said_twice() -> None:
    assert not [name for name in figured(ROLLOUTS, PARTS, ("calls",)).figures(Group()) if name.startswith("reward_") and name != "reward_std"]


def test_the_environments_words_are_no_answer() -> None:
    told = [rollout("a", 1.0, 2), replace(rollout("a", 0.0, 3), written=(True, False, True), logprobs=(-1.0, -1.0), thought=(True, False))]
    assert figured(told, [{}, {}]).figures(Group())["answer_tokens"] == 2.0


def test_a_draw_without_any_reward_has_figures_all_the_same() -> None:
    figures = figured([replace(one, failed=True) for one in ROLLOUTS], PARTS).figures(Group())
    assert (figures["reward"], figures["reward_std"], figures["failed"]) == (0.0, 0.0, 1.0)
    assert all(np.isfinite(value) for value in figures.values())


def test_the_figures_of_an_update() -> None:
    assert update_figures(30.0, 10.0, 5000) == {"update_tokens_per_second": 500.0, "rollout_share": 0.75}


def test_ranks_log_the_figures_of_all_of_them(tmp_path: Path) -> None:
    run_ranks(__file__, 2, str(tmp_path))
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second == pytest.approx(figured(ROLLOUTS, PARTS).figures(Group()))
    own = draw_figures(figured(ROLLOUTS[:2], PARTS[:2]).facts(), ("calls", "form"))
    assert own["reward_std"] != pytest.approx(first["reward_std"]) and own["answer_tokens_max"] == 20  # one rank's own would be others


def main(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    mine = slice(0, 2) if rank == 0 else slice(2, None)
    figures = figured(ROLLOUTS[mine], PARTS[mine]).figures(Group.current())
    (folder / f"{rank}.json").write_text(json.dumps(figures))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
