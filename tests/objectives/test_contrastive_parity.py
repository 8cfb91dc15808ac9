"""The same losses as sentence-transformers', values and gradients, on the same vectors."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive import contrastive_backward
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings

QUERIES, NEGATIVES, DIM = 6, 2, 16
UNMASKED = {"mask_same_id": False, "mask_same_text": False, "mask_known": False}
REST = ("query_to_query", "doc_to_query", "doc_to_doc")
DIRECTIONS = [("query_to_doc", *some) for count in range(4) for some in itertools.combinations(REST, count)]
COMBINATIONS = [
    (directions, partition, hardness)
    for directions in DIRECTIONS
    for partition in ("joint", "per_direction")
    for hardness in ("none", "in_batch_negatives", "hard_negatives", "all_negatives")
    if partition == "joint" or not {"query_to_query", "doc_to_doc"} & set(directions)
]


class Vectors(nn.Module):
    """A model whose vectors are given; its tokenizer is there because the guided loss asks for one."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        super().__init__()
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
        self.max_seq_length = 8

    def __getitem__(self, place: int) -> nn.Module:
        return self

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["vectors"]}

    def get_embedding_dimension(self) -> int:
        return DIM


class Guide(Vectors):
    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["guide"]}


def columns(negatives: int, seed: int = 0) -> list[Tensor]:
    """Queries, positives and so many negatives, column by column."""
    torch.manual_seed(seed)
    return [torch.randn(QUERIES, DIM, dtype=torch.float64, requires_grad=True) for _ in range(2 + negatives)]


def facts(negatives: int, **more: Any) -> BatchFacts:
    documents = QUERIES * (1 + negatives)
    return BatchFacts(
        rows=range(QUERIES),
        own=torch.arange(documents).view(1 + negatives, QUERIES).T,
        doc_id=torch.arange(documents),
        doc_text=torch.arange(documents),
        query_text=torch.arange(QUERIES),
        **more,
    )


def ours(vectors: list[Tensor], settings: ContrastiveSettings, batch: BatchFacts) -> tuple[float, Tensor]:
    """The mean loss, and the gradients of all columns side by side."""
    queries, documents = vectors[0].detach().requires_grad_(), torch.cat(vectors[1:]).detach().requires_grad_()
    sums = contrastive_backward(queries, documents, batch, settings, scale=1 / QUERIES)
    return sums["loss"] / sums["queries"], torch.cat([queries.grad, documents.grad])  # type: ignore[list-item]


def agree(vectors: list[Tensor], theirs: Tensor, settings: ContrastiveSettings, batch: BatchFacts) -> None:
    if not all((column.grad is not None) for column in vectors):
        theirs.backward()  # type: ignore[no-untyped-call]
    loss, gradient = ours(vectors, settings, batch)
    assert loss == pytest.approx(theirs.item(), rel=1e-9)
    torch.testing.assert_close(gradient, torch.cat([column.grad for column in vectors]), rtol=1e-8, atol=1e-10)  # type: ignore[misc]


@pytest.mark.parametrize("negatives", [0, NEGATIVES])
@pytest.mark.parametrize(("directions", "partition", "hardness"), COMBINATIONS)
def test_every_combination_is_theirs(directions: Any, partition: Any, hardness: Any, negatives: int) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    strength = 0.0 if hardness == "none" else 5.0
    peer = MultipleNegativesRankingLoss(
        nn.Identity(),
        scale=20.0,
        directions=directions,
        partition_mode=partition,
        hardness_mode=None if hardness == "none" else hardness,
        hardness_strength=strength,
    )
    settings = ContrastiveSettings(
        temperature=0.05, directions=directions, partition=partition, hardness=hardness, hardness_strength=strength, chunk_rows=4, **UNMASKED
    )
    vectors = columns(negatives)
    agree(vectors, peer.compute_loss_from_embeddings(vectors, torch.empty(0)), settings, facts(negatives))


