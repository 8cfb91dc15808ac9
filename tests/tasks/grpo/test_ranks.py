"""Two ranks, DDP and FSDP: the gradient, the likelihoods and the weights that are handed over are those of one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import distributed as dist

from ray_pipeline.config import parse
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.trained_weights import trained, whole
from ray_pipeline.rollout.weights import write_weights
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end
from ray_pipeline.training.distributed import Group, wrap
from tests.chat_models import save_tiny_decoder
from tests.ranks import run_ranks

SIZES = (4, 2, 2)  # rollouts of each prompt


def rollouts(groups: list[int]) -> RolloutBatch:
    """Of these prompts; the same whoever asks."""
    rows, learned, names, advantages, engine = [], [], [], [], []
    for group in groups:
        numbers = np.random.default_rng(group)
        prompt = numbers.integers(3, 200, 5 + 3 * group).tolist()
        for _ in range(SIZES[group]):
            answer = numbers.integers(3, 200, int(numbers.integers(2, 9))).tolist()
            rows.append([*prompt, *answer])
            learned += [False] * len(prompt) + [True] * len(answer)
            names.append(group)
            advantages.append(float(numbers.normal()))
            engine += numbers.normal(-5, 0.1, len(answer)).tolist()
    found = [np.array(one, dtype=np.float32) for one in (advantages, engine)]
    return RolloutBatch(LearnedTokens(end_to_end(rows), np.array(learned)), np.array(names, dtype=np.int64), *found)


def task_of(model: Path, group: Group, strategy: str) -> GrpoTask:
    training = parse(
        GrpoTraining, {"train": {"distributed": {"strategy": strategy}}, "micro": {"token_budget": 24}, "loss": {"mismatch": {"kind": "none"}}}
    )
    task = GrpoTask(Policy(PolicySettings(name=str(model))).train(), training, group)
    task.wrapped(wrap(task.model, group, strategy))  # type: ignore[arg-type]
    return task


def gradients(task: GrpoTask, batch: RolloutBatch, group: Group) -> dict[str, torch.Tensor]:
    count = group.sum({"count": task.count(batch)})["count"]
    task.backward(batch, group.world / count, True)
    return {name: whole(one.grad) for name, one in trained(task.model).items() if one.grad is not None}


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_ranks_learn_what_one_learns(strategy: str, tmp_path: Path) -> None:
    model = save_tiny_decoder(tmp_path / "model", positions=256)
    run_ranks(__file__, 2, str(tmp_path), strategy)
    alone = task_of(model, Group(), "ddp")
    batch = rollouts([0, 1, 2])
    expected = gradients(alone, batch, Group())
    for rank, groups in enumerate(([0], [1, 2])):
        found = load_file(tmp_path / f"{rank}.gradients")
        assert found.keys() == expected.keys()
        assert all(torch.allclose(found[name], one, atol=1e-6) for name, one in expected.items())
        likelihood, entropy = np.load(tmp_path / f"{rank}.npy")
        own = alone.likelihoods(rollouts(groups))
        np.testing.assert_allclose(likelihood, own[0], atol=1e-5)
        np.testing.assert_allclose(entropy, own[1], atol=1e-5)
    (tmp_path / "alone").mkdir()
    handed = load_file(write_weights(alone.model, tmp_path / "alone", 0))
    for rank in range(2):
        given = load_file(tmp_path / f"{rank}" / "00000000.safetensors")
        assert given.keys() == handed.keys()
        assert all(torch.equal(given[name], one) for name, one in handed.items())


def main(rank: int, folder: Path, strategy: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    group = Group.current()
    task = task_of(folder / "model", group, strategy)
    batch = rollouts([[0], [1, 2]][rank])
    np.save(folder / f"{rank}.npy", np.stack(task.likelihoods(batch)))
    (folder / str(rank)).mkdir()
    write_weights(task.model, folder / str(rank), 0)
    save_file(gradients(task, batch, group), folder / f"{rank}.gradients")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
