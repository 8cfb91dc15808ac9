"""Likelihoods of conversations, packed and padded, against transformers; what is refused; what is exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ray_pipeline.errors import ModelError
from ray_pipeline.models import decoder
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapter_files import open_adapter, save_adapter
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.export import export_model
from ray_pipeline.models.merge import merge
from ray_pipeline.models.parameters import parameter_kinds
from ray_pipeline.models.policy import packed_attention
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end

LENGTHS = (7, 1, 19, 2, 12)


def rows(seed: int = 0, lengths: tuple[int, ...] = LENGTHS) -> LearnedTokens:
    generator = np.random.default_rng(seed)
    tokens = end_to_end([generator.integers(0, 300, length).tolist() for length in lengths])
    return LearnedTokens(tokens, generator.random(len(tokens.ids)) < 0.6)


def policy_of(folder: Path, *, packing: bool = True, **given: Any) -> Policy:
    return Policy(PolicySettings(name=str(folder), **given), packing=packing)


def gradients(policy: Policy, given: LearnedTokens, budget: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The summed likelihood of all rows, and what it sends back."""
    from ray_pipeline.text.learned_tokens import plan_rows

    policy.requires_grad_(True)
    total = torch.zeros(())
    for batch in policy.batches(given, plan_rows(given.tokens.lengths, budget, packing=policy.packing)):
        total = total + policy(*policy.on_device(batch)).sum()
    total.backward()
    return total.detach(), {name: one.grad for name, one in policy.named_parameters() if one.grad is not None}


def test_shared_prompts_change_neither_likelihoods_nor_gradients(tiny_chat: Path) -> None:
    """Three prompts of several answers each, in micro batches that cut one family in two."""
    from ray_pipeline.text.shared_prompts import families, pack_shared, plan_families

    generator = np.random.default_rng(5)
    prompts = [generator.integers(0, 300, length).tolist() for length in (20, 3, 11)]
    told = [(group, generator.integers(0, 300, length).tolist()) for group, length in ((0, 4), (2, 7), (0, 1), (0, 9), (1, 5), (2, 2))]
    texts = [[*prompts[group], *answer] for group, answer in told]
    learned = np.concatenate([np.arange(len(text)) >= len(prompts[group]) for text, (group, _) in zip(texts, told, strict=True)])
    given = LearnedTokens(end_to_end(texts), learned)
    policy = policy_of(tiny_chat)
    total, expected = gradients(policy, given, 1000)
    policy.zero_grad()
    sums, found = np.zeros(len(texts)), torch.zeros(())
    plan = plan_families(given, families(given, np.array([group for group, _ in told])), 30)
    assert len(plan) > 2
    for micro in plan:
        batch = pack_shared(given, micro)
        likelihoods = policy(*policy.on_device(batch))
        np.add.at(sums, np.concatenate([one.rows for one in micro])[batch.rows], likelihoods.detach().numpy())
        found = found + likelihoods.sum()
    found.backward()
    np.testing.assert_allclose(sums, policy.measure(given, 1000).sums, atol=1e-4)
    assert float(found.detach()) == pytest.approx(float(total), abs=1e-3)
    assert expected
    for name, one in policy.named_parameters():
        if one.grad is not None:
            torch.testing.assert_close(one.grad, expected[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("kind", ["tiny_chat", "tiny_bigcode"])
def test_likelihoods_are_transformers_own(kind: str, packing: bool, request: pytest.FixtureRequest) -> None:
    """A conversation at a time through the model as transformers loads it."""
    from transformers import AutoModelForCausalLM

    folder, given = request.getfixturevalue(kind), rows()
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    found = policy_of(folder, packing=packing).measure(given, 24)
    for row, length in enumerate(LENGTHS):
        span = slice(given.tokens.offsets[row], given.tokens.offsets[row + 1])
        ids, learned = torch.from_numpy(given.tokens.ids[span].astype(np.int64)), given.learned[span][1:]
        with torch.no_grad():
            scores = model(ids[None]).logits[0, : length - 1].log_softmax(-1)
        taken = scores.gather(1, ids[1:, None])[:, 0].numpy()[learned]
        assert found.targets[row] == learned.sum()
        assert found.sums[row] == pytest.approx(taken.sum(), abs=1e-4)
        assert found.hits[row] == (scores.argmax(1) == ids[1:]).numpy()[learned].sum()


@pytest.mark.parametrize("budget", [16, 64])
def test_packed_and_padded_have_one_gradient(tiny_chat: Path, budget: int) -> None:
    (one, ours), (other, theirs) = (gradients(policy_of(tiny_chat, packing=packing), rows(), budget) for packing in (True, False))
    assert one == pytest.approx(float(other), rel=1e-6)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], atol=2e-5, rtol=1e-4)


def test_a_conversation_does_not_see_its_neighbours(tiny_chat: Path) -> None:
    policy, first = policy_of(tiny_chat), rows(0)
    other = rows(1)
    kept = first.take(np.array([2]))
    together = [
        LearnedTokens(end_to_end([*_pieces(side.take(np.array([0]))), *_pieces(kept)]), np.concatenate([np.zeros(7, bool), kept.learned]))
        for side in (first, other)
    ]
    sums = [policy.measure(one, 64).sums[1] for one in together]
    assert sums[0] == pytest.approx(sums[1], abs=1e-5)
    assert sums[0] == pytest.approx(policy.measure(kept, 64).sums[0], abs=1e-5)


