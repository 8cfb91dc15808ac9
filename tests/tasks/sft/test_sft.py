"""Fine-tuning's step: the gradient of conversations written out, whatever packs, accumulation and ranks; killed and gone on; that it learns.

This file is also the program of a rank: `python test_sft.py RANK FOLDER MODEL`.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from ray_pipeline.config import parse
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.evaluation.live_likelihood import LiveLikelihood
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.trained_weights import parameter_tensors
from ray_pipeline.storage import Location
from ray_pipeline.tasks.sft.run import check_lengths
from ray_pipeline.tasks.sft.settings import SftTraining
from ray_pipeline.tasks.sft.task import SftTask
from ray_pipeline.tasks.shuffled import shuffled_batches
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import Observer
from tests.chat_models import save_tiny_decoder
from tests.ranks import run_ranks

WORLD = 2
USUAL: dict[str, Any] = {
    "epochs": 1.0,
    "batch_size": 6,
    "evaluation": None,
    "checkpoints": {"keep_best": False},
    "optimizer": {"lr": 1e-3, "eps": 1e-4},
}
CASES: dict[str, dict[str, Any]] = {
    "packed": {"micro": {"token_budget": 40}},
    "one pack": {"micro": {"token_budget": 4096}},
    "padded": {"micro": {"token_budget": 40, "packing": False}},
    "accumulated": {"micro": {"token_budget": 40}, "train": {"batch_size": 3, "accumulate": 2}},
    "checkpointed activations": {"micro": {"token_budget": 40}, "train": {"gradient_checkpointing": True}},
    "lora": {"micro": {"token_budget": 40}, "adaptation": {"kind": "lora", "rank": 2, "dropout": 0.0}},
}


def conversations(count: int = 21, seed: int = 3) -> LearnedTokens:
    """Of 2 to 37 tokens, of which a run of one at least is learned."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 38, count)
    tokens = end_to_end([generator.integers(0, 300, length).tolist() for length in lengths])
    learned = generator.random(len(tokens.ids)) < 0.4
    learned[tokens.offsets[1:] - 1] = True
    return LearnedTokens(tokens, learned)


def training_of(case: str, world: int = 1, strategy: str = "ddp") -> SftTraining:
    given = json.loads(json.dumps(CASES[case]))
    train = {**USUAL, "distributed": {"workers": world, "strategy": strategy}, **given.pop("train", {})}
    return parse(SftTraining, {"train": train, **given})


def loop_of(model: Path, training: SftTraining, folder: Path, group: Group, *, double: bool = True, attempt: str = "a") -> Loop[LearnedTokens]:
    settings, rows = training.train, conversations()
    policy = trainable_policy(
        PolicySettings(name=str(model)),
        training.adaptation,
        packing=training.micro.packing,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
    )
    if double:
        policy.double()

    def make(chosen: NDArray[np.int64], epoch: int) -> LearnedTokens:
        return rows.take(chosen[group.share(len(chosen))])

    source = EpochSource(lambda epoch: shuffled_batches(len(rows), settings.batch_size, settings.seed, epoch), make, settings)
    return Loop(SftTask(policy, training, group), source, settings, group, Checkpoints(Location.of(str(folder)), f"attempts/{attempt}"), Observer())


def found_by(loop: Loop[LearnedTokens]) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    rows = [{name: row[name] for name in ("loss", "grad_norm", "tokens")} for row in loop.run().history if row["kind"] == "step"]
    return rows, parameter_tensors(loop.parameters)


def rank_main(rank: int, folder: Path, model: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60))
    group = Group.current()
    for strategy in ("ddp", "fsdp"):
        for case in CASES:
            loop = loop_of(model, training_of(case, WORLD, strategy), folder / f"{strategy}, {case}", group)
            task = loop.task
            assert isinstance(task, SftTask)
            LiveLikelihood(conversations(7, 4), 40, group, even_passes=strategy == "fsdp").measure(task.model)  # as at the start of a training
            rows, weights = found_by(loop)
            figures = LiveLikelihood(conversations(7, 4), 40, group, even_passes=strategy == "fsdp").measure(task.model)
            save_file(weights, folder / f"{strategy}, {case}, {rank}.safetensors")
            (folder / f"{strategy}, {case}, {rank}.json").write_text(json.dumps({"rows": rows, "figures": figures}))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_decoder(tmp_path_factory.mktemp("tiny_chat"))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The folder in which two ranks left what they found."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(__file__, WORLD, str(folder), str(model))
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process(case: str, ranks: Path, model: Path, tmp_path: Path) -> None:
    loop = loop_of(model, training_of(case), tmp_path, Group())
    rows, weights = found_by(loop)
    task = loop.task
    assert isinstance(task, SftTask)
    figures = LiveLikelihood(conversations(7, 4), 40, Group()).measure(task.model)
    assert len(rows) == 4
    for strategy in ("ddp", "fsdp"):
        for rank in range(WORLD):
            other = json.loads((ranks / f"{strategy}, {case}, {rank}.json").read_text())
            for row, expected in zip(other["rows"], rows, strict=True):
                assert row == pytest.approx(expected, rel=1e-9), (strategy, case, rank)
            assert other["figures"] == pytest.approx(figures, rel=1e-9)
            found = load_file(ranks / f"{strategy}, {case}, {rank}.safetensors")
            for parameter, one in weights.items():
                assert float((found[parameter] - one).abs().max()) < 1e-9 * max(float(one.abs().max()), 0.1), (strategy, case, parameter)


