"""The gradient of a loss over a large batch in the memory of a small one.

Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (arXiv 2101.06983): a
contrastive loss needs every vector of the batch at once, but the model's graph only for one chunk at a time.

1. Each chunk is embedded without a graph; the state of the random generators before it is kept.
2. The loss of all vectors is sent back as far as the vectors; d(loss)/d(vectors) is the cache.
3. Each chunk is embedded again, with a graph and from the same random state, and its cached gradient is sent back
   through it. (The paper's surrogate dot(vectors, gradient) has just this gradient; handing it to `backward` saves the dot.)

A second forward pass is the price, a third more work. It is paid only where it must be: the last `kept` chunks keep
their graph in step 1 and go back through it, first of all, so that their memory is free before the replays begin. With
every chunk kept this is the plain step.

The result is exact, not an estimate, provided that a chunk's vectors depend on nothing but the weights, its tokens
and torch's default generators (of the CPU and of `device`). Batch norm does not qualify, nor does dropout from a generator
of its own; a replay that lands elsewhere than the first pass is an error.

Traps, each with a test:
- Both passes must run under the same autocast: `embed` enters it, or the caller does around the whole call.
- DDP decides in the *forward* pass whether the next backward pass averages gradients, and counts each parameter once. So the
  pass that synchronises must be the last forward *and* the last backward: the last replay. Without replays all graphs go
  back in one call, in which each parameter's gradient arrives once. (Sent back one by one, all but the first are lost
  to the average, and DDP does not complain.)
- FSDP gathers weights in every pass, so all ranks must make the same passes in the same order: `passes`, the largest number
  of chunks on any rank. A rank with fewer embeds chunk 0 again and sends zeros back. DDP needs no such passes, but at
  its second step it talks to the other ranks in the first forward pass that has a graph. For both, `kept` must be one number on
  all ranks (the smallest of theirs).
- A parameter of the loss itself (a learned temperature) gets its gradient in step 2, so it must not be one of the
  parameters that DDP or FSDP wrap; who trains it averages it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from ray_pipeline.errors import ModelError

Embed = Callable[[int], Tensor]  # chunk number -> vectors [texts of the chunk, dim], through the wrapped model
Sums = TypeVar("Sums")  # whatever the loss returns
_Rng = tuple[Tensor, Tensor | None]

# How far from its first vectors a replay may land, as a share of their norm. The same kernels on the same numbers give 0;
# compiled code may round differently with a graph than without, by far less than another draw of dropout moves a vector.
_DRIFT: Final = 0.02


def cached_backward(
    chunks: int,
    embed: Embed,
    loss: Callable[[list[Tensor]], Sums],
    *,
    device: torch.device,
    kept: int = 0,
    passes: int | None = None,
    sync: bool = True,
    no_sync: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Sums:
    """Add the gradient of `loss` to the model's parameters; return what `loss` returned.

    `loss` is given the vectors of each chunk, in order, in fp32 at least, as leaves; it must call `backward` itself, and gather other
    ranks' vectors itself. `kept` chunks keep their graph, counted from the last (`ChunkPlan.graphs_within`). `passes` is the
    number of forward passes all ranks make, for FSDP. Gradients are averaged over ranks in the last backward pass
    if `sync`, and all others run inside `no_sync()`.
    """
    passes = chunks if passes is None else passes
    if not (1 <= chunks <= passes and 0 <= kept <= chunks):
        raise ValueError(
            f"{chunks} chunks of which {kept} are kept, in {passes} passes: at least one chunk, no more kept than chunks, no fewer passes"
        )
    blank = passes - chunks
    replayed = chunks - kept
    together = sync and kept == passes
    vectors, states = _embed_all(chunks, embed, device, kept, blank, no_sync, together)
    leaves = [_leaf(one, device) for one in vectors]
    sums = loss(leaves)
    gradients = _gradients(leaves, vectors)
    if together:
        torch.autograd.backward(vectors, gradients)
        return sums
    with no_sync():
        for chunk in reversed(range(replayed, chunks)):
            torch.autograd.backward(vectors.pop(), gradients[chunk])
    drifts: list[Tensor] = []
    with _generators_restored(device):
        for turn in range(-blank, replayed):
            chunk = max(turn, 0)
            with nullcontext() if sync and turn == replayed - 1 else no_sync():
                _set_generators(device, states[chunk])
                again = embed(chunk)
                torch.autograd.backward(again, gradients[chunk] if turn >= 0 else torch.zeros_like(gradients[chunk]))
            drifts.append(_distance(again, leaves[chunk]))
    _check_drift(drifts, blank)
    return sums


def _embed_all(
    chunks: int,
    embed: Embed,
    device: torch.device,
    kept: int,
    blank: int,
    no_sync: Callable[[], AbstractContextManager[Any]],
    together: bool,
) -> tuple[list[Tensor], list[_Rng]]:
    """Step 1: every chunk's vectors, the last `kept` with their graph, and the generators' states before each."""
    vectors: list[Tensor] = []
    states: list[_Rng] = []
    with torch.no_grad():
        with _generators_restored(device):
            for _ in range(blank):
                embed(0)
        for chunk in range(chunks - kept):
            states.append(_generators(device))
            vectors.append(embed(chunk))
    for chunk in range(chunks - kept, chunks):
        states.append(_generators(device))
        with nullcontext() if together and chunk == chunks - 1 else no_sync():
            vectors.append(embed(chunk))
    return vectors, states


def _leaf(vectors: Tensor, device: torch.device) -> Tensor:
    """The vectors without their graph, in a precision that a loss can be computed in."""
    if vectors.device.type != device.type or device.index not in (None, vectors.device.index):
        raise ValueError(f"the vectors lie on {vectors.device}, but device={device}, whose random state was kept; name the model's device")
    return vectors.detach().to(torch.promote_types(vectors.dtype, torch.float32)).requires_grad_()


def _gradients(leaves: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
    """d(loss)/d(vectors) a chunk, in the vectors' own precision; zero for a chunk the loss did not use."""
    if all(leaf.grad is None for leaf in leaves):
        raise ValueError("the loss sent no gradient back to any vector; it must call backward() itself")
    found = []
    for leaf, own in zip(leaves, vectors, strict=True):
        found.append(torch.zeros_like(own) if leaf.grad is None else leaf.grad.to(own.dtype))
        leaf.grad = None
    return found


