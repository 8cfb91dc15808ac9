from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.config import identity_of, parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.training.settings import OptimizerSettings, TrainSettings


def test_the_defaults_make_sense_and_survive_being_written() -> None:
    settings = TrainSettings()
    assert parse(TrainSettings, settings.model_dump(mode="json")) == settings
    assert parse(TrainSettings, {"epochs": 3, "evaluation": {"every_steps": 10}}).epochs == 3.0


def test_a_kind_without_a_rate_of_its_own_takes_the_common_one() -> None:
    settings = OptimizerSettings(lr=1e-5, lr_lora_b=5e-5, lr_head=4e-5)
    assert [settings.rate(kind) for kind in ("body", "lora_a", "lora_b", "embed_tokens", "head")] == [1e-5, 1e-5, 5e-5, 1e-5, 4e-5]
    assert settings.own_rates() == {"lora_b": 5e-5, "head": 4e-5}


def test_placement_leaves_the_identity_alone_and_workers_do_not() -> None:
    usual = identity_of(TrainSettings())
    for key, value in {"logging": {"trackers": ["tensorboard"], "console_every": 1.0}, "checkpoints": {"every_steps": 5, "keep_last": 3}}.items():
        assert identity_of(parse(TrainSettings, {key: value})) == usual, key
    for changed in ({"workers": 2}, {"strategy": "fsdp"}):
        assert identity_of(parse(TrainSettings, {"distributed": changed})) != usual
    assert "evaluation" not in identity_of(parse(TrainSettings, {"evaluation": None, "checkpoints": {"keep_best": False}}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": None}, ["epochs", "max_steps", "never end"]),
        ({"epochs": 0}, ["epochs"]),
        ({"max_steps": 10, "schedule": {"warmup_steps": 20}}, ["warmup_steps=20", "max_steps=10"]),
        ({"schedule": {"warmup_steps": 20, "warmup_share": 0.1}}, ["schedule", "warmup_steps=20", "warmup_share=0.1"]),
        ({"schedule": {"kind": "constant", "end_share": 0.1}}, ["schedule", "end_share=0.1", "constant"]),
        ({"schedule": {"warmup_share": 1.5}}, ["schedule.warmup_share", "1.5"]),
        ({"batch_size": 3, "distributed": {"workers": 4}}, ["batch_size=3", "workers=4"]),
        ({"evaluation": None}, ["keep_best", "evaluation"]),
        ({"evaluation": {"every_steps": 5, "every_epochs": 1}}, ["evaluation", "every_steps=5", "every_epochs=1.0"]),
        ({"evaluation": {"min_delta": 0.1}}, ["min_delta=0.1", "patience"]),
        ({"evaluation": {"share_seed": 1}}, ["share_seed=1", "query_share"]),
        ({"optimizer": {"betas": [0.9, 1.0]}}, ["optimizer", "betas", "1.0"]),
        ({"optimizer": {"lr": 0}}, ["optimizer.lr"]),
        ({"optimizer": {"lr_lora": 1e-4}}, ["optimizer.lr_lora", "lr_lora_"]),
        ({"logging": {"trackers": ["wandb", "wandb"]}}, ["logging", "wandb", "once"]),
        ({"precision": "fp16"}, ["precision", "fp16"]),
        ({"guard": {"metric_fall": 1.0}}, ["guard.metric_fall"]),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(TrainSettings, values)
    assert all(word in str(refused.value) for word in words), str(refused.value)
