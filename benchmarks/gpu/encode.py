"""Embedding on one GPU: tokens a second in bf16 and the share of the device's bf16 peak, random weights and token ids.

`ratio` is batches by token budget out of texts sorted by length over batches of a fixed number of texts in the order they
come, both at the same number of padded tokens a batch on average; it is that of the last shape.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gpu.device import data_sheet_peak, measured_device, measured_peak, median_seconds, name_of
from benchmarks.gpu.shapes import SHAPES, SMOKE, Backbone, inputs_of, lengths_of
from benchmarks.report import finish, print_table
from ray_pipeline.objectives.gradcache_chunks import ChunkPlan, plan_chunks


def in_order(lengths: NDArray[np.int64], token_budget: int) -> ChunkPlan:
    """Batches of a fixed number of texts as they come, about `token_budget` padded tokens each."""
    rows_at_once = max(1, int(token_budget / np.quantile(lengths, 0.99)))
    rows = tuple(np.array_split(np.arange(len(lengths)), -(-len(lengths) // rows_at_once)))
    return ChunkPlan(rows, tuple(len(one) * int(lengths[one].max()) for one in rows), np.arange(len(lengths)))


def seconds_of(model: Backbone, plan: ChunkPlan, lengths: NDArray[np.int64], device: torch.device, rounds: int) -> float:
    inputs = inputs_of(plan, lengths, model.vocabulary, device)

    @torch.inference_mode()
    def run() -> None:
        for ids, mask in inputs:
            model(ids, mask).cpu()

    return median_seconds(run, device, rounds)


def measure(config: Any, device: torch.device, texts: int, token_budget: int, rounds: int) -> dict[str, float]:
    model = Backbone(config, device, torch.bfloat16).eval()
    lengths = lengths_of(texts, longest=512, seed=0)
    plan = plan_chunks(lengths, token_budget, max_rows=4096)
    seconds = seconds_of(model, plan, lengths, device, rounds)
    plain = seconds_of(model, in_order(lengths, token_budget), lengths, device, rounds)
    return {
        "tokens_per_s": float(lengths.sum()) / seconds,
        "texts_per_s": texts / seconds,
        "padding": 1 - float(lengths.sum()) / sum(plan.tokens),
        "model_operations_per_s": model.model_operations(lengths) / seconds,
        "hardware_operations_per_s": model.hardware_operations(plan, range(len(plan))) / seconds,
        "over_fixed_batches": plain / seconds,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--texts", type=int, default=32_768)
    parser.add_argument("--token-budget", type=int, default=65_536, help="padded tokens a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny shapes and few texts: only to see that it runs")
    given = parser.parse_args(arguments)
    device = measured_device(given.smoke)
    configs = SMOKE if given.smoke else {name: SHAPES[name] for name in given.shapes}
    texts, budget, rounds = (32, 512, 1) if given.smoke else (given.texts, given.token_budget, given.rounds)
    peak = data_sheet_peak(device)
    reached = measured_peak(device, 256 if given.smoke else 8192)
    found = {name: measure(make(), device, texts, budget, rounds) for name, make in configs.items()}
    print(f"{name_of(device)}: bf16 {reached / 1e12:.3g} TFLOP/s in a large product, {f'{peak / 1e12:.4g}' if peak else 'unknown'} by the data sheet")
    print_table(
        ["shape", "tokens/s", "texts/s", "padding", "model TFLOP/s", "hardware TFLOP/s", "of data sheet", "of large product", "over fixed batches"],
        [
            [
                name,
                one["tokens_per_s"],
                one["texts_per_s"],
                one["padding"],
                one["model_operations_per_s"] / 1e12,
                one["hardware_operations_per_s"] / 1e12,
                one["model_operations_per_s"] / peak if peak else "-",
                one["model_operations_per_s"] / reached,
                one["over_fixed_batches"],
            ]
            for name, one in found.items()
        ],
    )
    last = list(found.values())[-1]
    finish(
        "gpu_encode",
        last["over_fixed_batches"],
        gpu=device.type == "cuda",
        smoke=given.smoke,
        device=name_of(device),
        data_sheet_peak=peak,
        measured_peak=reached,
        shapes=found,
        texts=texts,
        token_budget=budget,
        packages=["transformers"],
    )


if __name__ == "__main__":
    main()
