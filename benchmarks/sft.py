"""Fine-tuning on conversations of lognormal lengths: ours packed, ours padded, and trl's SFTTrainer; and the memory of the loss.

A small decoder of Qwen3's kind with random weights, every token learned, bf16 autocast over fp32 weights: what trl does on a CPU too
(on a CPU that only emulates bf16, --precision fp32 is what a user would set on either side). Each side trains on the same rows, in batches of
about as many tokens; tokens are real ones, padding does not count. `ratio` is ours packed over trl at its best setting here
(`packing=True, gradient_checkpointing=False`).

The memory of the loss is the growth of a process's peak: the log-likelihoods of 4,096 tokens under 32,000 words with all logits, and a chunk
of them at a time.

    python -m benchmarks.sft
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import finish, peak_resident_bytes, print_table
from benchmarks.small_decoder import save_small_decoder
from ray_pipeline.config import parse
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.likelihood import token_log_likelihood
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.storage import Location
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

LONGEST: Final = 1024
BATCH: Final = 32
TOKENS_AT_A_TIME: Final = 8 * LONGEST  # trl's eight packs of 1,024
WORDS, TOKENS, SIZE = 32_000, 4096, 256


def conversations(count: int) -> LearnedTokens:
    """Lognormal lengths, most of them short: a median of 150 tokens, a mean of about 220."""
    generator = np.random.default_rng(0)
    lengths = np.clip(np.exp(generator.normal(5.0, 0.9, count)), 8, LONGEST).astype(int)
    tokens = end_to_end([generator.integers(0, 8000, length).tolist() for length in lengths])
    return LearnedTokens(tokens, np.ones(len(tokens.ids), dtype=bool))


def ours(model: Path, rows: LearnedTokens, *, packing: bool, precision: str) -> tuple[float, list[float]]:
    """Seconds of an epoch, and the losses of its steps."""
    train = {"batch_size": BATCH, "precision": precision, "evaluation": None, "checkpoints": {"keep_best": False}, "guard": None}
    micro = {"token_budget": TOKENS_AT_A_TIME, "packing": packing}
    training = parse(SftTraining, {"train": {**train, "optimizer": {"lr": 1e-5}, "schedule": {"kind": "constant"}}, "micro": micro})
    policy = trainable_policy(PolicySettings(name=str(model)), training.adaptation, packing=packing)
    settings, group = training.train, Group()

    def plan(epoch: int) -> list[NDArray[np.int64]]:
        return shuffled_batches(len(rows), BATCH, 0, epoch)

    source = EpochSource(plan, lambda chosen, epoch: rows.take(chosen), settings)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(SftTask(policy, training, group), source, settings, group, Checkpoints(Location.of(folder), "a"), Observer(), lambda line: None)
        started = time.perf_counter()
        history = loop.run().history
    return time.perf_counter() - started, [row["loss"] for row in history if row["kind"] == "step"]


def theirs(model: Path, rows: LearnedTokens, **how: Any) -> tuple[float, list[float]]:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    logging.getLogger("trl").setLevel(logging.ERROR)
    offsets = rows.tokens.offsets
    data = Dataset.from_dict({"input_ids": [rows.tokens.ids[begin:end].tolist() for begin, end in itertools.pairwise(offsets)]})
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=1e-5,
            lr_scheduler_type="constant",
            max_length=LONGEST,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
            **how,
        )
        decoder, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
        trainer = SFTTrainer(decoder, args=config, train_dataset=data, processing_class=tokenizer)
        started = time.perf_counter()
        trainer.train()
    losses = [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]
    return time.perf_counter() - started, losses


def likelihood_peak(chunked: bool) -> int:
    """Bytes by which the loss and its gradients raise the peak of this process."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(TOKENS, SIZE, generator=generator).requires_grad_()
    weight = torch.randn(WORDS, SIZE, generator=generator).requires_grad_()
    targets = torch.randint(0, WORDS, (TOKENS,), generator=generator)
    before = peak_resident_bytes()
    if chunked:
        token_log_likelihood(states, weight, targets).sum().backward()  # type: ignore[no-untyped-call]
    else:
        torch.nn.functional.cross_entropy(states @ weight.T, targets, reduction="sum").neg().backward()  # type: ignore[no-untyped-call]
    return peak_resident_bytes() - before