def _distance(again: Tensor, first: Tensor) -> Tensor:
    """How far the second vectors lie from the first, as a share of their norm; left on the device, so that nothing waits for it."""
    known = first.detach()
    share: Tensor = torch.linalg.vector_norm(again.detach().to(known.dtype) - known) / torch.linalg.vector_norm(known)
    return share


def _check_drift(drifts: Sequence[Tensor], blank: int) -> None:
    if not drifts:
        return
    worst, turn = torch.stack(list(drifts)).max(dim=0)
    if float(worst) > _DRIFT:
        raise ModelError(
            f"chunk {max(int(turn) - blank, 0)}: the second forward pass gave vectors {float(worst):.0%} away from the first, so their "
            "gradients do not belong together: the model draws random numbers outside torch's default generators, or keeps state between "
            "calls; turn that off, or give keep_tokens the whole batch, which needs no second pass"
        )


def _generators(device: torch.device) -> _Rng:
    return torch.get_rng_state(), None if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)


def _set_generators(device: torch.device, state: _Rng) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.get_device_module(device).set_rng_state(state[1], device)


@contextmanager
def _generators_restored(device: torch.device) -> Iterator[None]:
    """Draws inside leave no trace: afterwards the generators stand where they stood."""
    before = _generators(device)
    try:
        yield
    finally:
        _set_generators(device, before)
