"""New weights in a running engine: exact, and a guard that sees what is not: a layer that differs, a stale cache, an adapter that was left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Lora
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.parity import parity, require_parity
from ray_pipeline.rollout.settings import SamplingSettings
from ray_pipeline.rollout.weights import folder_for_weights, write_weights
from tests.rollout.conftest import SETTINGS

LONG = [3 + place % 200 for place in range(300)]  # more than two blocks of the cache
PROMPTS = [[5, 6, 7, 8], LONG, [100, 20, 30]]


@pytest.fixture(scope="module")
def updated(tiny_policy: Path) -> Iterator[Engine]:
    found = Engine(PolicySettings(name=str(tiny_policy)), SETTINGS, "cpu", takes_weights=True)
    yield found
    found.close()


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("handed")


def moved(tiny_policy: Path, seed: int) -> Policy:
    """A policy after a step of training, as it were: every weight is another."""
    policy = Policy(PolicySettings(name=str(tiny_policy)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in policy.backbone.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator))
    return policy


def test_weights_arrive_whole_and_at_once(updated: Engine, tiny_policy: Path, handed: Path) -> None:
    assert parity(updated, Policy(PolicySettings(name=str(tiny_policy))), PROMPTS).difference < 1e-4
    for version in (1, 2):
        policy = moved(tiny_policy, version)
        assert parity(updated, policy, PROMPTS).difference > 1e-2
        updated.take_weights(write_weights(policy, handed, version), version)
        assert require_parity(updated, policy, PROMPTS, 1e-4, version).difference < 1e-4
    assert updated.version == 2
    assert [path.name for path in handed.iterdir()] == ["00000002.safetensors"]


def test_one_layer_that_differs_is_seen(updated: Engine, tiny_policy: Path, handed: Path) -> None:
    policy = moved(tiny_policy, 3)
    updated.take_weights(write_weights(policy, handed, 3), 3)
    with torch.no_grad():
        next(weight for name, weight in policy.backbone.named_parameters() if "down_proj" in name).add_(1e-2)
    with pytest.raises(ModelError, match=r"weights of version 3: behind prompt \d the engine finds .* by -\d+\.\d+ a token, the trainer by -\d"):
        require_parity(updated, policy, PROMPTS, 1e-4, 3)


def test_a_stale_cache_of_prompts_is_seen(updated: Engine, tiny_policy: Path, handed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = moved(tiny_policy, 4)
    updated.generate([LONG], SamplingSettings(max_tokens=2))  # now its keys and values are kept
    with monkeypatch.context() as forgetful:
        forgetful.setattr(updated, "forget_prompts", lambda: None)
        updated.take_weights(write_weights(policy, handed, 4), 4)
    with pytest.raises(ModelError, match="behind prompt 0 .* the engine does not hold these weights"):
        require_parity(updated, policy, [LONG], 1e-4, 4)
    updated.forget_prompts()
    assert require_parity(updated, policy, [LONG], 1e-4, 4).difference < 1e-4


def test_an_adapter_is_merged_on_the_way_and_missed_where_it_is_not(updated: Engine, tiny_policy: Path, handed: Path, adapted: Policy) -> None:
    plain = Policy(PolicySettings(name=str(tiny_policy)))
    updated.take_weights(write_weights(plain, handed, 5), 5)
    with pytest.raises(ModelError, match="weights of version 5"):
        require_parity(updated, adapted, PROMPTS, 1e-4, 5)
    updated.take_weights(write_weights(adapted, handed, 6), 6)
    assert require_parity(updated, adapted, PROMPTS, 1e-4, 6).difference < 1e-4
    fresh = trainable_policy(PolicySettings(name=str(tiny_policy)), Lora(rank=3, dropout=0.0)).eval()
    updated.take_weights(write_weights(fresh, handed, 7), 7)  # an adapter that was not trained changes nothing
    assert require_parity(updated, plain, PROMPTS, 1e-4, 7).difference < 1e-4


def test_weights_that_lack_a_layer_are_refused(updated: Engine, tiny_policy: Path, handed: Path) -> None:
    from safetensors.torch import load_file, save_file

    held = load_file(write_weights(moved(tiny_policy, 8), handed, 8))
    lacking = {name: one for name, one in held.items() if "layers.1.mlp" not in name}
    save_file(lacking, handed / "lacking.safetensors")
    with pytest.raises(ModelError, match=r"lacking.safetensors: says nothing of model.layers.1.mlp"):
        updated.take_weights(handed / "lacking.safetensors", 8)


def test_weights_are_handed_over_in_memory_where_there_is_a_disk_in_it() -> None:
    folder = folder_for_weights()
    assert folder.is_dir() and (not Path("/dev/shm").is_dir() or folder.parent == Path("/dev/shm"))
    folder.rmdir()
