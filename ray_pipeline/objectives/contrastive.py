"""The contrastive objective over a whole batch, in chunks of rows, so that a Q x D matrix of scores never exists.

Each chunk of this rank's queries meets all columns; its loss is sent back at once, and what it says about the vectors of
all ranks piles up in `queries.grad` and `documents.grad`. Three things make that exact and cheap:

* vectors are truncated and normalised once, outside the chunks; the chunks work on detached copies, and one backward pass
  at the end carries their summed gradients through the normalisation;
* the gradient of the columns is added into one buffer by the matrix product itself (`_Product`), so no chunk makes a
  [D, d] tensor of its own;
* the temperature multiplies the rows of a chunk, [c, d], instead of their scores, [c, D].

Every term belongs to a query, and a rank computes those of its own queries: the sum of the ranks' losses, and of their
gradients on all vectors, is that of one process. All arithmetic is in float32, or float64 for float64 vectors, also
under autocast.

Matryoshka (arXiv 2205.13147): the weighted sum of the whole loss over truncated vectors, normalised again for cosine.
A learned temperature is a parameter log(temperature), held at 1 / temperature <= 100 as in CLIP (arXiv 2103.00020): it is
put back onto the bound before use, since a clamp in the graph alone would leave it beyond the bound without a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ray_pipeline.errors import SettingsError
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive_settings import HIGHEST_SCALE, ContrastiveSettings
from ray_pipeline.objectives.row_terms import LOSSES, SUMMED, RowTerms, Side


def initial_log_temperature(settings: ContrastiveSettings) -> nn.Parameter:
    """The parameter of a learnable temperature, at its beginning."""
    return nn.Parameter(torch.tensor(math.log(settings.temperature)))


def contrastive_loss(
    queries: Tensor, documents: Tensor, facts: BatchFacts, settings: ContrastiveSettings, log_temperature: Tensor | None = None
) -> Tensor:
    """[c] the weighted loss of each query in `facts.rows`, differentiable; all rows at once, so in memory of [c, D]."""
    _check(queries, documents, facts, settings, log_temperature)
    terms, rows = RowTerms(facts, settings), facts.rows
    total = torch.zeros((), device=queries.device)
    with torch.autocast(queries.device.type, enabled=False):
        for dim, weight in _sizes(settings, queries.shape[1]):
            sides: dict[Side, Tensor] = {"query": _view(queries, dim, settings), "doc": _view(documents, dim, settings)}
            anchors, targets = sides["query"][rows.start : rows.stop], sides["doc"][facts.target[rows.start : rows.stop]]
            product = partial(_plain_product, sides)
            loss, _ = terms(rows, anchors, targets, product, _scale(settings, log_temperature))
            total = total + weight * loss
    return total


def contrastive_backward(
    queries: Tensor,
    documents: Tensor,
    facts: BatchFacts,
    settings: ContrastiveSettings,
    log_temperature: Tensor | None = None,
    scale: float = 1.0,
) -> dict[str, float]:
    """Send `scale` times the summed loss of the queries in `facts.rows` back into `queries` [Q, d], `documents` [D, d] and
    `log_temperature`, and return sums over those queries, none of them times `scale`:

    `loss` = ce_weight * `contrastive` + distill_weight * `distillation`; `queries` and `weight`, what a mean divides by;
    `correct`: the drawn positive is more similar than every negative left; `without_negatives`; `without_teacher`;
    `masked_*`: columns each rule took out, in all directions; `positive_cosine`; `off_diagonal_cosine`, over
    `off_diagonal_pairs`: every query with every document but its drawn positive. The last three are of the full vectors;
    with several Matryoshka sizes the counts are those of the widest.
    """
    _check(queries, documents, facts, settings, log_temperature)
    if log_temperature is not None:
        with torch.no_grad():
            log_temperature.clamp_(min=-math.log(HIGHEST_SCALE))
    terms = RowTerms(facts, settings)
    total = torch.zeros(len(SUMMED), dtype=torch.float64, device=queries.device)
    with torch.autocast(queries.device.type, enabled=False):
        for at, (dim, weight) in enumerate(_sizes(settings, queries.shape[1])):
            sums = _backward(queries, documents, dim, weight * scale, terms, log_temperature)
            total[:LOSSES] += weight * sums[:LOSSES]
            if at == 0:
                total[LOSSES:] = sums[LOSSES:]
        cosines = _cosines(queries.detach(), documents.detach(), facts)
    found = dict(zip((*SUMMED, "positive_cosine", "off_diagonal_cosine", "weight"), torch.cat([total, cosines]).tolist(), strict=True))
    return {**found, "off_diagonal_pairs": float(len(facts.rows) * (len(documents) - 1)), "queries": float(len(facts.rows))}


def _backward(queries: Tensor, documents: Tensor, dim: int, factor: float, terms: RowTerms, log_temperature: Tensor | None) -> Tensor:
    """One Matryoshka size: send `factor` times its loss back, chunk by chunk, and return its sums in the order of SUMMED."""
    facts, settings = terms.facts, terms.settings
    with torch.enable_grad():
        views = [_view(queries, dim, settings), _view(documents, dim, settings)]
    sides: dict[Side, Tensor] = {"query": views[0].detach(), "doc": views[1].detach()}
    grads: dict[Side, Tensor] = {side: torch.zeros_like(vectors) for side, vectors in sides.items()}
    total = torch.zeros(len(SUMMED), dtype=torch.float64, device=queries.device)

    def product(left: Tensor, side: Side) -> Tensor:
        return cast(Tensor, _Product.apply(left, sides[side], grads[side]))  # type: ignore[no-untyped-call]

    for rows in _chunks(facts.rows, settings.chunk_rows):
        target = facts.target[rows.start : rows.stop]
        anchors, targets = sides["query"][rows.start : rows.stop].requires_grad_(), sides["doc"][target].requires_grad_()
        with torch.enable_grad():
            loss, sums = terms(rows, anchors, targets, product, _scale(settings, log_temperature))
            (factor * loss.sum()).backward()  # type: ignore[no-untyped-call]
        total += sums
        grads["query"][rows.start : rows.stop] += cast(Tensor, anchors.grad)
        if targets.grad is not None:
            grads["doc"].index_add_(0, target, targets.grad)
    torch.autograd.backward(views, list(grads.values()))
    return total


def _plain_product(sides: Mapping[Side, Tensor], left: Tensor, side: Side) -> Tensor:
    return left @ sides[side].T


class _Product(torch.autograd.Function):
    """left @ right.T, whose backward pass adds the gradient of `right` into `into` instead of handing it on."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, into: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.into = into  # not saved: it is written to between the chunks
        return left @ right.T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        left, right = ctx.saved_tensors
        ctx.into.addmm_(grads[0].T, left)
        return grads[0] @ right, None, None


