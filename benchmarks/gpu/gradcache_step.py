"""A large-batch contrastive step on one GPU: tokens a second, memory, and the share of the bf16 peak, random weights and token ids.

Weights in fp32 under bf16 autocast, dropout as the shape has it, no optimizer. Three steps over the same chunks: `keep none` embeds
every chunk twice, `keep some` keeps the graphs of the last `--keep-tokens` padded tokens, `uncached` keeps all graphs and may not fit.
Model operations are three forward passes over the real tokens; hardware operations count padding and every pass that was made.
`ratio` is the speed of `keep some` over `keep none`, for the last shape.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.device import data_sheet_peak, forget_peak, measured_device, measured_peak, median_seconds, name_of, peak_bytes
from benchmarks.gpu.shapes import SHAPES, SMOKE, Backbone, inputs_of, lengths_of
from benchmarks.report import finish, print_table
from ray_pipeline.objectives.gradcache import cached_backward
from ray_pipeline.objectives.gradcache_chunks import plan_chunks

LOSS_ROWS = 1024  # rows of the score matrix that exist at one time


def info_nce_backward(chunks: list[Tensor], place: Tensor) -> None:
    """The mean InfoNCE loss at temperature 0.05, sent back rows by rows; the first half of the texts are the queries."""
    end_to_end = torch.cat(chunks)
    vectors = end_to_end.detach()[place].requires_grad_()
    count = len(vectors) // 2
    for start in range(0, count, LOSS_ROWS):
        rows = torch.arange(start, min(start + LOSS_ROWS, count), device=vectors.device)
        scores = vectors[rows] @ vectors[count:].T / 0.05
        torch.autograd.backward(nn.functional.cross_entropy(scores, rows, reduction="sum") / count)
    if vectors.grad is None:
        raise RuntimeError("the batch holds no pair")
    torch.autograd.backward(end_to_end, torch.empty_like(end_to_end).index_copy(0, place, vectors.grad))


def measure(config: Any, device: torch.device, pairs: int, chunk_tokens: int, keep_tokens: int, rounds: int) -> dict[str, dict[str, Any]]:
    model = Backbone(config, device, torch.float32).train()
    lengths = lengths_of(2 * pairs, longest=512, seed=0)
    plan = plan_chunks(lengths, chunk_tokens, max_rows=4096)
    inputs = inputs_of(plan, lengths, model.vocabulary, device)
    place = torch.from_numpy(plan.place).to(device)

    def embed(chunk: int) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            vectors: Tensor = model(*inputs[chunk])
        return vectors

    def loss(chunks: list[Tensor]) -> None:
        info_nce_backward(chunks, place)

    def step(kept: int) -> None:
        model.zero_grad()
        cached_backward(len(plan), embed, loss, device=device, kept=kept)

    found: dict[str, dict[str, Any]] = {}
    for name, kept in {"keep none": 0, "keep some": plan.graphs_within(keep_tokens), "uncached": len(plan)}.items():
        forget_peak(device)
        try:
            seconds = median_seconds(partial(step, kept), device, rounds)
        except torch.OutOfMemoryError:
            if name != "uncached":
                raise
            found[name] = {"fits": False}
            continue
        passes = 3 * model.hardware_operations(plan, range(len(plan))) + model.hardware_operations(plan, range(len(plan) - kept))
        found[name] = {
            "fits": True,
            "kept_chunks": f"{kept} of {len(plan)}",
            "seconds": seconds,
            "tokens_per_s": float(lengths.sum()) / seconds,
            "model_operations_per_s": 3 * model.model_operations(lengths) / seconds,
            "hardware_operations_per_s": passes / seconds,
            "peak_bytes": peak_bytes(device),
        }
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--chunk-tokens", type=int, default=32_768, help="padded tokens a chunk")
    parser.add_argument("--keep-tokens", type=int, default=65_536, help="padded tokens whose graphs are kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny shapes and few texts: only to see that it runs")
    given = parser.parse_args(arguments)
    device = measured_device(given.smoke)
    configs = SMOKE if given.smoke else {name: SHAPES[name] for name in given.shapes}
    sizes = (16, 512, 512, 1) if given.smoke else (given.pairs, given.chunk_tokens, given.keep_tokens, given.rounds)
    peak = data_sheet_peak(device)
    reached = measured_peak(device, 256 if given.smoke else 8192)
    found = {name: measure(make(), device, *sizes) for name, make in configs.items()}
    print(f"{name_of(device)}: bf16 {reached / 1e12:.3g} TFLOP/s in a large product, {f'{peak / 1e12:.4g}' if peak else 'unknown'} by the data sheet")
    print_table(
        [
            "shape, graphs",
            "kept",
            "s/step",
            "tokens/s",
            "model TFLOP/s",
            "hardware TFLOP/s",
            "model of data sheet",
            "model of large product",
            "peak GB",
        ],
        [[f"{name}, {kind}", *_cells(one, peak, reached)] for name, kinds in found.items() for kind, one in kinds.items()],
    )
    last = list(found.values())[-1]
    finish(
        "gpu_gradcache_step",
        last["keep none"]["seconds"] / last["keep some"]["seconds"],
        gpu=device.type == "cuda",
        smoke=given.smoke,
        device=name_of(device),
        data_sheet_peak=peak,
        measured_peak=reached,
        shapes=found,
        pairs=sizes[0],
        chunk_tokens=sizes[1],
        keep_tokens=sizes[2],
        packages=["transformers"],
    )


def _cells(one: dict[str, Any], peak: float | None, reached: float) -> list[object]:
    if not one["fits"]:
        return ["all", "does not fit", "-", "-", "-", "-", "-", "-"]
    rate = one["model_operations_per_s"]
    rates = [rate / 1e12, one["hardware_operations_per_s"] / 1e12, rate / peak if peak else "-", rate / reached]
    return [one["kept_chunks"], one["seconds"], one["tokens_per_s"], *rates, one["peak_bytes"] / 1e9 if one["peak_bytes"] is not None else "-"]


if __name__ == "__main__":
    main()
