"""Adapters merged into their base: W + (alpha / rank) B A, one plain model.

The base is loaded anew in fp32, so the trained model stays as it is and no update is rounded away; a 4-bit base is turned
back into the values that its codes stand for first, since the adapter was trained over these.

The result is checked on probe texts: an embedder by the distance of unit vectors, which bounds the difference of every
coordinate, a reranker by its scores of pairs, relative to the largest, a policy by the log-likelihood of a token on average:

* against the same fp32 model before merging: at most 1e-4, else the merge itself is wrong;
* against the model as it was trained: at most what its precision explains (bf16 0.1, a cosine of 0.995; fp16 0.01).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adapter_files import Adapted, open_adapter
from ray_pipeline.models.adapters import attach, is_adapted
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.held_weights import Precision, Weights
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.trained_weights import load_parameters, parameter_tensors, trained

Model = TypeVar("Model", bound=Adapted)
PROBES: Final = (
    "a short text",
    "What is 3/4 of 20? The answer 12 comes from multiplying the numerators only.",
    "Let G be a finite group and H a subgroup of index two. Then H is normal in G.",
    "1, 2, 4, 8, 16",
    "def merge(a, b): return a + b",
)
TOLERANCE: Final[dict[Precision, float]] = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 1e-1}


def merge_adapter(folder: Path, base: str | None = None, device: str = "cpu", probes: Sequence[str] = PROBES) -> Adapted:
    """The adapter in `folder` merged into its base, checked."""
    return merge(open_adapter(folder, base, device), probes)


def merge(model: Model, probes: Sequence[str] = PROBES) -> Model:
    """A plain fp32 model that answers like `model`, which carries adapters and is left as it is."""
    if not is_adapted(model):
        raise ModelError(f"{model.files.name}: there is no adapter to merge")
    four_bit = model.weights.four_bit
    merged = _base_of(model, Weights("fp32") if four_bit is None else Weights(model.weights.precision, four_bit, dequantise=True))
    attach(merged, deepcopy(model.backbone.peft_config["default"]))
    merged.projection.requires_grad_(True)
    load_parameters(trained(merged), parameter_tensors(trained(model)), "the adapter")
    merged.eval()
    apart = answers(merged, probes)
    merged.backbone = merged.backbone.merge_and_unload()
    merged.requires_grad_(False)
    found = answers(merged, probes)
    check_merged(apart, found, TOLERANCE["fp32"], "before merging, in fp32")
    check_merged(answers(model, probes), found, TOLERANCE[model.weights.precision], f"as trained, in {model.weights.precision}")
    merged.weights = Weights("fp32")
    return merged


def _base_of(model: Model, weights: Weights) -> Model:
    """The model without its adapters, loaded anew."""
    if isinstance(model, Reranker):
        return cast(Model, Reranker(model.settings, str(model.device), weights, model.new_head_seed))
    if isinstance(model, Policy):
        return cast(Model, Policy(model.settings, str(model.device), weights, packing=model.packing))
    return cast(Model, Embedder(model.settings, str(model.device), weights))


def answers(model: Adapted, texts: Sequence[str]) -> NDArray[np.float64]:
    """What the model says to the texts, a row each, of length about 1 (a policy: a few)."""
    if isinstance(model, Embedder):
        return unit_vectors(model, texts)
    if isinstance(model, Policy):
        return model.text_likelihoods(texts)
    scores = np.concatenate([model.rank(texts[0], [text], max_rows=1) for text in texts]).astype(np.float64)
    return np.asarray(scores[:, None] / max(1.0, float(np.abs(scores).max())))


def unit_vectors(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float64]:
    """Vectors of the texts as documents, scaled to length 1."""
    vectors = embedder.encode(embedder.tokenize(texts, "document"), token_budget=4096, max_rows=1).astype(np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def check_merged(expected: NDArray[np.float64], found: NDArray[np.float64], tolerance: float, what: str) -> None:
    """Refuse vectors that are further than `tolerance` from those expected."""
    distance = float(np.linalg.norm(found - expected, axis=1).max())
    if not distance <= tolerance:
        raise ModelError(
            f"what the merged model says is up to {distance:.2g} away from what the model says {what}; {tolerance:g} is allowed. "
            "The merge is not the trained model: check that the base is the one the adapter was trained on"
        )
