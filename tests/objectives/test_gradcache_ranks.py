"""Cached gradients on two ranks against one process: DDP and FSDP2 over gloo, fp64, dropout off.

This file is also the program of a rank: `python test_gradcache_ranks.py RANK FOLDER`. Its annotations are evaluated, since DDP
reads those of a communication hook.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ray_pipeline.objectives.gradcache import cached_backward
from tests.ranks import run_ranks

WORLD = 2
STEPS = 3  # DDP arranges its buckets anew at the second

# texts of each chunk, a rank and a batch of the step; how many chunks keep their graph
EVEN = [[[2, 3, 1], [4, 1, 1]]]
UNEVEN = [[[2, 3, 1, 2], [3, 2]]]
ONE = [[[3], [4]]]
TWO_BATCHES = [[[2, 3, 1], [4, 2]], [[1, 2], [2, 2, 3]]]
CASES: dict[str, tuple[list[list[list[int]]], int]] = {
    "even, none kept": (EVEN, 0),
    "even, one kept": (EVEN, 1),
    "even, all kept": (EVEN, 3),
    "uneven, none kept": (UNEVEN, 0),
    "uneven, one kept": (UNEVEN, 1),
    "uneven, all of one rank kept": (UNEVEN, 2),
    "one chunk, not kept": (ONE, 0),
    "one chunk, kept": (ONE, 1),
    "two batches, none kept": (TWO_BATCHES, 0),
    "two batches, one kept": (TWO_BATCHES, 1),
    "two batches, all of one rank kept": (TWO_BATCHES, 2),
}


def model() -> nn.Module:
    torch.manual_seed(0)
    block = [nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Dropout(0.0), nn.Linear(8, 5)]
    return nn.Sequential(nn.Sequential(*block[:3]), nn.Sequential(*block[3:])).double()


def texts(case: str, step: int, batch: int, rank: int, chunk: int) -> Tensor:
    rows = CASES[case][0][batch][rank][chunk]
    torch.manual_seed(1000 * step + 100 * batch + 10 * rank + chunk)
    return torch.randn(rows, 6, dtype=torch.float64)


def value(vectors: Tensor) -> Tensor:
    """A loss in which every vector meets every other."""
    scores = vectors @ vectors.T
    return (scores.logsumexp(dim=1) * torch.linspace(1.0, 2.0, len(vectors), dtype=torch.float64)).sum()


def in_one_process(case: str) -> list[dict[str, Tensor]]:
    whole = model()
    found = []
    for step in range(STEPS):
        whole.zero_grad()
        for batch, ranks in enumerate(CASES[case][0]):
            all_texts = [texts(case, step, batch, rank, chunk) for rank in range(WORLD) for chunk in range(len(ranks[rank]))]
            value(whole(torch.cat(all_texts))).backward()
        found.append({name: one.grad.clone() for name, one in whole.named_parameters() if one.grad is not None})
    return found


def on_a_rank(case: str, wrapped: nn.Module, no_sync: Callable[[], AbstractContextManager[Any]], same_passes: bool) -> list[dict[str, Tensor]]:
    """The gradients of each step. A rank puts its vectors into its slot among all ranks' and computes the whole loss; gradients are averaged."""
    batches, kept = CASES[case]
    rank = dist.get_rank()

    def one_batch(step: int, batch: int) -> None:
        def loss(own: list[Tensor]) -> None:
            everyone: list[Any] = [None] * WORLD
            dist.all_gather_object(everyone, torch.cat(own).detach())
            everyone[rank] = torch.cat(own)
            (value(torch.cat(everyone)) * WORLD).backward()

        counts = [len(chunks) for chunks in batches[batch]]
        cached_backward(
            counts[rank],
            lambda chunk: wrapped(texts(case, step, batch, rank, chunk)),
            loss,
            device=torch.device("cpu"),
            kept=kept,
            passes=max(counts) if same_passes else None,
            sync=batch == len(batches) - 1,
            no_sync=no_sync,
        )

    found = []
    for step in range(STEPS):
        wrapped.zero_grad()
        for batch in range(len(batches)):
            one_batch(step, batch)
        found.append(gradients(wrapped))
    return found


def gradients(wrapped: nn.Module) -> dict[str, Tensor]:
    found = {}
    for name, one in wrapped.named_parameters():
        assert one.grad is not None
        grad = one.grad.full_tensor() if hasattr(one.grad, "full_tensor") else one.grad  # FSDP holds a part of each
        found[name.removeprefix("module.")] = grad.detach().clone().contiguous()
    return found


def ddp(case: str) -> tuple[list[dict[str, Tensor]], int]:
    """The gradients of each step, and how often they were averaged."""
    wrapped = DistributedDataParallel(model())
    calls: list[int] = []

    def counted(state: None, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
        calls.append(bucket.index())
        averaged = bucket.buffer() / WORLD
        work = dist.all_reduce(averaged, async_op=True)
        assert work is not None
        return work.get_future().then(lambda future: future.value()[0])

    wrapped.register_comm_hook(None, counted)
    found = on_a_rank(case, wrapped, wrapped.no_sync, same_passes=False)
    return found, len(calls)


def fsdp(case: str) -> tuple[list[dict[str, Tensor]], int]:
    """The gradients of each step; FSDP's averages are not counted."""
    from torch.distributed.fsdp import FSDPModule, fully_shard

    whole = model()
    for block in whole.children():
        fully_shard(block)
    wrapped = fully_shard(whole)
    assert isinstance(wrapped, FSDPModule)

    @contextmanager
    def no_sync() -> Iterator[None]:
        wrapped.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            wrapped.set_requires_gradient_sync(True)

    return on_a_rank(case, whole, no_sync, same_passes=True), 0


WRAPPERS: dict[str, Callable[[str], tuple[list[dict[str, Tensor]], int]]] = {"ddp": ddp, "fsdp": fsdp}


def rank_main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    patience = timedelta(seconds=30)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=patience)
    averaged = {}
    for name, wrapper in WRAPPERS.items():
        for case in CASES:
            steps, averaged[f"{name}, {case}"] = wrapper(case)
            for step, found in enumerate(steps):
                save_file(found, folder / f"{name}, {case}, {step}, {rank}.safetensors")
    (folder / f"{rank}.json").write_text(json.dumps(averaged))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two ranks left their gradients."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(__file__, WORLD, str(folder), patience=120)
    return folder


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process(wrapper: str, case: str, ranks: Path) -> None:
    for step, expected in enumerate(in_one_process(case)):
        for rank in range(WORLD):
            found = load_file(ranks / f"{wrapper}, {case}, {step}, {rank}.safetensors")
            assert found.keys() == expected.keys()
            for name, gradient in expected.items():
                assert float((found[name] - gradient).abs().max()) < 1e-10 * max(1.0, float(gradient.abs().max())), (step, rank, name)


@pytest.mark.parametrize("case", CASES)
def test_ddp_averages_once_a_step(case: str, ranks: Path) -> None:
    for rank in range(WORLD):
        assert json.loads((ranks / f"{rank}.json").read_text())[f"ddp, {case}"] == STEPS  # the model is one bucket


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]))
