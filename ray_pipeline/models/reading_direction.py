"""Whether a backbone's tokens see the tokens after them, and making a decoder's do so.

transformers makes a decoder's masks from `config.is_causal`; where that is false, every token sees every token that is no
padding, in all attention implementations, and the flag stays in `config.json` when the model is saved. Whether a kind of model
honours it is not written anywhere, so it is tried: the gradient of the first position's state with respect to the last token's
embedding is exactly zero where the model cannot look ahead (a masked weight is exactly 0), and not zero where it can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ray_pipeline.errors import ModelError


def set_direction(folder: Path, backbone: Any, bidirectional: bool | None) -> None:
    """Make the model in `folder` read as asked; refused where it cannot, or does so anyway. None: as it is."""
    if bidirectional is None:
        return
    reads_both_ways = not getattr(backbone.config, "is_causal", True)
    if not bidirectional:
        if reads_both_ways or sees_ahead(backbone):
            raise ModelError(f"{folder}: model.bidirectional=false, but this model reads both ways; drop model.bidirectional")
        return
    if not reads_both_ways and sees_ahead(backbone):
        raise ModelError(f"{folder}: model.bidirectional=true is for decoders; a {backbone.config.model_type} reads both ways as it is: drop it")
    backbone.config.is_causal = False
    try:
        works = sees_ahead(backbone)
    except Exception as problem:  # whatever a kind of model that was never meant for it trips over
        raise ModelError(f"{folder}: a {backbone.config.model_type} cannot be made to read both ways ({problem!r}); drop it") from problem
    if not works:
        raise ModelError(f"{folder}: a {backbone.config.model_type} cannot be made to read both ways; drop model.bidirectional")


def sees_ahead(backbone: nn.Module) -> bool:
    """Whether the first position's state depends on the last token."""
    table: Tensor = backbone.get_input_embeddings().weight  # type: ignore[operator]
    with torch.enable_grad():
        tokens = table[torch.zeros(1, 3, dtype=torch.long, device=table.device)].detach().requires_grad_()
        states = backbone(inputs_embeds=tokens, attention_mask=torch.ones(1, 3, dtype=torch.long, device=table.device)).last_hidden_state
        # not a plain sum: the sum of normalised states is constant, and its gradient zero
        weighted = (states[0, 0].float() * torch.arange(states.shape[-1], device=states.device)).sum()
        (gradient,) = torch.autograd.grad(weighted, tokens)
    return bool(gradient[0, -1].abs().max() > 0)
