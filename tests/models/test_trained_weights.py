"""What is trained, as plain tensors: put back exactly, or refused with what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.trained_weights import load_parameters, misfits, parameter_tensors, trained
from tests.models.training import settings_of, train, vectors


@pytest.mark.parametrize(
    "adaptation", [FullTuning(), FullTuning(train_layers=1), Lora(train_embed_tokens=True), QLora()], ids=["full", "last", "lora", "qlora"]
)
def test_a_checkpoint_put_back_gives_the_same_vectors(tiny_qwen: Path, adaptation: Adaptation) -> None:
    settings = settings_of(tiny_qwen, pooling="mean", projection=8)
    one = trainable_embedder(settings, adaptation)
    train(one)
    state = parameter_tensors(trained(one))
    assert set(state) == {name for name, parameter in one.named_parameters() if parameter.requires_grad}
    again = trainable_embedder(settings, adaptation, seed=9)
    assert not np.array_equal(vectors(again), vectors(one))
    load_parameters(trained(again), state, "there")
    np.testing.assert_array_equal(vectors(again), vectors(one))


def test_a_checkpoint_is_a_copy(tiny_qwen: Path) -> None:
    embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean"), FullTuning())
    state = parameter_tensors(trained(embedder))
    before = {name: value.clone() for name, value in state.items()}
    train(embedder)
    assert all(torch.equal(state[name], before[name]) for name in state)


def test_a_checkpoint_of_another_config_is_refused_and_changes_nothing(tiny_qwen: Path) -> None:
    settings = settings_of(tiny_qwen, pooling="mean", projection=8)
    embedder = trainable_embedder(settings, Lora(rank=4, targets=("q_proj",)))
    before = vectors(embedder)
    others = {
        r"6 tensors have another shape .*lora_A\.default\.weight is \[2, 32\], here \[4, 32\]": Lora(rank=2, targets=("q_proj",)),
        r"lacks 6 tensors \(.*; it has 6 tensors that are not trained here": Lora(rank=4, targets=("k_proj",)),
        r"it has 1 tensors that are not trained here \(.*embed_tokens": Lora(rank=4, targets=("q_proj",), train_embed_tokens=True),
        r"it lacks 6 tensors": FullTuning(),
    }
    for said, other in others.items():
        with pytest.raises(ModelError, match=f"there: a checkpoint of another model or other settings: .*{said}"):
            load_parameters(trained(embedder), parameter_tensors(trained(trainable_embedder(settings, other))), "there")
    np.testing.assert_array_equal(vectors(embedder), before)


def test_misfits_by_hand() -> None:
    here = {"a": torch.Size([2]), "b": torch.Size([3, 1]), "c": torch.Size([])}
    assert misfits(here, dict(here)) == []
    given = {"b": torch.Size([3, 2]), "d": torch.Size([1]), "c": torch.Size([])}
    assert misfits(here, given) == [
        "it lacks 1 tensors (a)",
        "it has 1 tensors that are not trained here (d)",
        "1 tensors have another shape (b is [3, 2], here [3, 1])",
    ]
