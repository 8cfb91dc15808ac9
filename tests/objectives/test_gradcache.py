"""Cached gradients against the same micro batches with their graphs kept, dropout on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.objectives import gradcache
from ray_pipeline.objectives.gradcache import cached_backward
from ray_pipeline.objectives.gradcache_chunks import ChunkPlan, plan_chunks

CPU = torch.device("cpu")
LENGTHS = np.array([5, 17, 9, 12, 30, 7, 7, 22, 11], dtype=np.int64)  # 9 texts: the last micro batch is smaller than the one before
BUDGET = 36


class Vectors(nn.Module):
    """A backbone, mean pooling and normalisation in the backbone's own precision."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        kept = states * mask.unsqueeze(-1)
        return nn.functional.normalize(kept.sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=-1)


def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=50, max_position_embeddings=40, initializer_range=0.3, hidden_dropout_prob=0.2, **shape)
    return BertModel(config, add_pooling_layer=False)


def qwen3() -> nn.Module:
    from transformers import Qwen3Config, Qwen3Model

    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    config = Qwen3Config(vocab_size=50, max_position_embeddings=40, initializer_range=0.3, attention_dropout=0.2, use_cache=False, **shape)
    return Qwen3Model(config)


def lora() -> nn.Module:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(qwen3(), LoraConfig(r=4, lora_alpha=8, lora_dropout=0.3, target_modules=["q_proj", "v_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.3)  # at 0, where peft begins, A would have no gradient
    return adapted


def checkpointed() -> nn.Module:
    model = bert()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {"bert": bert, "qwen3": qwen3, "lora": lora, "checkpointed": checkpointed}


@dataclass
class Batch:
    """A model in training mode, random token ids, and their micro batches."""

    model: nn.Module
    plan: ChunkPlan
    inputs: list[tuple[Tensor, Tensor]]
    forwards: int = 0

    def embed(self, chunk: int) -> Tensor:
        self.forwards += 1
        return self.model(*self.inputs[chunk])

    def loss(self, chunks: list[Tensor]) -> float:
        """Text 2i is a query, text 2i + 1 its document; the last text is a negative."""
        vectors = torch.cat(chunks)[torch.from_numpy(self.plan.place)]
        count = len(vectors) // 2
        documents = torch.cat([vectors[1::2], vectors[2 * count :]])
        value = nn.functional.cross_entropy(vectors[0 : 2 * count : 2] @ documents.T / 0.1, torch.arange(count), reduction="sum")
        value.backward()
        return float(value.detach())

    def cached(self, kept: int, **how: Any) -> float:
        return cached_backward(len(self.plan), self.embed, self.loss, device=CPU, kept=kept, **how)

    def graphs_kept(self) -> float:
        """The plain step over the same micro batches: the naive reference."""
        return self.loss([self.embed(chunk) for chunk in range(len(self.plan))])

    def gradients(self) -> dict[str, Tensor]:
        found = {name: one.grad.clone() for name, one in self.model.named_parameters() if one.grad is not None}
        self.model.zero_grad()
        return found


def batch(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    model = Vectors(MODELS[kind]()).to(dtype).train()
    plan = plan_chunks(LENGTHS, BUDGET, max_rows=4)
    inputs = []
    for rows in plan.rows:
        lengths = torch.from_numpy(LENGTHS[rows])
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        inputs.append((torch.randint(1, 50, mask.shape) * mask, mask))
    return Batch(model, plan, inputs)


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of any gradient, relative to the largest entry of all of them."""
    assert one.keys() == other.keys() and one
    largest = max(float(tensor.abs().max()) for tensor in other.values())
    assert largest > 1e-3
    return max(float((one[name] - other[name]).abs().max()) for name in one) / largest


def step(run: Callable[[], float], made: Batch, seed: int = 1) -> tuple[float, dict[str, Tensor], Tensor]:
    """Loss, gradients, and the random state afterwards."""
    torch.manual_seed(seed)
    loss = run()
    return loss, made.gradients(), torch.get_rng_state()


def test_by_hand() -> None:
    """v = w x for x = (1, 2) and (3); loss (1 + 2 + 3)^2 w^2 = 36 w^2, whose slope at w = 0.5 is 36."""
    weight = torch.tensor(0.5, requires_grad=True)
    chunks = [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]])]

    def loss(vectors: list[Tensor]) -> str:
        torch.cat(vectors).sum().square().backward()
        return "what the loss returns"

    for kept in range(3):
        weight.grad = None
        assert cached_backward(2, lambda chunk: weight * chunks[chunk], loss, device=CPU, kept=kept) == "what the loss returns"
        assert weight.grad is not None and float(weight.grad) == 36.0


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("kept", [0, 2, 5])
def test_equals_the_kept_graphs_in_fp64(kind: str, kept: int) -> None:
    made = batch(kind)
    assert [len(rows) for rows in made.plan.rows] == [1, 1, 1, 3, 3]
    expected_loss, expected, state = step(made.graphs_kept, made)
    loss, found, after = step(lambda: made.cached(kept), made)
    assert loss == expected_loss
    assert difference(found, expected) < 1e-10
    assert torch.equal(after, state)


@pytest.mark.parametrize("kind", ["bert", "qwen3"])
@pytest.mark.parametrize("kept", [0, 2])
def test_equals_the_kept_graphs_in_fp32(kind: str, kept: int) -> None:
    made = batch(kind, torch.float32)
    _, expected, _ = step(made.graphs_kept, made)
    _, found, _ = step(lambda: made.cached(kept), made)
    assert difference(found, expected) < 1e-5


def test_every_graph_kept_is_the_plain_step_bit_for_bit() -> None:
    made = batch("bert", torch.float32)
    _, expected, _ = step(made.graphs_kept, made)
    made.forwards = 0
    _, found, _ = step(lambda: made.cached(5), made)
    assert made.forwards == 5
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("around", ["embed", "everything"])
@pytest.mark.parametrize("kept", [0, 2, 5])
def test_autocast(around: str, kept: int) -> None:
    """Sums of bf16 gradients differ by the order they are added in, hence the looser bound; the vectors do not."""
    made = batch("bert", torch.float32)
    inner, outer = (autocast, nullcontext) if around == "embed" else (nullcontext, autocast)
    plain = made.embed

    def embed(chunk: int) -> Tensor:
        with inner():
            return plain(chunk)

    made.embed = embed  # type: ignore[method-assign]
    with outer():
        expected_loss, expected, _ = step(made.graphs_kept, made)
        loss, found, _ = step(lambda: made.cached(kept), made)
    assert loss == expected_loss
    assert difference(found, expected) < 0.01


def autocast() -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16)


def test_half_precision_vectors_reach_the_loss_in_fp32() -> None:
    made = batch("bert", torch.bfloat16)
    seen: list[torch.dtype] = []

    def loss(chunks: list[Tensor]) -> float:
        seen.extend(one.dtype for one in chunks)
        return made.loss(chunks)

    _, expected, _ = step(lambda: made.loss([made.embed(chunk).float() for chunk in range(5)]), made)
    _, found, _ = step(lambda: cached_backward(5, made.embed, loss, device=CPU), made)
    assert seen == [torch.float32] * 5
    assert difference(found, expected) < 0.02


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_gradients_accumulate_over_batches(kept: int) -> None:
    made = batch("bert")
    other = batch("bert", seed=7)
    other.model = made.model

    def both(run: Callable[[Batch], float]) -> float:
        return run(made) + run(other)

    _, expected, state = step(lambda: both(Batch.graphs_kept), made)
    _, found, after = step(lambda: both(lambda one: one.cached(kept, sync=one is other)), made)
    assert difference(found, expected) < 1e-10
    assert torch.equal(after, state)


def test_forward_passes() -> None:
    """One pass a chunk, and one more where no graph was kept."""
    for kept in range(6):
        made = batch("bert")
        made.cached(kept)
        assert made.forwards == 5 + (5 - kept)


def test_blank_passes_change_nothing() -> None:
    made = batch("bert")
    _, expected, state = step(made.graphs_kept, made)
    for kept in (0, 2, 5):
        made.forwards = 0
        _, found, after = step(lambda kept=kept: made.cached(kept, passes=7), made)
        assert made.forwards == 7 + (7 - kept)
        assert difference(found, expected) < 1e-10
        assert torch.equal(after, state)


@pytest.mark.parametrize("kept", [0, 2])
def test_without_the_random_state_the_comparison_fails(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the comparison above can fail, and the step itself notices."""
    made = batch("bert")
    _, expected, _ = step(made.graphs_kept, made)
    monkeypatch.setattr(gradcache, "_set_generators", lambda device, state: None)
    with pytest.raises(ModelError, match=r"chunk \d: the second forward pass gave vectors \d+% away.*keep_tokens"):
        step(lambda: made.cached(kept), made)
    made.model.zero_grad()
    monkeypatch.setattr(gradcache, "_DRIFT", float("inf"))
    _, found, _ = step(lambda: made.cached(kept), made)
    assert difference(found, expected) > 1e-2


def test_a_model_with_its_own_generator_is_refused_unless_all_graphs_are_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(6, 4)
    texts = [torch.randn(3, 6) for _ in range(3)]

    def embed(chunk: int) -> Tensor:
        return layer(texts[chunk]) * (torch.rand(3, 4, generator=generator) > 0.5)

    def loss(vectors: list[Tensor]) -> None:
        torch.cat(vectors).square().sum().backward()

    with pytest.raises(ModelError, match="outside torch's default generators"):
        cached_backward(3, embed, loss, device=CPU, kept=2)
    cached_backward(3, embed, loss, device=CPU, kept=3)


def test_random_state_is_restored_when_the_model_fails() -> None:
    made = batch("bert")
    _, _, state = step(made.graphs_kept, made)

    def fails_in_the_replay(chunk: int) -> Tensor:
        if made.forwards == 10 + 6:
            raise RuntimeError("out of memory, say")
        return made.embed(chunk)

    made.forwards = 10
    torch.manual_seed(1)
    with pytest.raises(RuntimeError, match="out of memory"):
        cached_backward(5, fails_in_the_replay, made.loss, device=CPU)
    assert torch.equal(torch.get_rng_state(), state)


def test_chunks_the_loss_does_not_use() -> None:
    """A chunk without a gradient counts as zero; no gradient at all is an error."""
    weight = torch.tensor(0.5, requires_grad=True)

    def first_alone(vectors: list[Tensor]) -> None:
        vectors[0].sum().backward()

    for kept in range(3):
        weight.grad = None
        cached_backward(2, lambda chunk: weight * torch.ones(2, 1) * (chunk + 1), first_alone, device=CPU, kept=kept)
        assert weight.grad is not None and float(weight.grad) == 2.0
    with pytest.raises(ValueError, match=r"must call backward\(\) itself"):
        cached_backward(2, lambda chunk: weight * torch.ones(2, 1), lambda vectors: None, device=CPU)


@pytest.mark.parametrize(("chunks", "kept", "passes"), [(0, 0, None), (2, 3, None), (2, -1, None), (3, 0, 2)])
def test_impossible_counts(chunks: int, kept: int, passes: int | None) -> None:
    with pytest.raises(ValueError, match="at least one chunk"):
        cached_backward(chunks, lambda chunk: torch.ones(1, 1), lambda vectors: None, device=CPU, kept=kept, passes=passes)


def test_vectors_on_another_device_than_named() -> None:
    with pytest.raises(ValueError, match="vectors lie on meta, but device=cpu"):
        cached_backward(1, lambda chunk: torch.ones(1, 1, device="meta"), lambda vectors: None, device=CPU)


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    budget=st.integers(1, 40),
    max_rows=st.integers(1, 5),
    keep=st.integers(0, 80),
    blank=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_any_plan_gives_the_gradient_of_the_whole_batch(lengths: list[int], budget: int, max_rows: int, keep: int, blank: int) -> None:
    """Without dropout the micro batches do not matter: every plan gives the gradient of one pass over all texts."""
    torch.manual_seed(len(lengths))
    layer = nn.Linear(3, 4).double()
    texts = torch.randn(len(lengths), 3, dtype=torch.float64)

    def value(vectors: Tensor) -> Tensor:
        return ((vectors @ vectors.T).logsumexp(dim=1) * torch.arange(1.0, len(vectors) + 1)).sum()  # the order of the texts counts

    value(layer(texts)).backward()
    expected = {"weight": layer.weight.grad, "bias": layer.bias.grad}
    layer.zero_grad()
    plan = plan_chunks(np.array(lengths, dtype=np.int64), budget, max_rows)

    def loss(chunks: list[Tensor]) -> None:
        value(torch.cat(chunks)[torch.from_numpy(plan.place)]).backward()

    how: dict[str, Any] = {"kept": plan.graphs_within(keep), "passes": len(plan) + blank}
    cached_backward(len(plan), lambda chunk: layer(texts[torch.from_numpy(plan.rows[chunk])]), loss, device=CPU, **how)
    for name, gradient in expected.items():
        found = getattr(layer, name).grad
        assert gradient is not None and torch.allclose(found, gradient, rtol=1e-10, atol=1e-10)


class Saved:
    """Counts the bytes that graphs hold, now and at most."""

    def __init__(self) -> None:
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> Held:
        return Held(self, tensor)


class Held:
    def __init__(self, count: Saved, tensor: Tensor) -> None:
        self.count, self.tensor = count, tensor
        self.size = tensor.nbytes
        count.now += self.size
        count.peak = max(count.peak, count.now)

    def __del__(self) -> None:
        self.count.now -= self.size


@pytest.fixture
def saved() -> Iterator[Saved]:
    count = Saved()
    with torch.autograd.graph.saved_tensors_hooks(count.pack, lambda held: held.tensor):
        yield count


def test_one_graph_at_a_time(saved: Saved) -> None:
    """Ten times the chunks hold no more than one; kept graphs are gone before the replays begin."""
    layers = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))
    texts = [torch.randn(32, 64) for _ in range(20)]

    def loss(vectors: list[Tensor]) -> None:
        for leaf in vectors:
            leaf.grad = torch.ones_like(leaf)

    def peak(chunks: int, kept: int) -> int:
        saved.peak = 0
        cached_backward(chunks, lambda chunk: layers(texts[chunk]), loss, device=CPU, kept=kept)
        assert saved.now == 0
        return saved.peak

    one = peak(1, 1)
    assert one > 0
    assert peak(2, 0) == peak(20, 0) == one
    assert peak(20, 1) == one
    assert peak(20, 3) == 3 * one
    assert peak(20, 20) == 20 * one
