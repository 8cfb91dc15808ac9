"""A reranker: a query and a document read together, and one score.

* classifier  a transformer with a head of one output: the score is its logit;
* causal      a decoder that is asked a question: the score comes from the logits of its two answers behind the pair.

Scores are in fp32 also under autocast and in half precision: the head is held and multiplied in fp32, or the best candidates would
tie. Only the two words' rows of a decoder's output matrix are used.

Pairs are padded on the right; a causal score is read at the pair's last token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ray_pipeline.errors import ModelError
from ray_pipeline.models.answering import answering
from ray_pipeline.models.backbone import Head, head_modules, load_backbone, positions
from ray_pipeline.models.decoder import check_logits, plain, states
from ray_pipeline.models.held_weights import Weights
from ray_pipeline.models.pair_input import pair_input
from ray_pipeline.models.reranker_record import reranker_as_trained
from ray_pipeline.models.reranker_settings import RerankerSettings, Score
from ray_pipeline.models.source import locate
from ray_pipeline.text.batches import pad, plan_batches
from ray_pipeline.text.pairs import PairTokens


class Reranker(nn.Module):
    """The model on one device. `settings` are the given ones, completed by what the model was trained with.
    `new_head_seed`: a classifier without a head may be given a random one, to be trained."""

    def __init__(self, settings: RerankerSettings, device: str = "cpu", weights: Weights | None = None, new_head_seed: int | None = None) -> None:
        super().__init__()
        self.files = locate(settings.name, settings.revision)
        folder = self.files.folder
        self.settings = reranker_as_trained(settings, folder)
        self.device = torch.device(device)
        self.pair_input = pair_input(self.settings, folder)
        self.weights = weights or Weights(settings.precision)
        self.new_head_seed = new_head_seed
        kind: Head = "causal" if self.settings.kind == "causal" else "classifier"
        self.backbone = load_backbone(folder, self.settings, self.weights, self.device, kind, new_head_seed)
        self.projection = nn.Sequential()  # nothing stands behind the backbone
        self.heads = head_modules(self.backbone) if kind == "classifier" else ()
        self._check_length()
        if kind == "causal":
            check_logits(self.backbone, self.weights, self._word_logits, list(self.pair_input.words), folder)
        else:
            for name in self.heads:
                _in_fp32(self.backbone.get_submodule(name))
        self.eval()

    def _check_length(self) -> None:
        most, length = positions(self.backbone), self.pair_input.encoder.max_length
        if most is not None and length > most:
            raise ModelError(f"{self.files.folder}: reranker.max_length={length}, but the model has {most} positions")

    @property
    def token_types(self) -> bool:
        """Whether the model is told which text a token belongs to."""
        return int(getattr(self.backbone.config, "type_vocab_size", 0) or 0) > 1

    def states(self, input_ids: Tensor, mask: Tensor | None, **given: Any) -> Tensor:
        """[batch, length, hidden] of a decoder without its output layer. `mask`: of padding; `given` reaches the model as it is."""
        return states(self.backbone, input_ids, mask, **given)

    def _word_logits(self, states: Tensor) -> Tensor:
        """[n, hidden] -> [n, 2] the logits of yes and no, in fp32."""
        output = plain(self.backbone).get_output_embeddings()
        words = torch.tensor(self.pair_input.words, device=states.device)
        with torch.autocast(states.device.type, enabled=False):
            bias = None if output.bias is None else _upcast(output.bias[words])
            return functional.linear(_upcast(states), _upcast(output.weight[words]), bias)

    def word_scores(self, states: Tensor) -> Tensor:
        """[n, hidden] states behind whole pairs -> [n] scores of a causal model."""
        return _score(self._word_logits(states), self.settings.score or "yes-no")

    def forward(self, input_ids: Tensor, mask: Tensor, before: Tensor) -> Tensor:
        """[batch, length] pairs, padded on the right, `before` tokens of each in front of its document -> [batch] in float32."""
        last = mask.sum(1) - 1
        rows = torch.arange(len(mask), device=mask.device)
        if self.settings.kind == "causal":
            return self.word_scores(self.states(input_ids, mask)[rows, last])
        inner = plain(self.backbone)
        if hasattr(inner, "score"):  # a decoder's: the state of the last token, whatever id pads
            scores: Tensor = inner.score(self.states(input_ids, mask)[rows, last])
            return scores[:, 0]
        kinds = {}
        if self.token_types:
            places = torch.arange(input_ids.shape[1], device=mask.device)
            kinds["token_type_ids"] = (places >= before[:, None]).long() * mask
        logits: Tensor = self.backbone(input_ids=input_ids, attention_mask=mask, **kinds).logits
        return _upcast(logits[:, 0])

    def score(self, pairs: PairTokens, token_budget: int, max_rows: int) -> NDArray[np.float32]:
        """Scores of tokenised pairs, in their order, without dropout."""
        scores = np.empty(len(pairs), dtype=np.float32)
        with answering(self):
            for rows, input_ids, mask, before in self.batches(pairs, token_budget, max_rows):
                scores[rows] = self(input_ids, mask, before).cpu().numpy()
        return scores

    def batches(self, pairs: PairTokens, token_budget: int, max_rows: int) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor, Tensor]]:
        """Rows, padded ids, mask and tokens before the document, pairs of like lengths together."""
        tokens, before = pairs.whole()
        for rows in plan_batches(tokens.lengths, token_budget, max_rows):
            ids, mask = pad(tokens.ids, tokens.offsets, rows, self.pair_input.encoder.pad_id)
            padded, real, heads = (torch.from_numpy(one).to(self.device) for one in (ids, mask, before[rows]))
            yield rows, padded, real, heads

    def rank(self, query: str, documents: Sequence[str], token_budget: int = 4096, max_rows: int = 64) -> NDArray[np.float32]:
        """Scores of the documents for the query: the higher, the better."""
        pairs = self.pair_input.encoder.encode([query], documents, np.zeros(len(documents), dtype=np.int64))
        return self.score(pairs, token_budget, max_rows)


def _upcast(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _score(logits: Tensor, kind: Score) -> Tensor:
    """[n, 2] logits of yes and no -> [n]."""
    if kind == "yes":
        return logits[:, 0]
    difference = logits[:, 0] - logits[:, 1]
    return difference.sigmoid() if kind == "softmax" else difference


class _InFloat32:
    """A module's forward, in fp32 whatever surrounds it (an object and no closure, so that the model can be copied)."""

    def __init__(self, module: nn.Module) -> None:
        self.inner = module.forward

    def __call__(self, states: Tensor) -> Tensor:
        with torch.autocast(states.device.type, enabled=False):
            found: Tensor = self.inner(_upcast(states))
        return found


def _in_fp32(head: nn.Module) -> None:
    """A classifier's head, weights and products in fp32: it sees one state a pair, so that costs nothing."""
    head.float()
    for module in [one for one in head.modules() if isinstance(one, nn.Linear)]:
        module.forward = _InFloat32(module)  # type: ignore[method-assign, assignment]
