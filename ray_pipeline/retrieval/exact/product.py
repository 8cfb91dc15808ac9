"""Approximate inner products of a block, with a proven bound on how wrong they are.

Exact search uses a fast matrix product only as a filter: what might be in the top k must pass, so the kernel (bf16 or fp32)
is a matter of speed and cannot change a result.

The bound. Let x' be x rounded to the kernel's type (x' = x for fp32) and r(x) = |x - x'|, measured, not assumed. Then

    |q.d - q'.d'| = |(q - q').d + q'.(d - d')| <= r(q)|d| + |q'| r(d)                     (Cauchy-Schwarz)
    |y - q'.d'|  <= g |q'||d'| + t,  g = (d + 8) 2^-22,  t = d 2^-120

for y the kernel's float32 sum: products of bf16 are exact in float32, n float32 additions in any order err by at most
n 2^-24 / (1 - n 2^-24) of the sum of |products| (Higham, eq. 4.4), itself at most |q'||d'|; fp32 adds one rounding a
product. g holds four times that, which covers accumulators that truncate. t covers products and subnormals flushed to zero.
The kernel then rounds y to its output type, by any rounding that never passes a representable number; that needs no term:
y >= T gives output >= the largest representable number <= T, and output >= a gives y > the number before a.

Vectors are first multiplied by a power of two (one a block) that brings the largest number near 1, so that neither the
products nor the norms leave float32's range; what underflows then is inside the norms' absolute slack.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import torch
from torch import Tensor

from ray_pipeline.errors import SettingsError
from ray_pipeline.retrieval.exact.workers import each, threads

Kernel = Literal["bf16", "fp32"]
_TILE: Final = 2048  # rows prepared at once: a few MiB of scratch
_SLACK: Final = 2.0**-60


@dataclass(frozen=True)
class Factor:
    """One side of the product, and what is known of it. True vector = vector here * 2^-exponent."""

    rounded: Tensor  # [n, d] in the kernel's type
    exponent: int
    norms: Tensor  # [n] float64, at least each scaled vector's norm
    residuals: Tensor  # [n] float64, at least the norm of what rounding took away

    def true_norms(self) -> Tensor:
        return self.norms * 2.0**-self.exponent


def input_type(kernel: Kernel) -> torch.dtype:
    return torch.bfloat16 if kernel == "bf16" else torch.float32


def _norm_bound(rows: Tensor) -> Tensor:
    """float64 upper bounds of the norms of float32 rows whose numbers are at most 4."""
    dim = rows.shape[1]
    norms = torch.linalg.vector_norm(rows, dim=1).double()
    bounds: Tensor = norms * (1 + (dim + 8) * 2.0**-23) + math.sqrt(dim) * _SLACK
    return bounds


def factor(vectors: Tensor, kernel: Kernel) -> Factor:
    """float32 vectors [n, d] made ready for `kernel`."""
    largest = float(torch.stack(torch.aminmax(vectors)).abs().max()) if vectors.numel() else 0.0
    exponent = max(-126, min(126, -math.frexp(largest)[1]))
    rounded = torch.empty(vectors.shape, dtype=input_type(kernel), device=vectors.device)
    norms, residuals = (torch.empty(len(vectors), dtype=torch.float64, device=vectors.device) for _ in range(2))

    def prepare(start: int) -> None:
        rows = slice(start, start + _TILE)
        scaled = vectors[rows] * 2.0**exponent
        rounded[rows] = scaled
        norms[rows] = _norm_bound(scaled)
        residuals[rows] = _norm_bound(scaled.sub_(rounded[rows]))

    each(prepare, range(0, len(vectors), _TILE), threads(vectors.device))
    return Factor(rounded, exponent, norms, residuals)


def gap(queries: Factor, docs: Factor) -> Tensor:
    """[Q] float64: for each query, how far the kernel's sum can be from the exact product with any of the documents."""
    dim = queries.rounded.shape[1]
    if not len(docs.norms):
        return torch.zeros_like(queries.norms)
    doc_norm, doc_residual = docs.norms.max(), docs.residuals.max()
    rounded_norm = queries.norms + queries.residuals
    rounding = queries.residuals * doc_norm + rounded_norm * doc_residual
    summing = rounded_norm * (doc_norm + doc_residual) * ((dim + 8) * 2.0**-22)
    return (rounding + summing) * (1 + 2.0**-40) + dim * 2.0**-120


