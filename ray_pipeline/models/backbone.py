"""The backbone: a transformer of any kind, loaded whole, with a head of its own or without.

* none        the transformer alone: states of tokens
* causal      a decoder with its output over the vocabulary
* classifier  a transformer with a head of one output: a score

A `classifier` whose folder holds none may be given a new head, drawn under its own seed (with the pooler below it, where the
model has one): for training only.

Traps. A pooler that the weights lack would be random, and would be saved as if it were trained: where nothing asks it, it is
dropped. A list of layer kinds in the configuration must be cut along with the layers, or the saved model would not load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors import SafetensorError

from ray_pipeline.errors import ModelError
from ray_pipeline.models import batched_products
from ray_pipeline.models.backbone_settings import BackboneSettings
from ray_pipeline.models.held_weights import DTYPES, Weights, four_bit_options, keep_codes
from ray_pipeline.models.parameters import in_head

Head = Literal["none", "causal", "classifier"]
DROPOUTS: Final = {  # what kinds of models call them
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    "dropout": ("hidden_dropout_prob", "classifier_dropout", "dropout", "seq_classif_dropout", "embedding_dropout", "mlp_dropout", "hidden_dropout"),
}
_CLASSES: Final[dict[Head, str]] = {"none": "AutoModel", "causal": "AutoModelForCausalLM", "classifier": "AutoModelForSequenceClassification"}


def load_backbone(
    folder: Path, settings: BackboneSettings, weights: Weights, device: torch.device, head: Head = "none", new_head_seed: int | None = None
) -> Any:
    """The model in `folder`, in evaluation mode. `new_head_seed`: a classifier that is not there may be drawn."""
    config = backbone_config(folder, settings)
    if head == "classifier":
        _one_output(folder, config, new_head_seed is not None)
    options = {}
    if weights.four_bit is not None:
        whole = head_modules(empty_backbone(folder, settings, head)) if head == "classifier" else ()
        options = four_bit_options(weights.four_bit, device, whole)
    if settings.attention not in ("auto", batched_products.NAME):
        options["attn_implementation"] = settings.attention
    backbone, missing = _read(folder, config, weights, head, new_head_seed, options)
    new = {name for name in missing if in_head(head_modules(backbone), name)} if new_head_seed is not None else set()
    absent = sorted(name for name in missing - new if head == "classifier" or "pooler" not in name)
    if absent:
        raise ModelError(f"{folder}: the weights lack {len(absent)} tensors ({', '.join(absent[:3])}, ...), which would be random; get them all")
    if head == "none" and missing:
        backbone.pooler = None
    _choose_attention(folder, backbone, settings.attention, device)
    if weights.four_bit is None:
        backbone = backbone.to(device)
    else:
        keep_codes(backbone)
    backbone.config.use_cache = False  # keys and values of a decoder serve generation only
    return backbone.eval()


def _read(folder: Path, config: Any, weights: Weights, head: Head, new_head_seed: int | None, options: dict[str, Any]) -> tuple[Any, set[str]]:
    """The model, and the names of the tensors that its files lack."""
    import transformers  # seconds to import, so only where a model is loaded

    kind = getattr(transformers, _CLASSES[head])
    try:
        with _quiet(), _drawn_under(new_head_seed):
            backbone, report = kind.from_pretrained(
                folder,
                config=config,
                dtype=DTYPES[weights.precision],
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
            if weights.dequantise:
                backbone = backbone.dequantize().float()
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as problem:
        raise ModelError(f"{folder}: the model cannot be loaded: {problem}") from problem
    return backbone, set(report["missing_keys"])


def _choose_attention(folder: Path, backbone: Any, wanted: str, device: torch.device) -> None:
    """Batched products, where they are asked for, or where they help and the model lets its attention be chosen."""
    possible = backbone._supports_attention_backend
    if wanted == batched_products.NAME and not possible:
        raise ModelError(f"{folder}: the attention of a {backbone.config.model_type} cannot be replaced; set model.attention=auto")
    if wanted == batched_products.NAME or (wanted == "auto" and possible and device.type == "cpu"):
        batched_products.register()
        backbone.set_attn_implementation(batched_products.NAME)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report of weights: it is for people, and what matters of it is checked here."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    loud = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(loud)


@contextmanager
def _drawn_under(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _one_output(folder: Path, config: Any, may_be_new: bool) -> None:
    """See to it that the head has one output; a folder without a head is refused where none may be drawn."""
    has_head = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    if has_head and config.num_labels != 1:
        raise ModelError(f"{folder}: the head has {config.num_labels} classes, and a reranker gives one score; take a model with one output")
    if not has_head and not may_be_new:
        raise ModelError(f"{folder}: has no classification head, and a random one would rank at random; train one (`python -m jobs.train_reranker`)")
    config.num_labels = 1


def head_modules(backbone: Any) -> tuple[str, ...]:
    """Where a classifier's head is: what stands beside the transformer itself, and the pooler that feeds it."""
    inner = backbone.base_model_prefix
    beside = [name for name, module in backbone.named_children() if name != inner and any(True for _ in module.parameters())]
    poolers = [name for name, module in backbone.named_modules() if name.split(".")[-1] == "pooler" and any(True for _ in module.parameters())]
    return (*beside, *poolers)


def empty_backbone(folder: Path, settings: BackboneSettings, head: Head = "none") -> Any:
    """The backbone's shape without its weights, on the meta device."""
    import transformers

    try:
        with torch.device("meta"):
            return getattr(transformers, _CLASSES[head]).from_config(backbone_config(folder, settings), trust_remote_code=False)
    except (OSError, ValueError, ImportError, RuntimeError) as problem:
        raise ModelError(f"{folder}: config.json does not describe a model: {problem}") from problem


def backbone_config(folder: Path, settings: BackboneSettings) -> Any:
    """The model's own configuration, with what the settings change of it."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as problem:
        raise ModelError(f"{folder}: the model cannot be loaded: {problem}") from problem
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{folder}: a {config.model_type} has an encoder and a decoder; take a model with one of them")
    layers = getattr(config, "num_hidden_layers", None)
    if settings.layers is not None and layers is not None:
        if settings.layers > layers:
            raise ModelError(f"{folder}: layers={settings.layers}, but the model has {layers}")
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: settings.layers]
        config.num_hidden_layers = settings.layers
    for setting, rate in (("attention_dropout", settings.attention_dropout), ("dropout", settings.dropout)):
        if rate is not None:
            _set_dropout(config, folder, setting, rate)
    return config


def _set_dropout(config: Any, folder: Path, setting: str, rate: float) -> None:
    known = [name for name in DROPOUTS[setting] if hasattr(config, name)]
    if not known:
        names = ", ".join(DROPOUTS[setting])
        raise ModelError(f"{folder}: {setting} is given, but a {config.model_type} has none of {names}; leave it null")
    for name in known:
        setattr(config, name, rate)


def positions(backbone: Any) -> int | None:
    """How many tokens a text may have. RoBERTa's family counts positions from behind the padding id, so it has fewer than it says."""
    stated = getattr(backbone.config, "max_position_embeddings", None)
    padding = getattr(getattr(backbone.base_model, "embeddings", None), "padding_idx", None)
    return stated if stated is None or padding is None else int(stated) - int(padding) - 1