def test_packs_accumulation_and_padding_teach_the_same(model: Path, tmp_path: Path) -> None:
    """The weights after an epoch, whatever went through the model at a time."""
    expected = found_by(loop_of(model, training_of("one pack"), tmp_path / "one", Group()))
    for case in ("packed", "padded", "accumulated", "checkpointed activations"):
        rows, weights = found_by(loop_of(model, training_of(case), tmp_path / case, Group()))
        for row, one in zip(rows, expected[0], strict=True):
            assert row == pytest.approx(one, rel=1e-9), case
        for parameter, value in weights.items():
            torch.testing.assert_close(value, expected[1][parameter], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_conversations_written_out(case: str, model: Path, tmp_path: Path) -> None:
    """One batch, a conversation at a time, through all logits and torch's cross entropy."""
    loop = loop_of(model, training_of(case), tmp_path, Group())
    task = loop.task
    assert isinstance(task, SftTask)
    (batch, *_) = next(iter(loop.source)).batches
    trained = {name: one for name, one in task.model.named_parameters() if one.requires_grad}
    scale = 1 / task.count(batch)
    sums = task.backward(batch, scale, True)
    found = {name: one.grad.clone() for name, one in trained.items() if one.grad is not None}
    task.model.zero_grad()
    loss = torch.zeros((), dtype=torch.float64)
    for begin, end in zip(batch.tokens.offsets, batch.tokens.offsets[1:], strict=False):
        ids = torch.from_numpy(batch.tokens.ids[begin:end].astype(np.int64))[None]
        more = {"segments": (ids.shape[1],)} if task.model.packing else {}
        logits = task.model.backbone(input_ids=ids, **more).logits[0, :-1]
        targets = ids[0, 1:].masked_fill(~torch.from_numpy(batch.learned[begin + 1 : end]), -100)
        loss = loss + functional.cross_entropy(logits, targets, reduction="sum", ignore_index=-100)
    (scale * loss).backward()
    assert sums["loss"] == pytest.approx(float(loss.detach()), rel=1e-9)
    for name, one in trained.items():
        expected = torch.zeros_like(one) if one.grad is None else one.grad
        torch.testing.assert_close(found.get(name, torch.zeros_like(one)), expected, rtol=1e-8, atol=1e-11)


def test_killed_it_ends_with_the_same_bits(model: Path, tmp_path: Path) -> None:
    """Stopped after its second step's checkpoint and gone on; noise and order as they would have been."""
    given = {"train": {**USUAL, "checkpoints": {"keep_best": False, "every_steps": 1}}, "neftune_alpha": 5.0}
    training = parse(SftTraining, given)
    whole = found_by(loop_of(model, training, tmp_path / "whole", Group(), double=False))[1]

    class Killed(Exception):
        pass

    loop = loop_of(model, training, tmp_path / "killed", Group(), double=False)
    update, steps = loop._update, []

    def until_the_third(step: Any) -> Any:
        if len(steps) == 2:
            raise Killed
        steps.append(step)
        return update(step)

    loop._update = until_the_third  # type: ignore[method-assign]
    with pytest.raises(Killed):
        loop.run()
    again = loop_of(model, training, tmp_path / "killed", Group(), double=False, attempt="b")
    weights = found_by(again)[1]
    assert all(torch.equal(weights[name], one) for name, one in whole.items())
    plain = found_by(loop_of(model, parse(SftTraining, {"train": USUAL}), tmp_path / "plain", Group(), double=False))[1]
    assert not all(torch.equal(plain[name], one) for name, one in whole.items())  # the noise was there


def test_a_conversation_longer_than_the_model_is_refused(model: Path) -> None:
    policy = trainable_policy(PolicySettings(name=str(model)), parse(SftTraining, {}).adaptation)
    check_lengths(policy, conversations(), "here")
    tokens = end_to_end([[1] * 513])
    with pytest.raises(SettingsError, match="here: the longest conversation has 513 tokens, and the model 512 positions"):
        check_lengths(policy, LearnedTokens(tokens, np.ones(513, bool)), "here")


def test_every_rank_has_something_to_measure() -> None:
    with pytest.raises(DataError, match="2 held out rows for 4 workers; hold out more"):
        LiveLikelihood(conversations(2), 40, Group(0, 4))
    with pytest.raises(DataError, match="2 held out rows for 4 workers"):
        LiveLikelihood(conversations(20), 40, Group(0, 4), share=0.1)
    parts = [LiveLikelihood(conversations(20), 40, Group(rank, 4), share=0.5, seed=1).rows for rank in range(4)]
    assert sorted(len(part) for part in parts) == [2, 2, 3, 3]


def test_it_learns_by_heart(model: Path, tmp_path: Path) -> None:
    """Not a claim: that loss, gradient and optimizer are wired to each other. What is not learned stays unknown."""
    train = {**USUAL, "epochs": 40.0, "batch_size": 21, "optimizer": {"lr": 1e-2}}
    loop = loop_of(model, parse(SftTraining, {"train": train}), tmp_path, Group(), double=False)
    history = [row for row in loop.run().history if row["kind"] == "step"]
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    task, rows = loop.task, conversations()
    assert isinstance(task, SftTask)
    not_learned = LearnedTokens(rows.tokens, ~rows.learned)
    learned, other = (task.model.measure(one, 512) for one in (rows, not_learned))
    assert learned.hits.sum() / learned.targets.sum() > 0.8 > 0.2 > other.hits.sum() / other.targets.sum()


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