def peak_of(chunked: bool) -> int:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sft", "--peak", "chunked" if chunked else "plain"]
    return int(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def gradient_difference() -> float:
    """The largest, relative to the largest gradient."""
    generator = torch.Generator().manual_seed(0)
    states, weight = (torch.randn(count, 64, generator=generator).requires_grad_() for count in (2048, 4000))
    targets = torch.randint(0, 4000, (2048,), generator=generator)
    found = torch.autograd.grad(token_log_likelihood(states, weight, targets).sum(), (states, weight))
    plain = torch.autograd.grad(-torch.nn.functional.cross_entropy(states @ weight.T, targets, reduction="sum"), (states, weight))
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in zip(found, plain, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=2, help="of each side, in turn; the fastest counts")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--peak", choices=["chunked", "plain"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        print(likelihood_peak(chosen.peak == "chunked"))
        return
    rows = conversations(chosen.rows)
    tokens = len(rows.tokens.ids)
    with tempfile.TemporaryDirectory() as folder:
        model = save_small_decoder(Path(folder))
        packed_losses, padded_losses = (ours(model, rows.take(np.arange(96)), packing=packing, precision="fp32")[1] for packing in (True, False))
        packs = max(1, round(BATCH * tokens / len(rows) / LONGEST))  # trl's rows a batch, to train on as many tokens a step
        same: dict[str, Any] = {"bf16": chosen.precision == "bf16"}
        sides: dict[str, Callable[[], tuple[float, list[float]]]] = {
            "ours, packed": lambda: ours(model, rows, packing=True, precision=chosen.precision),
            "ours, padded": lambda: ours(model, rows, packing=False, precision=chosen.precision),
            "trl, its defaults": lambda: theirs(model, rows, **same),
            "trl, no checkpointing": lambda: theirs(model, rows, gradient_checkpointing=False, **same),
            "trl, packing, no checkpointing": lambda: theirs(
                model, rows, packing=True, gradient_checkpointing=False, per_device_train_batch_size=packs, **same
            ),
        }
        seconds: dict[str, float] = {}
        for _ in range(chosen.rounds):
            for name, train in sides.items():
                taken, losses = train()
                seconds[name] = min(taken, seconds.get(name, taken))
                falling = f"loss {losses[0]:.4f} to {losses[-1]:.4f}"
                print(f"{name}: {taken:.1f} s, {tokens / taken:,.0f} tokens/s, {len(losses)} steps, {falling}", flush=True)
    print_table(["", "seconds", "tokens/s"], [[name, taken, tokens / taken] for name, taken in seconds.items()])
    plain, chunked = peak_of(False), peak_of(True)
    best = "trl, packing, no checkpointing"
    finish(
        "sft",
        seconds[best] / seconds["ours, packed"],
        over_trl_defaults=seconds["trl, its defaults"] / seconds["ours, packed"],
        packed_over_padded=seconds["ours, padded"] / seconds["ours, packed"],
        loss_difference=max(abs(one - other) for one, other in zip(packed_losses, padded_losses, strict=True)),
        likelihood_peak_share=chunked / plain,
        likelihood_peak_mb={"plain": plain / 1e6, "chunked": chunked / 1e6},
        likelihood_gradient_difference=gradient_difference(),
        tokens_per_second={name: tokens / taken for name, taken in seconds.items()},
        tokens=tokens,
        precision=chosen.precision,
        packages=("transformers", "trl"),
    )


if __name__ == "__main__":
    main()
