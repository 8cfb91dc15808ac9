"""One vLLM engine for the whole session, on a tiny policy that was exported as trainings export theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ray_pipeline.models.adaptation import Lora
from ray_pipeline.models.adapter_files import save_adapter
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.export import export_model
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.rollout.engine import Engine, engine_of
from ray_pipeline.rollout.settings import EngineSettings
from tests.chat_models import save_tiny_decoder

SETTINGS = EngineSettings(max_length=1024, eager=True, kv_cache_gb=1)


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tiny-policy")
    base = save_tiny_decoder(top / "base", positions=1024, head_dim=32)  # vLLM's attention on CPUs knows 32, 64, 80, ... only
    export_model(Policy(PolicySettings(name=str(base))), top / "model")
    return top / "model"


@pytest.fixture(scope="session")
def engine(tiny_policy: Path) -> Iterator[Engine]:
    found = engine_of(PolicySettings(name=str(tiny_policy)), SETTINGS, "cpu", adapter_rank=8)
    yield found
    found.close()


@pytest.fixture(scope="session")
def adapted(tiny_policy: Path) -> Policy:
    """A policy whose adapter changes what it says."""
    policy = trainable_policy(PolicySettings(name=str(tiny_policy)), Lora(rank=3, dropout=0.0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in policy.backbone.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return policy.eval()


@pytest.fixture(scope="session")
def adapter(adapted: Policy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("adapters") / "adapter"
    save_adapter(adapted, found)
    return found