def below(values: Tensor, kind: torch.dtype) -> Tensor:
    """The largest number of type `kind` that is at most each float64 value, and finite."""
    near = values.to(kind)
    stepped = torch.where(near.double() > values, torch.nextafter(near, torch.full_like(near, -torch.inf)), near)
    return stepped.clamp(min=torch.finfo(kind).min)


def multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """out = left @ right.T"""
    if left.device.type == "cuda":
        allowed = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False  # partial sums in bf16 would break the bound
        torch.mm(left, right.T, out=out)
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = allowed
    else:
        torch.mm(left, right.T, out=out)


def _probe(dim: int, device: str) -> tuple[Tensor, Tensor]:
    """Vectors on which a kernel that drops bits of its inputs, or sums in less than float32, shows it."""
    generator = torch.Generator().manual_seed(0)
    queries, docs = torch.randn(64, dim, generator=generator), torch.randn(256, dim, generator=generator)
    queries[0], docs[0], docs[1] = 1.0, 2.0**-8, 1.0 + 2.0**-23
    docs[0, 0] = 1.0
    queries[1] = torch.nn.functional.one_hot(torch.tensor(0), dim)
    return queries.to(device), docs.to(device)


def keeps_bound(kernel: Kernel, dim: int, device: str) -> bool:
    """Does the kernel, as this process has it set up, stay inside the bound on the probe?"""
    queries, docs = _probe(dim, device)
    left, right = factor(queries, kernel), factor(docs, kernel)
    out = torch.empty(len(queries), len(docs), dtype=input_type(kernel), device=device)
    multiply(left.rounded, right.rounded, out)
    exact = queries.double() @ docs.double().T * 2.0 ** (left.exponent + right.exponent)
    wrong = (out.double() - exact).abs()
    inside = bool((wrong <= gap(left, right)[:, None] + torch.finfo(out.dtype).eps * out.double().abs()).all())
    one_hot = right.rounded[:, 0] * left.rounded[1, 0]
    return inside and bool((out[1] == one_hot).all())


def _seconds(kernel: Kernel, dim: int, device: str) -> float:
    """The best of three timed products of one small block."""
    left, right = (torch.ones(rows, dim, dtype=input_type(kernel), device=device) for rows in (256, 8192))
    out = torch.empty(256, 8192, dtype=input_type(kernel), device=device)
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        multiply(left, right, out)
        float(out[0, 0])  # waits for a GPU
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


@lru_cache(maxsize=64)
def _fastest(dim: int, device: str, threads: int, precision: str) -> Kernel:
    """The fastest kernel that keeps its bound; `threads` and `precision` are there because both change the answer."""
    kernels: tuple[Kernel, ...] = ("bf16", "fp32")
    sound = [kernel for kernel in kernels if keeps_bound(kernel, dim, device)]
    if not sound:
        raise SettingsError(f"no kernel on {device} keeps its error bound; set torch's float32 matmul precision to 'highest'")
    return min(sound, key=lambda kernel: _seconds(kernel, dim, device))


def choose_kernel(wanted: Kernel | Literal["auto"], dim: int, device: str) -> Kernel:
    """The kernel to use: the one asked for, if it keeps its bound here, or the fastest that does."""
    if wanted == "auto":
        return _fastest(dim, device, torch.get_num_threads(), torch.get_float32_matmul_precision())
    if wanted not in ("bf16", "fp32"):
        raise SettingsError(f"kernel={wanted!r} is not known: use auto, bf16 or fp32")
    if not keeps_bound(wanted, dim, device):
        raise SettingsError(
            f"kernel={wanted!r} on {device} rounds more than its error bound allows; set torch's float32 matmul precision to "
            "'highest' (no TF32), or use kernel=auto"
        )
    return wanted