@pytest.mark.parametrize(("directions", "partition", "hardness"), COMBINATIONS[::3])
def test_so_is_every_combination_of_their_cached_loss(directions: Any, partition: Any, hardness: Any) -> None:
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    strength = 0.0 if hardness == "none" else 9.0
    peer = CachedMultipleNegativesRankingLoss(
        Vectors(),
        scale=10.0,
        mini_batch_size=4,
        directions=directions,
        partition_mode=partition,
        hardness_mode=None if hardness == "none" else hardness,
        hardness_strength=strength,
    )
    settings = ContrastiveSettings(
        temperature=0.1, directions=directions, partition=partition, hardness=hardness, hardness_strength=strength, chunk_rows=4, **UNMASKED
    )
    vectors = columns(NEGATIVES, seed=1)
    theirs = peer.calculate_loss([[column] for column in vectors], with_backward=True)
    agree(vectors, theirs, settings, facts(NEGATIVES))


def test_dot_products_are_theirs() -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.util import dot_score

    vectors = columns(NEGATIVES)
    peer = MultipleNegativesRankingLoss(nn.Identity(), scale=1.0, similarity_fct=dot_score)
    settings = ContrastiveSettings(similarity="dot", temperature=1.0, **UNMASKED)
    agree(vectors, peer.compute_loss_from_embeddings(vectors, torch.empty(0)), settings, facts(NEGATIVES))


@pytest.mark.parametrize("weights", [(), (1.0, 0.25, 0.5)])
def test_matryoshka_is_theirs(weights: tuple[float, ...]) -> None:
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    dims = (DIM, 4, 8)
    model = Vectors()
    peer = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), list(dims), list(weights) or None)
    vectors = columns(NEGATIVES)
    theirs = peer([{"vectors": column} for column in vectors], torch.empty(0))
    settings = ContrastiveSettings(temperature=0.05, matryoshka_dims=dims, matryoshka_weights=weights, chunk_rows=4, **UNMASKED)
    agree(vectors, theirs, settings, facts(NEGATIVES))


@pytest.mark.parametrize(
    ("anchors", "positives", "negatives"), [(False, False, 0), (True, False, 0), (True, True, 0), (False, False, 1), (True, False, 1)]
)
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_guided_masks_are_theirs(anchors: bool, positives: bool, negatives: int, margin: float) -> None:
    from sentence_transformers.sentence_transformer.losses import GISTEmbedLoss

    model = Vectors()
    peer = GISTEmbedLoss(model, Guide(), temperature=0.05, margin_strategy="absolute", margin=margin)
    peer.contrast_anchors, peer.contrast_positives = anchors, positives
    vectors, guides = columns(negatives), [column.detach() for column in columns(negatives, seed=2)]
    theirs = peer([{"vectors": column, "guide": guide} for column, guide in zip(vectors, guides, strict=True)], torch.empty(0))
    directions = ("query_to_doc", *(("query_to_query",) if anchors else ()), *(("doc_to_doc",) if positives else ()))
    settings = ContrastiveSettings(directions=directions, guide_margin=-margin, chunk_rows=4, **UNMASKED)  # type: ignore[arg-type]
    batch = facts(negatives, guide_queries=guides[0], guide_documents=torch.cat(guides[1:]))
    queries, documents = vectors[0].detach().requires_grad_(), torch.cat(vectors[1:]).detach().requires_grad_()
    assert 0 < contrastive_backward(queries, documents, batch, settings)["masked_guide"] < QUERIES * (QUERIES - 1) * (len(directions) + negatives)
    agree(vectors, theirs, settings, batch)


@pytest.mark.parametrize(("student", "teacher"), [(1.0, 1.0), (0.3, 2.0)])
def test_distillation_is_theirs(student: float, teacher: float) -> None:
    from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss
    from sentence_transformers.util import pairwise_cos_sim

    peer = DistillKLDivLoss(nn.Identity(), pairwise_cos_sim, student_temperature=student, teacher_temperature=teacher)
    scores = torch.randn(QUERIES, 1 + NEGATIVES, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    vectors = columns(NEGATIVES)
    settings = ContrastiveSettings(ce_weight=0.0, distill_weight=1.0, student_temperature=student, teacher_temperature=teacher, **UNMASKED)
    agree(vectors, peer.compute_loss_from_embeddings(vectors, scores), settings, facts(NEGATIVES, teacher=scores))
