"""What rerankers and policies do with a decoder: its states without the output layer, and that layer's weight by itself.

Whether one product is all a kind of model does to its logits (some scale or cap them) is not written anywhere, so it is tried once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ray_pipeline.errors import ModelError
from ray_pipeline.models.held_weights import Weights

_LOGIT_ERROR: Final = 1e-3  # of logits computed twice in fp32; capped or scaled ones differ by far more
_NARROW_LOGIT_ERROR: Final = 0.1


def plain(backbone: Any) -> Any:
    """transformers' model, with or without adapters inside it."""
    return backbone.get_base_model() if hasattr(backbone, "peft_config") else backbone


def states(backbone: Any, input_ids: Tensor, mask: Tensor | None, **given: Any) -> Tensor:
    """[batch, length, hidden] without the output layer. `mask`: of padding; `given` reaches the model as it is."""
    found: Tensor = plain(backbone).base_model(input_ids=input_ids, attention_mask=mask, **given).last_hidden_state
    return found


def check_logits(backbone: Any, weights: Weights, logits: Callable[[Tensor], Tensor], words: list[int] | slice, folder: Path) -> None:
    """Refuse a decoder whose own logits of `words` are not what `logits` makes of its last state ([1, hidden] -> [1, words])."""
    ids = torch.arange(4, device=backbone.device)[None]
    with torch.inference_mode():
        theirs = backbone(input_ids=ids).logits[0, -1].float()[words]
        ours = logits(states(backbone, ids, torch.ones_like(ids))[:, -1])[0].float()
    allowed = _LOGIT_ERROR if weights.precision == "fp32" and weights.four_bit is None else _NARROW_LOGIT_ERROR
    if not torch.allclose(theirs, ours, atol=allowed * max(1.0, float(theirs.abs().max()))):
        kind = backbone.config.model_type
        raise ModelError(f"{folder}: a {kind} does more to its logits than a product, which is not supported; take another model")
