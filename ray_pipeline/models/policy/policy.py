"""A policy: how likely a decoder finds the tokens of conversations.

Conversations go through it in packs, one behind another, where nothing is padding; or padded, for kinds of models whose attention cannot be
replaced, or that carry a state from token to token, which would leak from one conversation into the next. Whether a kind of model keeps
the rows of a pack apart is not written anywhere, so it is tried once.

Only states that predict a learned token meet the output layer, a chunk of them at a time (`likelihood.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.answering import answering
from ray_pipeline.models.backbone import load_backbone, positions
from ray_pipeline.models.decoder import check_logits, plain, states
from ray_pipeline.models.held_weights import Weights
from ray_pipeline.models.policy import packed_attention
from ray_pipeline.models.policy.entropy import likelihood_and_entropy
from ray_pipeline.models.policy.likelihood import most_likely, token_log_likelihood
from ray_pipeline.models.policy.noise import EmbeddingNoise, segment_lengths
from ray_pipeline.models.policy.record import policy_as_trained
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer
from ray_pipeline.models.source import locate
from ray_pipeline.text.learned_tokens import LearnedTokens, TokenBatch, pack, padded, plan_rows
from ray_pipeline.text.tokens import end_to_end

_LEAK: Final = 1e-3  # of states computed packed and alone in fp32
_NARROW_LEAK: Final = 0.1


class Policy(nn.Module):
    """The model on one device. `packing`: rows go through it in packs."""

    def __init__(self, settings: PolicySettings, device: str = "cpu", weights: Weights | None = None, *, packing: bool = True) -> None:
        super().__init__()
        self.files = locate(settings.name, settings.revision)
        self.settings, self.device, self.packing = policy_as_trained(settings, self.files.folder), torch.device(device), packing
        self.weights = weights or Weights(settings.precision)
        self.backbone = load_backbone(self.files.folder, settings, self.weights, self.device, "causal")
        self.projection = nn.Sequential()  # nothing stands behind the backbone
        self.heads: tuple[str, ...] = ()
        self.noise: EmbeddingNoise | None = None
        output = self.backbone.get_output_embeddings()
        if output is None or output.bias is not None:
            raise ModelError(f"{self.files.folder}: the output layer of a {self.backbone.config.model_type} is no plain product; take another model")
        check_logits(self.backbone, self.weights, lambda found: found @ output.weight.T.to(found.dtype), slice(None), self.files.folder)
        self._varlen = settings.attention == "flash_attention_2"  # which reads from the positions where a conversation begins
        if packing:
            self._pack(self.files.folder)
        self.eval()

    @property
    def most_tokens(self) -> int | None:
        """How long a conversation may be."""
        return positions(self.backbone)

    @property
    def pad_id(self) -> int:
        """Any token will do: padding is neither seen nor learned."""
        return 0

    def add_noise(self, alpha: float) -> None:
        """NEFTune, while the model is in training mode."""
        self.noise = EmbeddingNoise(alpha)
        self.backbone.get_input_embeddings().register_forward_hook(self.noise)

    def _pack(self, folder: Path) -> None:
        kind = self.backbone.config.model_type
        if not self._varlen:
            if not self.backbone._supports_attention_backend:
                raise ModelError(f"{folder}: the attention of a {kind} cannot be replaced, so its rows cannot be packed; set micro.packing=false")
            packed_attention.register()
            self.backbone.set_attn_implementation(packed_attention.NAME)
        ids = torch.arange(6, device=self.device)[None] + 1
        with torch.inference_mode():
            together = self._states(ids, None, torch.tensor([[0, 1, 2, 3, 0, 1]], device=self.device), (4, 2))[0, 4:]
            alone = self._states(ids[:, 4:], None, torch.tensor([[0, 1]], device=self.device), (2,))[0]
        allowed = _LEAK if self.weights.precision == "fp32" and self.weights.four_bit is None else _NARROW_LEAK
        if not torch.allclose(together.float(), alone.float(), atol=allowed * max(1.0, float(alone.abs().max()))):
            raise ModelError(f"{folder}: a {kind} lets one conversation of a pack into the next; set micro.packing=false")

    def _states(
        self, input_ids: Tensor, mask: Tensor | None, places: Tensor, segments: tuple[int, ...] | None, heads: tuple[int, ...] | None = None
    ) -> Tensor:
        given: dict[str, Any] = {} if segments is None or self._varlen else {"segments": segments}
        if heads is not None:
            if self._varlen or not self.packing:
                raise ModelError("answers share their prompt in packed attention alone; set policy.attention=auto and micro.packing=true")
            given["heads"] = heads
        return states(self.backbone, input_ids, mask, position_ids=places, **given)

    @property
    def output_weight(self) -> Tensor:
        """[words, hidden]."""
        weight: Tensor = plain(self.backbone).get_output_embeddings().weight
        return weight

    def forward(
        self,
        input_ids: Tensor,
        mask: Tensor | None,
        places: Tensor,
        segments: tuple[int, ...] | None,
        heads: tuple[int, ...] | None,
        predicting: Tensor,
        targets: Tensor,
        greedy: bool = False,
        entropy: bool = False,
    ) -> Tensor:
        """[targets] log-likelihoods in fp32. `predicting`: of each target the state, counted in the flattened batch. `greedy`: [2, targets],
        with a second row of ones where greedy decoding would take the target; `entropy`: the same, with the vocabulary's entropy there."""
        if self.noise is not None:
            self.noise.lengths = segment_lengths(mask, segments, input_ids.device) if self.training else None
        found = self._states(input_ids, mask, places, segments, heads).flatten(0, 1)[predicting]
        if entropy:
            return likelihood_and_entropy(found, self.output_weight, targets)
        likelihoods = token_log_likelihood(found, self.output_weight, targets)
        return torch.stack([likelihoods, (most_likely(found, self.output_weight) == targets).float()]) if greedy else likelihoods

    def on_device(self, batch: TokenBatch) -> tuple[Tensor, Tensor | None, Tensor, tuple[int, ...] | None, tuple[int, ...] | None, Tensor, Tensor]:
        """What `forward` takes."""

        def moved(array: NDArray[np.int64]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

        mask = None if batch.mask is None else moved(batch.mask)
        return moved(batch.ids), mask, moved(batch.positions), batch.segments, batch.heads, moved(batch.places), moved(batch.targets)

    def batches(self, given: LearnedTokens, plan: list[NDArray[np.int64]]) -> Iterator[TokenBatch]:
        """The rows of each batch, put together."""
        for rows in plan:
            yield self.batch(given.take(rows))

    def batch(self, given: LearnedTokens) -> TokenBatch:
        """All rows at once."""
        return pack(given) if self.packing else padded(given, self.pad_id)

    def passes(self, given: LearnedTokens, token_budget: int) -> int:
        """How many times `measure` goes through the model."""
        return len(plan_rows(given.tokens.lengths, token_budget, packing=self.packing))

    def measure(self, given: LearnedTokens, token_budget: int, passes: int | None = None) -> Measured:
        """Every row's figures, without dropout and noise. `passes`: so many at least, where ranks have to make equally many."""
        sums, hits = np.zeros(len(given)), np.zeros(len(given), dtype=np.int64)
        plan = plan_rows(given.tokens.lengths, token_budget, packing=self.packing)
        again = max(0, (passes or 0) - len(plan))
        with answering(self):
            for rows, batch in zip(plan, self.batches(given, plan), strict=True):
                likelihoods, right = self(*self.on_device(batch), greedy=True).double().cpu().numpy()
                np.add.at(sums, rows[batch.rows], likelihoods)
                np.add.at(hits, rows[batch.rows], right.astype(np.int64))
            for batch in self.batches(given, plan[:1] * again):
                self(*self.on_device(batch), greedy=True)
        return Measured(sums, hits, given.targets())

    def text_likelihoods(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[texts, 1] the mean log-likelihood of a token of plain texts."""
        tokenizer = policy_tokenizer(self.files.folder, self.settings)
        tokens = end_to_end([tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts])
        found = self.measure(LearnedTokens(tokens, np.ones(len(tokens.ids), dtype=bool)), max(1, int(tokens.lengths.max())))
        return np.asarray((found.sums / np.maximum(found.targets, 1))[:, None])


@dataclass(frozen=True, eq=False)
class Measured:
    """Of each row: the sum of its learned tokens' log-likelihoods, how many of them greedy decoding would have taken, how many there are."""

    sums: NDArray[np.float64]
    hits: NDArray[np.int64]
    targets: NDArray[np.int64]
