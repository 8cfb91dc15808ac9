from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import Parameter

from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.training.optimizer import ParameterKind, build_optimizer, group_report, group_table
from ray_pipeline.training.schedule import set_lr
from ray_pipeline.training.settings import OptimizerSettings

RATES = OptimizerSettings(lr=2e-5, lr_lora_a=3e-5, lr_lora_b=8e-5, lr_embed_tokens=5e-5, lr_head=6e-5, weight_decay=0.1)


def named() -> list[tuple[str, Parameter, ParameterKind]]:
    """One of everything: 12 body weights, 3 + 3 body vectors, adapters of 8, embeddings of 20, a head of 6 + 2, a temperature."""
    return [
        ("encoder.dense.weight", Parameter(torch.ones(3, 4)), "body"),
        ("encoder.dense.bias", Parameter(torch.ones(3)), "body"),
        ("encoder.LayerNorm.weight", Parameter(torch.ones(3)), "body"),
        ("encoder.lora_A.weight", Parameter(torch.ones(2, 4)), "lora_a"),
        ("encoder.lora_B.weight", Parameter(torch.zeros(4, 2)), "lora_b"),
        ("embed_tokens.weight", Parameter(torch.ones(5, 4)), "embed_tokens"),
        ("head.weight", Parameter(torch.ones(2, 3)), "head"),
        ("head.bias", Parameter(torch.ones(1, 2)), "head"),
        ("log_temperature", Parameter(torch.zeros(())), "head"),
    ]


def test_groups_by_kind_and_by_decay() -> None:
    rows = group_report(build_optimizer(named(), RATES, "cpu"))
    assert [(row.name, row.tensors, row.parameters, row.lr, row.weight_decay) for row in rows] == [
        ("body", 1, 12, 2e-5, 0.1),
        ("body, no decay", 2, 6, 2e-5, 0.0),
        ("lora_a", 1, 8, 3e-5, 0.1),
        ("lora_b", 1, 8, 8e-5, 0.1),
        ("embed_tokens", 1, 20, 5e-5, 0.1),
        ("head", 1, 6, 6e-5, 0.1),
        ("head, no decay", 2, 3, 6e-5, 0.0),
    ]
    assert group_table(rows[:2]).splitlines() == [
        "group           tensors  parameters  peak lr  weight decay",
        "body                  1          12    2e-05           0.1",
        "body, no decay        2           6    2e-05             0",
        "all                   3          18",
    ]


def test_the_report_shows_the_peak_whatever_the_schedule_is_at() -> None:
    optimizer = build_optimizer(named(), RATES, "cpu")
    set_lr(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] == 5e-6
    assert group_report(optimizer)[0].lr == 2e-5


def test_one_group_is_plain_adamw_to_the_last_bit() -> None:
    settings = OptimizerSettings(lr=1e-2, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-6)
    start = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    mine, fused, looped = Parameter(start.clone()), Parameter(start.clone()), Parameter(start.clone())
    plain = {"lr": 1e-2, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-6}
    optimizers = [
        build_optimizer([("weight", mine, "body")], settings, "cpu"),
        torch.optim.AdamW([fused], fused=True, **plain),
        torch.optim.AdamW([looped], fused=False, **plain),
    ]
    for seed in range(20):
        gradient = torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
        for parameter, optimizer in zip((mine, fused, looped), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert torch.equal(mine, fused)
    torch.testing.assert_close(mine, looped, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(mine, start, atol=1e-2)


def test_the_first_step_by_hand() -> None:
    """AdamW's first step moves each weight by lr in the gradient's sign, after decay of lr * weight_decay * weight."""
    parameters = named()
    optimizer = build_optimizer(parameters, RATES, "cpu")
    for _, parameter, _ in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    after = {name: parameter.detach().double() for name, parameter, _ in parameters}

    def moved(name: str, value: float) -> None:
        torch.testing.assert_close(after[name], torch.full_like(after[name], value), rtol=0, atol=1e-7)

    moved("encoder.dense.weight", 1 - 2e-5 * 0.1 - 2e-5)
    moved("encoder.LayerNorm.weight", 1 - 2e-5)
    moved("encoder.lora_B.weight", -8e-5)
    moved("embed_tokens.weight", 1 - 5e-5 * 0.1 - 5e-5)
    moved("head.bias", 1 - 6e-5)  # two dimensions, and still a bias
    moved("log_temperature", -6e-5)


def test_the_state_names_its_parameters() -> None:
    groups = build_optimizer(named(), RATES, "cpu").state_dict()["param_groups"]
    assert groups[1]["name"] == "body, no decay"
    assert groups[1]["param_names"] == ["encoder.dense.bias", "encoder.LayerNorm.weight"]


def test_what_cannot_be_trained_is_refused_by_name() -> None:
    weight = Parameter(torch.ones(2, 2))
    with pytest.raises(ModelError, match="no parameter is trainable"):
        build_optimizer([], OptimizerSettings(), "cpu")
    with pytest.raises(ModelError, match=r"pooler\.weight does not require a gradient"):
        build_optimizer([("pooler.weight", Parameter(torch.ones(2, 2), requires_grad=False), "body")], OptimizerSettings(), "cpu")
    with pytest.raises(ModelError, match=r"embed\.weight and head\.weight are one parameter"):
        build_optimizer([("embed.weight", weight, "embed_tokens"), ("head.weight", weight, "head")], OptimizerSettings(), "cpu")
    with pytest.raises(ModelError, match="w is of kind 'neck'"):
        build_optimizer([("w", weight, "neck")], OptimizerSettings(), "cpu")  # type: ignore[list-item]


def test_a_rate_that_nothing_would_take_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"optimizer\.lr_lora_a, optimizer\.lr_head: .* \(only body\)"):
        build_optimizer([("w", Parameter(torch.ones(2, 2)), "body")], OptimizerSettings(lr_lora_a=1e-4, lr_head=1e-3), "cpu")


def test_a_generator_over_a_module_will_do() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))

    def parameters() -> Iterator[tuple[str, Parameter, ParameterKind]]:
        yield from ((name, parameter, "body") for name, parameter in model.named_parameters())

    assert [(row.tensors, row.parameters) for row in group_report(build_optimizer(parameters(), OptimizerSettings(), "cpu"))] == [(1, 12), (3, 12)]
