"""One large-batch contrastive step: ours against sentence-transformers' CachedMultipleNegativesRankingLoss.

Both sides start from the same pairs of texts and end with the gradients: tokenising, both forward passes, the loss and the
backward passes are timed, the optimizer's update is not. Same weights, dropout on, no gradient checkpointing, temperature 0.05.
Theirs is the fastest of three `mini_batch_size` and three `mini_batch_num_tokens` on an eighth of the texts it is timed on.
Ours has one setting for all: chunks of 1,024 padded tokens out of one pool sorted by length, and the graphs of the last
8,192 tokens kept. `keep 0` is the textbook's gradient cache, every chunk embedded twice.

The uncached step holds the graphs of all chunks, over the same chunks. Memory is the peak resident size of a process that
does nothing else, so it includes Python and the libraries.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.encode import MODEL, WORDS, texts
from benchmarks.report import finish, peak_resident_bytes, print_table
from ray_pipeline.config import parse
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.source import locate
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive import contrastive_backward
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings
from ray_pipeline.objectives.gradcache import cached_backward
from ray_pipeline.objectives.gradcache_chunks import plan_chunks
from ray_pipeline.text.batches import pad

CHUNK_TOKENS, MAX_ROWS, KEEP_TOKENS = 1024, 256, 8192
THEIR_SETTINGS = [{"mini_batch_size": size} for size in (16, 32, 64)] + [{"mini_batch_num_tokens": tokens} for tokens in (1024, 2048, 4096)]
EVERYTHING = 1 << 60

Step = Callable[[list[str], list[str]], float]  # queries, documents -> the loss; the gradients are in the model


class Ours:
    """The step of this project, without its optimizer."""

    def __init__(self) -> None:
        self.embedder = Embedder(parse(EmbedderSettings, {"name": MODEL})).train()
        self.objective = ContrastiveSettings(mask_same_id=False, mask_same_text=False, mask_known=False)

    def step(self, queries: list[str], documents: list[str], keep_tokens: int = KEEP_TOKENS) -> float:
        self.embedder.zero_grad()
        tokens = self.embedder.tokenize([*queries, *documents], "document")  # this model has no prompts
        plan = plan_chunks(tokens.lengths, CHUNK_TOKENS, MAX_ROWS)
        pad_id = self.embedder.text_input.encoder.pad_id
        columns = torch.arange(len(documents))
        facts = BatchFacts(range(len(queries)), columns.unsqueeze(1), columns, columns, columns)

        def embed(chunk: int) -> Tensor:
            ids, mask = pad(tokens.ids, tokens.offsets, plan.rows[chunk], pad_id)
            vectors: Tensor = self.embedder(torch.from_numpy(ids), torch.from_numpy(mask))
            return vectors

        def loss(chunks: list[Tensor]) -> float:
            end_to_end = torch.cat(chunks)
            vectors = end_to_end.detach()[torch.from_numpy(plan.place)]
            sides = [side.clone().requires_grad_() for side in (vectors[: len(queries)], vectors[len(queries) :])]
            sums = contrastive_backward(sides[0], sides[1], facts, self.objective, scale=1 / len(queries))
            gradient = torch.empty_like(end_to_end)
            gradient[torch.from_numpy(plan.place)] = torch.cat([_gradient(side) for side in sides])
            torch.autograd.backward(end_to_end, gradient)
            return sums["loss"] / len(queries)

        return cached_backward(len(plan), embed, loss, device=self.embedder.device, kept=plan.graphs_within(keep_tokens))


def _gradient(leaf: Tensor) -> Tensor:
    if leaf.grad is None:
        raise RuntimeError("the loss sent nothing back")
    return leaf.grad


class Theirs:
    """sentence-transformers' cached loss, called as its trainer calls it."""

    def __init__(self) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(locate(MODEL).folder), device="cpu").train()

    def step(self, queries: list[str], documents: list[str], **settings: int) -> float:
        from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

        loss = CachedMultipleNegativesRankingLoss(self.model, **settings)
        self.model.zero_grad()
        features = [self.model.preprocess(side) for side in (queries, documents)]
        value = loss(features, None)
        value.backward()
        return float(value.detach())


def pairs(kind: str, count: int) -> tuple[list[str], list[str]]:
    """Queries and documents: lognormal lengths, or each a shuffle of the same 40 words, so of one length in tokens."""
    if kind == "lognormal":
        return texts(count, seed=1), texts(count, seed=2)
    generator = np.random.default_rng(3)
    words = list(WORDS[:10]) * 4
    shuffled = [" ".join(generator.permutation(words)) for _ in range(2 * count)]
    return shuffled[:count], shuffled[count:]


