"""The shapes that are measured, their random weights, random texts for them, and what they cost in floating-point operations.

A multiplication and its addition are two operations. A forward pass costs 2 a weight of every linear layer and token, and
4 x width x length a token and layer for attention's two products; a causal model needs half of the latter. A
backward pass costs two forward passes.

* Model operations are those the texts need: real tokens, each text at its own length, causal attention halved, no replay.
* Hardware operations are those that were asked of the device: padded tokens at the padded length, attention not halved (a kernel
  may skip masked blocks; it gets no credit here), replays counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ray_pipeline.models.pooling import Pooling, pool
from ray_pipeline.objectives.gradcache_chunks import ChunkPlan


def _bert(hidden: int, layers: int, heads: int, inner: int, vocabulary: int) -> Any:
    from transformers import BertConfig

    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner}
    return BertConfig(vocab_size=vocabulary, max_position_embeddings=512, **shape)


def _qwen3(hidden: int, layers: int, heads: int, kv_heads: int, head_dim: int, inner: int, vocabulary: int) -> Any:
    from transformers import Qwen3Config

    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner}
    grouped = {"num_key_value_heads": kv_heads, "head_dim": head_dim}
    return Qwen3Config(vocab_size=vocabulary, max_position_embeddings=512, use_cache=False, **shape, **grouped)


SHAPES: dict[str, Callable[[], Any]] = {
    "minilm": lambda: _bert(384, 6, 12, 1536, 30522),
    "base": lambda: _bert(768, 12, 12, 3072, 30522),
    "qwen3-0.6b": lambda: _qwen3(1024, 28, 16, 8, 128, 3072, 151936),
}
SMOKE: dict[str, Callable[[], Any]] = {
    "tiny bert": lambda: _bert(32, 2, 2, 64, 100),
    "tiny qwen3": lambda: _qwen3(32, 2, 2, 1, 16, 64, 100),
}


class Backbone(nn.Module):
    """A random model of one shape, its pooling, and normalised vectors in fp32."""

    def __init__(self, config: Any, device: torch.device, dtype: torch.dtype) -> None:
        from transformers import AutoModel

        super().__init__()
        torch.manual_seed(0)
        with torch.device(device):
            self.model = AutoModel.from_config(config, dtype=dtype)
        self.causal = config.model_type != "bert"
        self.pooling: Pooling = "last" if self.causal else "mean"
        self.layers = int(config.num_hidden_layers)
        self.width = int(config.num_attention_heads) * int(getattr(config, "head_dim", config.hidden_size // config.num_attention_heads))
        self.vocabulary = int(config.vocab_size)
        unused = set(self.model.pooler.parameters()) if getattr(self.model, "pooler", None) is not None else set()
        self.weights = sum(one.weight.numel() for one in self.model.modules() if isinstance(one, nn.Linear) and one.weight not in unused)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return nn.functional.normalize(pool(states, mask, self.pooling), dim=-1)

    def model_operations(self, lengths: NDArray[np.int64]) -> float:
        """Of one forward pass over the real tokens."""
        share = 0.5 if self.causal else 1.0
        return float(2 * self.weights * lengths.sum() + share * 4 * self.layers * self.width * (lengths**2).sum())

    def hardware_operations(self, plan: ChunkPlan, chunks: Sequence[int]) -> float:
        """Of one forward pass over these chunks as they were padded."""
        tokens = np.array([plan.tokens[chunk] for chunk in chunks], dtype=np.float64)
        longest = tokens / np.array([len(plan.rows[chunk]) for chunk in chunks])
        return float((2 * self.weights * tokens + 4 * self.layers * self.width * longest * tokens).sum())


def lengths_of(texts: int, longest: int, seed: int) -> NDArray[np.int64]:
    """Lognormal lengths in tokens, median 60."""
    drawn = np.random.default_rng(seed).lognormal(np.log(60), 0.8, texts)
    return np.clip(drawn, 3, longest).astype(np.int64)


def inputs_of(plan: ChunkPlan, lengths: NDArray[np.int64], vocabulary: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Random ids and the mask of each chunk, on the device."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for rows in plan.rows:
        own = torch.from_numpy(lengths[rows])
        mask = (torch.arange(int(own.max())) < own[:, None]).long()
        ids = torch.randint(1, vocabulary, mask.shape, generator=generator) * mask
        made.append((ids.to(device), mask.to(device)))
    return made
