"""A preference step: the gradient of pairs written out, whatever packs, references and ranks; its control; trl's own trainer beside it.

This file is also the program of a rank: `python test_dpo.py RANK FOLDER MODEL`.
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
from torch import Tensor

from ray_pipeline.config import parse
from ray_pipeline.data.pair_rows import PairRows
from ray_pipeline.data.preferences.mixture import Mixture
from ray_pipeline.errors import SettingsError
from ray_pipeline.evaluation.live_preferences import LivePreferences, likelihoods_of
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.trained_weights import parameter_tensors
from ray_pipeline.objectives.preference import PairLikelihoods, preference_rows
from ray_pipeline.storage import Location
from ray_pipeline.tasks.dpo.batches import PairBatch, PairMaker
from ray_pipeline.tasks.dpo.reference import WithoutAdapter
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.dpo.task import DpoTask
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
    "epochs": 2.0,
    "batch_size": 5,
    "evaluation": None,
    "checkpoints": {"keep_best": False},
    "optimizer": {"lr": 1e-3, "eps": 1e-4},
}
LORA = {"kind": "lora", "rank": 2, "dropout": 0.0}
CASES: dict[str, dict[str, Any]] = {
    "sigmoid": {"objective": {"kind": "sigmoid", "label_smoothing": 0.1}},
    "one pack, copy": {"micro": {"token_budget": 4096}, "reference": "copy"},
    "padded": {"micro": {"token_budget": 120, "packing": False}},
    "normalised, with likelihood": {"objective": {"kind": "sigmoid", "normalise": True}, "sft_weight": 0.5},
    "ipo": {"objective": {"kind": "ipo"}},
    "kto_pair": {"objective": {"kind": "kto_pair"}},
    "simpo": {"objective": {"kind": "simpo"}},
    "orpo": {"objective": {"kind": "orpo"}, "sft_weight": 1.0},
    "lora, adapter": {"adaptation": LORA, "reference": "adapter"},
    "loss-weighted": {"mixture": {"kind": "loss_weighted", "weights": {"one": 0.3, "other": 0.7}}},
}


def pairs_of(count: int = 13, seed: int = 3) -> PairRows:
    """Prompts of 3 to 11 tokens, answers of 1 to 14, two sets, weights."""
    generator = np.random.default_rng(seed)
    sides: list[list[list[int]]] = [[], []]
    learned: list[list[bool]] = [[], []]
    for _ in range(count):
        prompt = generator.integers(0, 300, int(generator.integers(3, 12))).tolist()
        for side in range(2):
            answer = generator.integers(0, 300, int(generator.integers(1, 15))).tolist()
            sides[side].append([*prompt, *answer])
            learned[side] += [False] * len(prompt) + [True] * len(answer)
    chosen, rejected = (LearnedTokens(end_to_end(rows), np.array(flags)) for rows, flags in zip(sides, learned, strict=True))
    sets = np.array(["one" if row % 3 else "other" for row in range(count)])
    return PairRows(tuple(f"p{row}" for row in range(count)), sets, 0.5 + np.arange(count) % 2, chosen, rejected)


def training_of(case: str, world: int = 1, strategy: str = "ddp") -> DpoTraining:
    given = json.loads(json.dumps(CASES[case]))
    train = {**USUAL, "distributed": {"workers": world, "strategy": strategy}}
    return parse(DpoTraining, {"micro": {"token_budget": 60}, **given, "train": train})


def known_of(base: Policy, pairs: PairRows) -> NDArray[np.float64]:
    return np.stack([base.measure(side, 512).sums for side in (pairs.chosen, pairs.rejected)], axis=1)


def double_base(model: Path, packing: bool = True) -> Policy:
    return Policy(PolicySettings(name=str(model)), packing=packing).double()


def loop_of(model: Path, training: DpoTraining, folder: Path, group: Group) -> Loop[PairBatch]:
    settings, pairs = training.train, pairs_of()
    policy = trainable_policy(PolicySettings(name=str(model)), training.adaptation, packing=training.micro.packing, seed=settings.seed).double()
    known, asked = None, None
    if training.refers and training.reference == "precomputed":
        known = known_of(double_base(model), pairs)
    elif training.refers:
        asked = WithoutAdapter(policy) if training.reference == "adapter" else double_base(model)
    mixture = Mixture(training.mixture, pairs.sets, settings.seed)

    def plan(epoch: int) -> list[NDArray[np.int64]]:
        order = mixture.order(epoch)
        return np.split(order, range(settings.batch_size, len(order), settings.batch_size))

    source = EpochSource(plan, PairMaker(pairs, mixture.weights(), known, group), settings)
    task = DpoTask(policy, training, group, asked)
    return Loop(task, source, settings, group, Checkpoints(Location.of(str(folder)), "attempts/a"), Observer())


LOGGED = ("loss", "grad_norm", "tokens", "accuracy", "margin", "reward_chosen", "kl", "chosen_tokens")


def found_by(loop: Loop[PairBatch]) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    rows = [{name: row[name] for name in LOGGED} for row in loop.run().history if row["kind"] == "step"]
    return rows, parameter_tensors(loop.parameters)


def rank_main(rank: int, folder: Path, model: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60))
    group = Group.current()
    for strategy in ("ddp", "fsdp"):
        for case in CASES:
            rows, weights = found_by(loop_of(model, training_of(case, WORLD, strategy), folder / f"{strategy}, {case}", group))
            save_file(weights, folder / f"{strategy}, {case}, {rank}.safetensors")
            (folder / f"{strategy}, {case}, {rank}.json").write_text(json.dumps(rows))
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
    rows, weights = found_by(loop_of(model, training_of(case), tmp_path, Group()))
    assert len(rows) == 6
    for strategy in ("ddp", "fsdp"):
        for rank in range(WORLD):
            other = json.loads((ranks / f"{strategy}, {case}, {rank}.json").read_text())
            for row, expected in zip(other, rows, strict=True):
                assert row == pytest.approx(expected, rel=1e-6, abs=1e-9), (strategy, case, rank)
            found = load_file(ranks / f"{strategy}, {case}, {rank}.safetensors")
            for parameter, one in weights.items():
                assert float((found[parameter] - one).abs().max()) < 1e-7 * max(float(one.abs().max()), 0.1), (strategy, case, parameter)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_pairs_written_out(case: str, model: Path, tmp_path: Path) -> None:
    """One batch, an answer at a time, through all logits; a few steps in, where policy and reference differ."""
    loop = loop_of(model, training_of(case), tmp_path, Group())
    task = loop.task
    assert isinstance(task, DpoTask)
    with torch.no_grad():
        for one in task.model.parameters():
            if one.requires_grad:
                one.add_(0.05 * torch.randn(one.shape, generator=torch.Generator().manual_seed(one.numel()), dtype=one.dtype))
    (batch, *_) = next(iter(loop.source)).batches
    trained = {name: one for name, one in task.model.named_parameters() if one.requires_grad}
    task.model.zero_grad()
    scale = 1 / task.count(batch)
    sums = task.backward(batch, scale, True)
    found = {name: one.grad.clone() for name, one in trained.items() if one.grad is not None}
    task.model.zero_grad()
    answers = [torch.stack([_likelihood(task.model, side, row) for row in range(len(batch))]) for side in (batch.chosen, batch.rejected)]
    counts = [torch.from_numpy(side.targets()).double() for side in (batch.chosen, batch.rejected)]
    base, settings = double_base(model), task.settings
    reference = [torch.zeros(len(batch), dtype=torch.float64)] * 2
    if settings.refers:
        reference = [torch.from_numpy(base.measure(side, 512).sums) for side in (batch.chosen, batch.rejected)]
    likelihoods = PairLikelihoods(answers[0], answers[1], reference[0], reference[1], counts[0], counts[1])
    losses = preference_rows(likelihoods, settings.objective) - settings.sft_weight * answers[0] / counts[0]
    loss = (torch.from_numpy(batch.weights) * losses).sum()
    (scale * loss).backward()
    assert sums["loss"] == pytest.approx(float(loss.detach()), rel=1e-6)
    for name, one in trained.items():
        expected = torch.zeros_like(one) if one.grad is None else one.grad
        torch.testing.assert_close(found.get(name, torch.zeros_like(one)), expected, rtol=1e-5, atol=1e-9)


def _likelihood(policy: Policy, side: LearnedTokens, row: int) -> Tensor:
    span = slice(side.tokens.offsets[row], side.tokens.offsets[row + 1])
    ids, learned = torch.from_numpy(side.tokens.ids[span].astype(np.int64)), torch.from_numpy(side.learned[span])
    more = {"segments": (len(ids),)} if policy.packing else {}
    scores = policy.backbone(input_ids=ids[None], **more).logits[0, :-1].log_softmax(-1)
    found: Tensor = scores.gather(1, ids[1:, None])[:, 0][learned[1:]].sum()
    return found


def test_the_three_references_are_one(model: Path, tmp_path: Path) -> None:
    """The weights after two epochs of adapters, whoever is asked."""
    found = {}
    for reference in ("precomputed", "copy", "adapter"):
        given = {"train": USUAL, "adaptation": LORA, "reference": reference, "micro": {"token_budget": 60}}
        found[reference] = found_by(loop_of(model, parse(DpoTraining, given), tmp_path / reference, Group()))
    for rows, weights in found.values():
        assert rows[0]["loss"] == pytest.approx(np.log(2), abs=1e-9)  # nothing has changed yet
        assert rows[-1]["loss"] < rows[0]["loss"]
        for name, value in found["copy"][1].items():
            torch.testing.assert_close(weights[name], value, rtol=1e-6, atol=1e-9)


def test_what_is_learned_is_the_preference_and_not_its_opposite(model: Path, tmp_path: Path) -> None:
    """Not a claim about unseen pairs: trained pairs are told apart, and swapped ones are learned swapped."""
    pairs = pairs_of()
    swapped = PairRows(pairs.ids, pairs.sets, pairs.weights, pairs.rejected, pairs.chosen)
    training = parse(DpoTraining, {"train": {**USUAL, "epochs": 8.0, "optimizer": {"lr": 3e-3}}})
    loop = loop_of(model, training, tmp_path, Group())
    task = loop.task
    assert isinstance(task, DpoTask)
    known = known_of(double_base(model), pairs)
    live = LivePreferences(pairs, known, training.objective, 512, Group())
    before = live.measure(task.model)
    assert (before["accuracy"], before["eval_loss"], before["kl"]) == (0.0, pytest.approx(np.log(2)), pytest.approx(0, abs=1e-9))
    loop.run()
    after = live.measure(task.model)
    assert after["accuracy"] == 1.0
    assert after["margin"] > 1
    assert LivePreferences(swapped, known[:, ::-1], training.objective, 512, Group()).measure(task.model)["accuracy"] == 0.0


THEIRS = [("sigmoid", {"kind": "sigmoid"}), ("sigmoid_norm", {"kind": "sigmoid", "normalise": True}), ("ipo", {"kind": "ipo"})]


@pytest.mark.parametrize(("loss", "objective"), THEIRS)
def test_a_step_is_that_of_trls_trainer(loss: str, objective: dict[str, Any], model: Path, tmp_path: Path) -> None:
    """The real DPOTrainer on the same tokens, one batch: its loss, rewards and gradients."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    pairs = pairs_of(6)
    rows = []
    for row in range(len(pairs)):
        sides = [side.tokens.ids[side.tokens.offsets[row] : side.tokens.offsets[row + 1]].tolist() for side in (pairs.chosen, pairs.rejected)]
        prompt = int(pairs.chosen.learned[pairs.chosen.tokens.offsets[row] :].argmax())
        rows.append({"prompt_ids": sides[0][:prompt], "chosen_ids": sides[0][prompt:], "rejected_ids": sides[1][prompt:]})
    config = DPOConfig(
        output_dir=str(tmp_path),
        loss_type=[loss],
        beta=0.1,
        per_device_train_batch_size=6,
        gradient_checkpointing=False,
        bf16=False,
        report_to="none",
        max_length=None,
        learning_rate=0.0,
        max_steps=1,
    )
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    reference = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with torch.no_grad():
        for one in reference.parameters():
            one.add_(0.05 * torch.randn(one.shape, generator=torch.Generator().manual_seed(one.numel())))
    reference.save_pretrained(tmp_path / "reference")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / "reference" / name).write_bytes((model / name).read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])  # it wants some; the batch below is ours
    trainer = DPOTrainer(policy, ref_model=reference, args=config, train_dataset=texts, processing_class=tokenizer)
    batch = trainer.data_collator(rows)
    theirs = trainer.compute_loss(policy, batch)
    theirs.backward()
    training = parse(DpoTraining, {"train": USUAL, "objective": objective})
    ours = trainable_policy(PolicySettings(name=str(model)), training.adaptation)
    known = known_of(Policy(PolicySettings(name=str(tmp_path / "reference"))), pairs)
    sums = DpoTask(ours, training, Group()).backward(PairBatch(pairs.chosen, pairs.rejected, np.ones(6), known), 1 / 6, True)
    assert sums["loss"] / 6 == pytest.approx(float(theirs.detach()), rel=1e-4)
    gradients = {name.removeprefix("backbone."): one.grad for name, one in ours.named_parameters()}
    for name, one in policy.named_parameters():
        assert one.grad is not None
        torch.testing.assert_close(gradients[name], one.grad, rtol=1e-3, atol=2e-5)


def test_refused_settings() -> None:
    for given, words in (
        ({"reference": "adapter"}, r"set adaptation\.kind=lora"),
        ({"objective": {"kind": "orpo"}}, "set sft_weight=1"),
        ({"mixture": {"kind": "sampled"}}, "weights="),
        ({"mixture": {"kind": "staged"}}, "order="),
    ):
        with pytest.raises(SettingsError, match=words):
            parse(DpoTraining, given)


def test_likelihoods_by_hand(model: Path) -> None:
    from ray_pipeline.models.policy.policy import Measured

    measured = [Measured(np.array([-3.0]), np.array([1]), np.array([4])), Measured(np.array([-5.0]), np.array([0]), np.array([2]))]
    found = likelihoods_of(measured[0], measured[1], np.array([[-4.0, -4.0]]))
    assert [float(one) for one in found.ratios] == [1.0, -1.0]
    assert [float(found.chosen_tokens), float(found.rejected_tokens)] == [4, 2]


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