def autocast(precision: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()


def timed(step: Step, given: tuple[list[str], list[str]], precision: str) -> float:
    started = time.perf_counter()
    with autocast(precision):
        step(*given)
    return time.perf_counter() - started


def interleaved(steps: Mapping[str, Step], given: tuple[list[str], list[str]], precision: str, rounds: int) -> dict[str, float]:
    """The median seconds of each step."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(timed(step, given, precision))
    return {name: statistics.median(values) for name, values in seconds.items()}


def agreement(ours: Ours, theirs: Theirs) -> tuple[float, float]:
    """Without dropout: the difference of the two losses, and of the gradients of the word embeddings relative to the largest."""
    given = pairs("lognormal", 32)
    ours.embedder.eval()
    theirs.model.eval()
    losses = ours.step(*given), theirs.step(*given, mini_batch_size=16)
    ours.embedder.train()
    theirs.model.train()
    words = "embeddings.word_embeddings.weight"
    found = _gradient(ours.embedder.get_parameter(f"backbone.{words}"))
    expected = _gradient(theirs.model.get_parameter(f"0.model.{words}"))
    return abs(losses[0] - losses[1]), float((found - expected).abs().max() / expected.abs().max())


def against_theirs(ours: Ours, theirs: Theirs, kind: str, precision: str, batch: int, rounds: int, settings: dict[str, int] | None) -> dict[str, Any]:
    """Our seconds and theirs on one kind of text; their setting is chosen here unless it is given."""
    given = pairs(kind, batch)
    if settings is None:
        few = given[0][: batch // 8], given[1][: batch // 8]
        settings = min(THEIR_SETTINGS, key=lambda one: timed(lambda left, right: theirs.step(left, right, **one), few, precision))
    chosen = settings
    steps: dict[str, Step] = {"ours": ours.step, "theirs": lambda left, right: theirs.step(left, right, **chosen)}
    median = interleaved(steps, given, precision, rounds)
    return {"texts": kind, "precision": precision, **median, "ratio": median["theirs"] / median["ours"], "settings": settings}


def peak(side: str, batch: int, settings: dict[str, int]) -> int:
    """The peak resident bytes of one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gradcache", "--peak", side, "--batch", str(batch)]
    command += [f"--their-{name.replace('_', '-')}={value}" for name, value in settings.items()]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def one_peak(side: str, batch: int, settings: dict[str, int]) -> None:
    given = pairs("lognormal", batch)
    if side == "ours":
        Ours().step(given[0], given[1])
    else:
        Theirs().step(given[0], given[1], **settings)
    print(peak_resident_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256, help="pairs")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the median counts")
    parser.add_argument("--bf16", action="store_true", help="time lognormal texts under bf16 autocast as well")
    parser.add_argument("--peak", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    for name in ("size", "num-tokens"):
        parser.add_argument(f"--their-mini-batch-{name}", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        given = {"mini_batch_size": arguments.their_mini_batch_size, "mini_batch_num_tokens": arguments.their_mini_batch_num_tokens}
        one_peak(arguments.peak, arguments.batch, {name: value for name, value in given.items() if value is not None})
        return
    ours, theirs = Ours(), Theirs()
    loss_difference, gradient_difference = agreement(ours, theirs)  # also warms both up
    found = [against_theirs(ours, theirs, kind, "fp32", arguments.batch, arguments.rounds, None) for kind in ("lognormal", "fixed")]
    if arguments.bf16:
        found.append(against_theirs(ours, theirs, "lognormal", "bf16", arguments.batch, arguments.rounds, found[0]["settings"]))
    print_table(
        ["texts, precision", "ours s/step", "theirs s/step", "theirs / ours", "their setting"],
        [[f"{one['texts']}, {one['precision']}", one["ours"], one["theirs"], one["ratio"], _words(one["settings"])] for one in found],
    )
    steps: dict[str, Step] = {
        "ours": ours.step,
        "keep 0": lambda left, right: ours.step(left, right, keep_tokens=0),
        "uncached": lambda left, right: ours.step(left, right, keep_tokens=EVERYTHING),
    }
    small = interleaved(steps, pairs("lognormal", 64), "fp32", arguments.rounds)
    print_table(["64 pairs", "s/step", "over uncached"], [[name, seconds, seconds / small["uncached"]] for name, seconds in small.items()])
    resident = {f"{side} {batch}": peak(side, batch, found[0]["settings"]) for side, batch in (("ours", 64), ("ours", 1024), ("theirs", 64))}
    print_table(["pairs", "peak resident MB"], [[name, size / 1e6] for name, size in resident.items()])
    finish(
        "gradcache",
        found[0]["ratio"],
        ratio_fixed_lengths=found[1]["ratio"],
        ratio_bf16=found[2]["ratio"] if arguments.bf16 else None,
        peak_1024_over_64=resident["ours 1024"] / resident["ours 64"],
        step_over_uncached=small["ours"] / small["uncached"],
        keep_0_over_uncached=small["keep 0"] / small["uncached"],
        loss_difference=loss_difference,
        gradient_difference=gradient_difference,
        batch=arguments.batch,
        rounds=arguments.rounds,
        seconds={f"{one['texts']} {one['precision']}": [one["ours"], one["theirs"]] for one in found},
        their_settings=[_words(one["settings"]) for one in found],
        peak_mb={name: round(size / 1e6) for name, size in resident.items()},
        packages=["transformers", "sentence-transformers"],
    )


def _words(settings: dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


if __name__ == "__main__":
    main()