def _view(vectors: Tensor, dim: int, settings: ContrastiveSettings) -> Tensor:
    """The first `dim` dimensions in at least float32, of length 1 if cosines are compared."""
    vectors = _upcast(vectors[:, :dim])
    return normalize(vectors, dim=-1) if settings.similarity == "cosine" else vectors


def _upcast(vectors: Tensor) -> Tensor:
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _sizes(settings: ContrastiveSettings, full: int) -> list[tuple[int, float]]:
    """(dimensions, weight) of each Matryoshka size, the widest first."""
    dims = settings.matryoshka_dims or (full,)
    return sorted(zip(dims, settings.matryoshka_weights or (1.0,) * len(dims), strict=True), reverse=True)


def _scale(settings: ContrastiveSettings, log_temperature: Tensor | None) -> float | Tensor:
    """1 / temperature."""
    if log_temperature is None:
        return 1 / settings.temperature
    return (-log_temperature.clamp(min=-math.log(HIGHEST_SCALE))).exp()  # on the bound itself this clamp lets the gradient through


def _chunks(rows: range, size: int) -> Iterator[range]:
    for start in range(rows.start, rows.stop, size):
        yield range(start, min(start + size, rows.stop))


def _cosines(queries: Tensor, documents: Tensor, facts: BatchFacts) -> Tensor:
    """Of the rows' queries: the summed cosine with the drawn positives, with all other documents, and the summed weights."""
    rows = slice(facts.rows.start, facts.rows.stop)
    left, right = (normalize(_upcast(vectors), dim=-1) for vectors in (queries[rows], documents))
    drawn = (left * right[facts.target[rows]]).sum(dtype=torch.float64)
    whole = left.sum(0).double() @ right.sum(0).double()  # a sum of products is the product of the sums
    weight = drawn.new_tensor(len(facts.rows)) if facts.weight is None else facts.weight[rows].sum(dtype=torch.float64)
    return torch.stack([drawn, whole - drawn, weight])


def _check(queries: Tensor, documents: Tensor, facts: BatchFacts, settings: ContrastiveSettings, log_temperature: Tensor | None) -> None:
    if len(queries) != len(facts.own) or len(documents) != len(facts.doc_id) or queries.shape[1] != documents.shape[1]:
        raise ValueError(
            f"vectors {list(queries.shape)} and {list(documents.shape)}; the facts are of {len(facts.own)} queries and {len(facts.doc_id)} documents"
        )
    if settings.learnable_temperature != (log_temperature is not None):
        raise ValueError(f"learnable_temperature is {settings.learnable_temperature}; log_temperature is given exactly when it is learned")
    widest = max(settings.matryoshka_dims, default=0)
    if widest > queries.shape[1]:
        raise SettingsError(f"matryoshka_dims: {widest}, but the model's vectors have {queries.shape[1]} dimensions; list sizes up to that")
