"""The processes that train together: sums, gathered rows and decisions that all of them share.

A `Group` of one needs no process group, so everything above runs in a notebook too. Sums travel in float64: counts stay
exact, and a loss does not depend on how many ranks added to it.

Trap: gloo's and NCCL's `all_gather` want equal shapes from all ranks. Rows are padded to the longest and cut again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch import distributed as dist

Strategy = Literal["ddp", "fsdp"]
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Group:
    """This process's place among those that train together."""

    rank: int = 0
    world: int = 1
    device: torch.device = _CPU

    @classmethod
    def current(cls, device: str = "cpu") -> Group:
        """As torch.distributed was set up; alone where it was not."""
        if not dist.is_initialized():
            return cls(device=torch.device(device))
        return cls(dist.get_rank(), dist.get_world_size(), torch.device(device))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """This rank's block of so many rows; blocks are contiguous and differ by at most one row."""
        return slice(rows * self.rank // self.world, rows * (self.rank + 1) // self.world)

    def sum(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values added over the ranks; all ranks give the same names in the same order."""
        if self.world == 1:
            return dict(values)
        total = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return dict(zip(values, total.tolist(), strict=True))

    def largest(self, value: int) -> int:
        if self.world == 1:
            return value
        found = torch.tensor(value, device=self.device)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def add_(self, tensor: Tensor) -> Tensor:
        """The tensor added over the ranks, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather_rows(self, rows: Tensor) -> list[Tensor]:
        """Every rank's rows [n, ...], n of its own; without gradients."""
        if self.world == 1:
            return [rows.detach()]
        counts = [torch.zeros((), dtype=torch.int64, device=self.device) for _ in range(self.world)]
        dist.all_gather(counts, torch.tensor(len(rows), device=self.device))
        lengths = [int(count) for count in counts]
        padded = rows.new_zeros((max(lengths), *rows.shape[1:]))
        padded[: len(rows)] = rows.detach()
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        return [part[:length] for part, length in zip(parts, lengths, strict=True)]

    def from_leader(self, value: Any) -> Any:
        """What rank 0 says, as JSON carries it; the others' own value does not count."""
        if self.world == 1:
            return value
        text = torch.frombuffer(bytearray(json.dumps(value if self.leads else None).encode()), dtype=torch.uint8).to(self.device)
        return json.loads(bytes(self.gather_rows(text)[0].cpu().numpy()))

    def wait(self) -> None:
        if self.world > 1:
            dist.barrier()


def wrap(model: nn.Module, group: Group, strategy: Strategy) -> nn.Module:
    """The model as its ranks train it together. Sharding (`fsdp`) changes the module itself; DDP stands around it."""
    if group.world == 1:
        return model  # there is nobody to share it with
    if strategy == "fsdp":
        return _shard(model, group)
    devices = [group.device] if group.device.type == "cuda" else None
    # buffers are constants here; a broadcast of them in every forward would be a collective that GradCache's passes make unequal
    return nn.parallel.DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True)


def _shard(model: nn.Module, group: Group) -> nn.Module:
    """FSDP2 on each layer of the largest stack of layers, then on the whole."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(group.device.type, (group.world,))
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    for layer in max(stacks, key=len, default=nn.ModuleList()):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def without_sync(model: nn.Module) -> AbstractContextManager[None]:
    """Gradients stay on this rank for a while: what all but the last backward of a step want."""
    if isinstance(model, nn.parallel.DistributedDataParallel):
        return model.no_sync()
    return nullcontext()
