"""A real engine: greedy tokens and likelihoods are the trained model's own, draws are a prompt's alone, other weights are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.command_line import run_job
from jobs.generate import GenerateJob, run_generate
from ray_pipeline.artifacts import Workspace
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.probe import probe_of
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end

PROMPTS = [[5, 6, 7, 8], [100, 20, 30], [1, 2]]


def test_greedy_tokens_equal_transformers(engine: Engine, tiny_policy: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.float32)
    for prompt, (answer,) in zip(PROMPTS, engine.generate(PROMPTS, SamplingSettings(max_tokens=8)), strict=True):
        given = torch.tensor([prompt])
        expected = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=8, do_sample=False)[0, len(prompt) :].tolist()
        assert list(answer.ids) == expected
        assert answer.finished == (len(expected) < 8 or expected[-1] == model.config.eos_token_id)


def test_likelihoods_are_the_policys_own(engine: Engine, tiny_policy: Path) -> None:
    (first, *_) = engine.generate(PROMPTS[:1], SamplingSettings(max_tokens=12, temperature=1.0, logprobs=True, samples=2))
    policy = Policy(PolicySettings(name=str(tiny_policy)))
    for answer in first:
        rows = LearnedTokens(end_to_end([[*PROMPTS[0], *answer.ids]]), np.array([False] * len(PROMPTS[0]) + [True] * len(answer.ids)))
        assert answer.logprobs is not None
        assert sum(answer.logprobs) == pytest.approx(policy.measure(rows, 512).sums[0], abs=1e-3)


def test_draws_are_a_prompts_alone(engine: Engine) -> None:
    """Whatever else is in the batch, and whichever shard it is in."""
    drawn = SamplingSettings(max_tokens=10, temperature=1.0, samples=2, seed=3)
    together = engine.generate(PROMPTS, drawn)
    alone = engine.generate(PROMPTS[2:], drawn, first=2)
    assert [one.ids for one in alone[0]] == [one.ids for one in together[2]]
    assert together[0][0].ids != together[0][1].ids
    assert engine.generate(PROMPTS, drawn.model_copy(update={"seed": 4}))[0][0].ids != together[0][0].ids


def test_prompts_that_do_not_fit_into_one_step_are_drawn_behind_with_seeds(engine: Engine) -> None:
    long = [[3 + place] * 600 for place in range(10)]
    drawn = SamplingSettings(max_tokens=3, temperature=1.0, seed=1)
    together = engine.generate(long, drawn)
    assert [one[0].ids for one in together[7:]] == [one[0].ids for one in engine.generate(long[7:], drawn, first=7)]


def test_an_engine_on_cpus_does_not_sleep(tiny_policy: Path) -> None:
    settings = EngineSettings(max_length=1024, sleeps=True)
    with pytest.raises(SettingsError, match="engine.sleeps=true: an engine gives back the memory of a GPU, and this one is on cpu"):
        Engine(PolicySettings(name=str(tiny_policy)), settings, "cpu", takes_weights=True)


def test_other_weights_are_refused(engine: Engine, tiny_policy: Path) -> None:
    """The probe as it was exported passes (the engine started); one of another model does not."""
    probe = probe_of(tiny_policy)
    assert probe is not None
    engine._check(probe, "here")
    other = dataclasses.replace(probe, means=tuple(mean - 0.5 for mean in probe.means))
    with pytest.raises(ModelError, match="here: vLLM finds a token .* these are not the trained weights"):
        engine._check(other, "here")


def test_conversations_are_answered(engine: Engine, tiny_policy: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the model with an adapter, both named; the engine is the one that is there."""
    rows = [{"id": f"c{n}", "messages": [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": "x"}]} for n in range(7)]
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["chats=files", f"chats.path={file}", "chats.eval_share=0.0", "split=train", f"policy.name={tiny_policy}", f"workspace={tmp_path / 'w'}"]
    how = [
        "engine.max_length=1024",
        "engine.eager=true",
        "engine.kv_cache_gb=1",
        "sampling.max_tokens=6",
        "sampling.samples=2",
        "sampling.temperature=1.0",
        "shard_rows=3",
    ]
    place = ["cluster.in_process=always", "log=warning"]
    try:
        assert run_job("generate", GenerateJob, run_generate, [*words, *how, *place, f"adapter={adapter}"]) == 0
    finally:
        engine.put_on(None)  # others use it too
    assert "14 answers to 7 prompts" in capsys.readouterr().out
    (found,) = [one for one in Workspace.at(str(tmp_path / "w")).artifacts() if one.stage == "generations"]
    table = [row for file in found.files("generations/") for row in found.table(f"generations/{file.path[-14:]}").to_pylist()]
    assert [row["chat_id"] for row in table[::2]] == [f"c{n}" for n in range(7)]
    assert table[0]["ids"] != table[1]["ids"]
    assert all(len(row["ids"]) <= 6 for row in table)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "what is 0?"}], add_generation_prompt=True, return_dict=False)
    assert table[0]["prompt_ids"] == list(asked)