def _pieces(given: LearnedTokens) -> list[list[int]]:
    return [given.tokens.ids[begin:end].tolist() for begin, end in zip(given.tokens.offsets, given.tokens.offsets[1:], strict=False)]


def test_a_model_whose_packs_leak_is_refused(tiny_chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: attention over the whole row."""

    def leaking(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float, segments: Any = None, **_: Any) -> Any:
        return packed_attention.attend(module, query, key, value, mask, scaling=scaling, segments=[query.shape[2]])

    from transformers import AttentionInterface

    packed_attention.register()
    monkeypatch.setitem(AttentionInterface._global_mapping, packed_attention.NAME, leaking)
    with pytest.raises(ModelError, match=r"lets one conversation of a pack into the next; set micro\.packing=false"):
        policy_of(tiny_chat)
    assert not policy_of(tiny_chat, packing=False).packing


def test_a_model_that_scales_its_logits_is_refused(tiny_chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "states", lambda *given, **more: 0.5 * STATES(*given, **more))
    with pytest.raises(ModelError, match="does more to its logits than a product"):
        policy_of(tiny_chat)


STATES = decoder.states


def test_noise_is_in_training_alone(tiny_chat: Path) -> None:
    policy, given = policy_of(tiny_chat), rows()
    plain = policy.measure(given, 64).sums
    policy.add_noise(5.0)
    np.testing.assert_array_equal(policy.measure(given, 64).sums, plain)
    policy.train()
    (batch,) = policy.batches(given, [np.arange(len(given))])
    torch.manual_seed(0)
    noisy = policy(*policy.on_device(batch)).detach()
    assert abs(float(noisy.sum()) - plain.sum()) > 1e-3
    np.testing.assert_array_equal(policy.measure(given, 64).sums, plain)


def test_noise_is_as_large_as_its_paper_says(tiny_chat: Path) -> None:
    """uniform(-1, 1) alpha / sqrt(L d): the largest over many draws comes close to its bound, in each conversation its own."""
    from ray_pipeline.models.policy.noise import EmbeddingNoise, segment_lengths

    noise, table = EmbeddingNoise(3.0), torch.nn.Embedding(5, 64).train()
    noise.lengths = segment_lengths(None, (4, 16), torch.device("cpu"))
    added = noise(table, (), torch.zeros(1, 20, 64)).abs()
    for span, length in ((slice(0, 4), 4), (slice(4, 20), 16)):
        bound = 3.0 / (length * 64) ** 0.5
        assert 0.97 * bound < float(added[0, span].max()) <= bound


@pytest.mark.parametrize("adaptation", [FullTuning(), Lora(rank=2, dropout=0.0), QLora(rank=2, dropout=0.0, compute_dtype="fp32")])
def test_a_trained_policy_is_exported_with_its_logits(tiny_chat: Path, tmp_path: Path, adaptation: Adaptation) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy = trainable_policy(PolicySettings(name=str(tiny_chat), template_options={"enable_thinking": False}), adaptation)
    given = rows()
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    expected = policy.measure(given, 64).sums
    export_model(policy, tmp_path / "model")
    found = policy_of(tmp_path / "model")
    np.testing.assert_allclose(found.measure(given, 64).sums, expected, rtol=1e-3)
    assert found.settings.template_options == {"enable_thinking": False}
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert theirs.config.use_cache
    ids = torch.arange(9)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, merged_of(policy).backbone(input_ids=ids, segments=(9,)).logits, atol=1e-4, rtol=1e-4)
    assert AutoTokenizer.from_pretrained(tmp_path / "model").chat_template == AutoTokenizer.from_pretrained(tiny_chat).chat_template
    record = json.loads((tmp_path / "model" / "ray_pipeline.json").read_text())
    assert record["role"] == "policy"
    with pytest.raises(ModelError, match=r"drop policy\.template_options"):
        policy_of(tmp_path / "model", template_options={"enable_thinking": True})
    if not isinstance(adaptation, FullTuning):
        assert set(parameter_kinds(policy).values()) == {"lora_a", "lora_b"}
        save_adapter(policy, tmp_path / "adapter")
        again = open_adapter(tmp_path / "adapter")
        assert isinstance(again, Policy)
        np.testing.assert_allclose(again.measure(given, 64).sums, expected, rtol=1e-6)


def merged_of(policy: Policy) -> Policy:
    return merge(policy) if hasattr(policy.backbone, "peft_config") else policy.eval()


def test_a_template_of_its_own_goes_with_the_model(tmp_path: Path) -> None:
    from tests.chat_models import save_tiny_decoder

    folder = save_tiny_decoder(tmp_path / "base", template_name=None)
    own = tmp_path / "own.jinja"
    own.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    export_model(Policy(PolicySettings(name=str(folder), template=str(own))), tmp_path / "model")
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == own.read_text()


def test_an_embedder_is_no_policy(tmp_path: Path, tiny_chat: Path) -> None:
    export_model(policy_of(tiny_chat), tmp_path / "model")
    record = json.loads((tmp_path / "model" / "ray_pipeline.json").read_text())
    (tmp_path / "model" / "ray_pipeline.json").write_text(json.dumps({**record, "role": "embedder"}))
    with pytest.raises(ModelError, match="is an embedder, and a policy is needed here"):
        policy_of(tmp_path / "model")
