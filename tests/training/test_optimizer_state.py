"""Adam's state beside what is trained, as plain tensors and back. Sharded tensors: test_distributed.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.trained_weights import load_parameters, parameter_tensors, trained
from ray_pipeline.training.optimizer_state import load_optimizer, optimizer_tensors


def made(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    return model


def stepped(model: nn.Module, **given: Any) -> torch.optim.AdamW:
    optimizer = torch.optim.AdamW(trained(model).values(), lr=0.1, **given)
    for turn in range(3):
        optimizer.zero_grad()
        model(torch.full((2, 3), 1.0 + turn)).sum().backward()
        optimizer.step()
    return optimizer


def test_only_what_is_trained_is_taken() -> None:
    """A frozen base (7B in 4 bits, say) is in no checkpoint."""
    model = made(0)
    assert list(trained(model)) == ["1.weight", "1.bias"]
    assert list(parameter_tensors(trained(model))) == ["1.weight", "1.bias"]
    assert {key.partition("/")[0] for key in optimizer_tensors(trained(model), stepped(model))} == {"1.weight", "1.bias"}


def test_tensors_are_copies() -> None:
    model = made(0)
    optimizer = stepped(model)
    values, averages = parameter_tensors(trained(model)), optimizer_tensors(trained(model), optimizer)
    kept = {name: one.clone() for name, one in (values | averages).items()}
    stepped(model)
    for state in optimizer.state.values():
        state["exp_avg"].add_(1)
        state["step"].add_(1)
    assert all(torch.equal(one, kept[name]) for name, one in (values | averages).items())


@pytest.mark.parametrize("fused", [False, True])
def test_a_state_put_back_takes_the_same_steps_to_the_bit(fused: bool) -> None:
    model = made(0)
    optimizer = stepped(model, fused=fused)
    other = made(1)
    again = torch.optim.AdamW(trained(other).values(), lr=0.1, fused=fused)
    other[0].load_state_dict(model[0].state_dict())
    load_parameters(trained(other), parameter_tensors(trained(model)), "here")
    load_optimizer(trained(other), again, optimizer_tensors(trained(model), optimizer), "here")
    for one, optim in ((model, optimizer), (other, again)):
        optim.zero_grad()
        one(torch.ones(2, 3)).square().sum().backward()
        optim.step()
    for name, value in parameter_tensors(trained(model)).items():
        assert torch.equal(value, trained(other)[name]), name
    assert float(again.state[other[1].weight]["step"]) == 4


def test_a_step_count_lies_where_the_fused_kernel_wants_it() -> None:
    """Beside its parameter. The device `meta` stands in for CUDA."""
    model = made(0)
    tensors = optimizer_tensors(trained(model), stepped(model))
    there = {name: nn.Parameter(torch.empty(one.shape, device="meta")) for name, one in trained(model).items()}
    optimizer = torch.optim.AdamW(there.values())
    load_optimizer(there, optimizer, tensors, "here")
    assert {value.device.type for state in optimizer.state.values() for value in state.values()} == {"meta"}


def test_a_value_takes_the_type_of_its_parameter_and_an_average_keeps_its_own() -> None:
    model = made(0)
    tensors = {name: one.double() for name, one in parameter_tensors(trained(model)).items()}
    other = made(1)
    load_parameters(trained(other), tensors, "here")
    assert other[1].weight.dtype == torch.float32 and torch.equal(other[1].weight, model[1].weight)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"1.bias": None}, r"it lacks 1 tensors \(1.bias\)"),
        ({"2.weight": torch.zeros(1)}, r"it has 1 tensors that are not trained here \(2.weight\)"),
        ({"1.weight": torch.zeros(1, 5)}, r"1 tensors have another shape \(1.weight is \[1, 5\], here \[1, 2\]\)"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(change: dict[str, Any], words: str) -> None:
    model = made(0)
    before = parameter_tensors(trained(model))
    given = {name: one for name, one in ({name: one + 1 for name, one in before.items()} | change).items() if one is not None}
    with pytest.raises(ModelError, match=rf"there: a checkpoint of another model or other settings: {words}.*Go on with those"):
        load_parameters(trained(model), given, "there")
    assert all(torch.equal(one, before[name]) for name, one in parameter_tensors(trained(model)).items())


def test_averages_of_parameters_that_are_not_trained_here_are_refused() -> None:
    model = made(0)
    optimizer = torch.optim.AdamW(trained(model).values())
    with pytest.raises(ModelError, match=r"there: it has averages of 1 parameters that are not trained here \(0.weight\)"):
        load_optimizer(trained(model), optimizer, {"0.weight/exp_avg": torch.zeros(2, 3)}, "there")
    assert not optimizer.state
