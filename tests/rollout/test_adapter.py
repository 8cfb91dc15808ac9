"""An adapter on vLLM's model: its likelihoods are those of the trained model, and one that does nothing is not taken silently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Lora
from ray_pipeline.models.adapter_files import save_adapter
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.adapter import locate_adapter
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.settings import SamplingSettings
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end
from tests.chat_models import save_tiny_decoder

PROMPT = [5, 6, 7, 8]


@pytest.fixture
def bare(engine: Engine) -> Iterator[Engine]:
    """The engine, which others use too, without an adapter again behind the test."""
    yield engine
    engine.put_on(None)


def likelihood(policy: Policy, answer: tuple[int, ...]) -> float:
    learned = np.array([False] * len(PROMPT) + [True] * len(answer))
    return float(policy.measure(LearnedTokens(end_to_end([[*PROMPT, *answer]]), learned), 512).sums[0])


def test_it_answers_as_the_trained_model_does(bare: Engine, adapted: Policy, adapter: Path, tiny_policy: Path) -> None:
    drawn = SamplingSettings(max_tokens=12, temperature=1.0, logprobs=True)
    bare.put_on(locate_adapter(str(adapter), locate(str(tiny_policy))))
    ((worn,),) = bare.generate([PROMPT], drawn)
    bare.put_on(None)
    ((without,),) = bare.generate([PROMPT], drawn)
    assert worn.logprobs is not None
    assert without.logprobs is not None
    assert sum(worn.logprobs) == pytest.approx(likelihood(adapted, worn.ids), abs=1e-3)
    base = Policy(PolicySettings(name=str(tiny_policy)))
    assert sum(without.logprobs) == pytest.approx(likelihood(base, without.ids), abs=1e-3)
    assert abs(likelihood(adapted, worn.ids) - likelihood(base, worn.ids)) > 0.1  # so neither could pass for the other


def test_another_adapters_probe_is_refused(bare: Engine, adapter: Path, tiny_policy: Path, tmp_path: Path) -> None:
    """The files of one adapter with the record of another, as a copy of half a folder leaves them; no adapter is worn afterwards."""
    mixed = tmp_path / "mixed"
    shutil.copytree(adapter, mixed)
    record = json.loads((mixed / "ray_pipeline.json").read_text())
    record["probe"]["means"] = [mean - 0.5 for mean in record["probe"]["means"]]
    (mixed / "ray_pipeline.json").write_text(json.dumps(record))
    before = bare.mean_likelihood(PROMPT)
    with pytest.raises(ModelError, match="mixed: vLLM finds a token .* these are not the trained weights"):
        bare.put_on(locate_adapter(str(mixed), locate(str(tiny_policy))))
    assert bare.mean_likelihood(PROMPT) == before


def test_one_from_elsewhere_that_changes_nothing_is_refused(bare: Engine, tiny_policy: Path, tmp_path: Path) -> None:
    fresh = trainable_policy(PolicySettings(name=str(tiny_policy)), Lora(rank=2))  # its second factors are zero
    save_adapter(fresh, tmp_path / "fresh")
    (tmp_path / "fresh" / "ray_pipeline.json").unlink()
    with pytest.raises(ModelError, match="answers as without it; merge it"):
        bare.put_on(locate_adapter(str(tmp_path / "fresh"), locate(str(tiny_policy))))


def test_those_that_would_not_fit_are_refused_before_an_engine_starts(adapter: Path, tiny_policy: Path, tmp_path: Path) -> None:
    base, other = locate(str(tiny_policy)), locate(str(save_tiny_decoder(tmp_path / "other")))
    with pytest.raises(ModelError, match="give the base it was trained on"):
        locate_adapter(str(adapter), other)
    with pytest.raises(ModelError, match="no such folder"):
        locate_adapter(str(tmp_path / "nowhere"), base)
    with pytest.raises(ModelError, match="no adapter_config.json"):
        locate_adapter(str(tiny_policy), base)
    for change, words in (({"modules_to_save": ["lm_head"]}, "whole layers too .lm_head."), ({"r": 513}, "its rank is 513, vLLM holds up to 512")):
        changed = tmp_path / "changed"
        shutil.copytree(adapter, changed, dirs_exist_ok=True)
        config = json.loads((adapter / "adapter_config.json").read_text())
        (changed / "adapter_config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError, match=words):
            locate_adapter(str(changed), base)


def test_room_is_the_next_rank_that_vllm_knows(adapter: Path, tiny_policy: Path) -> None:
    found = locate_adapter(str(adapter), locate(str(tiny_policy)))
    assert (found.rank, found.room) == (3, 8)
