"""Adapters on disk, in peft's own layout, and which base they belong to.

    adapter_config.json         peft's: rank, targets, name of the base
    adapter_model.safetensors   the low-rank factors, and the token embeddings where these are trained
    head.safetensors            an embedder's projection layers (a classifier's head is among the adapter's own tensors)
    ray_pipeline.json           the base's fingerprint, the model's settings, how the base was held; of a policy a probe of its weights

An adapter on another base gives vectors without an error and without a meaning, so the base is checked by its fingerprint;
an adapter from elsewhere, which records none, by the names and shapes of its tensors.

Trap: peft's own writer asks the hub about the base's vocabulary, and writes the base's local path; its functions below do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ray_pipeline.config import Settings, identity, parse, section
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.adaptation import QLora
from ray_pipeline.models.adapters import attach, is_adapted
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.held_weights import Precision, Weights
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.probe import measured_probe
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.record import FORMAT, RECORD, Role, read_record
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import ModelFiles
from ray_pipeline.models.trained_weights import misfits
from ray_pipeline.models.whole_folder import written_whole

Adapted = Embedder | Reranker | Policy
_TENSORS: Final = "adapter_model.safetensors"
_HEAD: Final = "head.safetensors"


class _Held(Settings):
    """How the base of an adapter is loaded again."""

    embedder: EmbedderSettings | None = section(None, "an embedder's settings")
    reranker: RerankerSettings | None = section(None, "or a reranker's")
    policy: PolicySettings | None = section(None, "or a policy's")
    packing: bool = identity(True, "whether a policy's rows go through it in packs")
    new_head_seed: int | None = identity(None, "of a classifier's head that the base lacks")
    precision: Precision = identity(..., "of the frozen weights")
    four_bit: QLora | None = section(None, "the 4-bit code of the frozen weights")


def save_adapter(model: Adapted, folder: Path, training: Mapping[str, Any] | None = None) -> None:
    """Write the trained adapters and head; `training` holds plain facts of the training to keep with them."""
    from peft import get_peft_model_state_dict

    if not is_adapted(model):
        raise ModelError(f"{folder}: the model was trained whole and has no adapter; export it instead")
    config = _own_config(model)
    with written_whole(folder) as partial:
        state = get_peft_model_state_dict(model.backbone, save_embedding_layers=False)
        save_file(_plain(state), partial / _TENSORS, metadata={"format": "pt"})
        config.save_pretrained(str(partial))
        _sort_names(partial / "adapter_config.json")
        if len(model.projection):
            save_file(_plain(model.projection.state_dict()), partial / _HEAD, metadata={"format": "pt"})
        held = _held(model)
        role: Role = "policy" if held.policy else "reranker" if held.reranker else "embedder"
        facts = {"held": held.model_dump(mode="json"), "training": dict(training or {})}
        record = {"format": FORMAT, "role": role, "base": base_record(model), **facts}
        if isinstance(model, Policy) and model.weights.four_bit is None:  # elsewhere the base is not held in 4 bits, and is another one
            record["probe"] = measured_probe(model).to_json()
        (partial / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _held(model: Adapted) -> _Held:
    precision, four_bit = model.weights.precision, model.weights.four_bit
    if isinstance(model, Reranker):
        return _Held(reranker=model.settings, new_head_seed=model.new_head_seed, precision=precision, four_bit=four_bit)
    if isinstance(model, Policy):
        return _Held(policy=model.settings, packing=model.packing, precision=precision, four_bit=four_bit)
    return _Held(embedder=model.settings, precision=precision, four_bit=four_bit)


def base_record(model: Adapted) -> dict[str, str | None]:
    """Which model another one was made from."""
    return {"name": model.files.name, "revision": model.files.revision, "fingerprint": model.files.fingerprint}


def open_adapter(folder: Path, base: str | None = None, device: str = "cpu") -> Adapted:
    """The base with its adapter, held as in training, ready for use; `base` says where the base lies now, if it has moved."""
    record = read_record(folder, None)
    if record is None:
        raise ModelError(f"{folder}: no {RECORD} says which base and settings the adapter has; load the base and use load_adapter")
    try:
        held = parse(_Held, record.get("held", {}))
    except SettingsError as problem:
        raise ModelError(f"{folder / RECORD}: {problem}; the file is damaged") from problem
    moved = {} if base is None else {"name": base, "revision": None}
    weights = Weights(held.precision, held.four_bit)
    if held.embedder is not None:
        model: Adapted = Embedder(held.embedder.model_copy(update=moved), device, weights)
    elif held.reranker is not None:
        model = Reranker(held.reranker.model_copy(update=moved), device, weights, held.new_head_seed)
    elif held.policy is not None:
        model = Policy(held.policy.model_copy(update=moved), device, weights, packing=held.packing)
    else:
        raise ModelError(f"{folder / RECORD}: says no embedder's, reranker's or policy's settings; the file is damaged")
    load_adapter(model, folder)
    return model


def load_adapter(model: Adapted, folder: Path) -> None:
    """Put the adapter in `folder` on its base; refuses an adapter of another base, and leaves the base as it was then."""
    from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict

    if is_adapted(model):
        raise ModelError(f"{folder}: the model carries an adapter already; load the base anew, or merge the first one")
    check_base(model.files, folder)
    adapter_config(folder)
    tensors, head = _read(folder / _TENSORS), _read(folder / _HEAD) if (folder / _HEAD).exists() else {}
    _check_head(model, head, folder)
    config = LoraConfig.from_pretrained(str(folder))
    config.inference_mode = False  # ready to be trained on, as it was when it was saved
    config.base_model_name_or_path = None  # the base was checked above, by what counts; peft would compare paths
    try:
        attach(model, config)
    except ValueError as problem:
        raise ModelError(f"{folder}: the adapter is not for {model.files.name}: {problem}") from problem
    here = get_peft_model_state_dict(model.backbone, save_embedding_layers=False)
    problems = misfits(_shapes(here), _shapes(tensors))
    if problems:
        model.backbone = model.backbone.unload()
        raise ModelError(f"{folder}: the adapter is not for {model.files.name}: {_vocabulary(here, tensors)}{'; '.join(problems)}")
    set_peft_model_state_dict(model.backbone, tensors)
    model.projection.load_state_dict(head)
    model.projection.requires_grad_(True)
    model.eval()


def _own_config(model: Adapted) -> Any:
    """peft's configuration with the base as the user named it."""
    from peft import LoraConfig

    given = model.backbone.peft_config["default"].to_dict()
    given |= {"base_model_name_or_path": model.files.name, "revision": model.files.commit, "inference_mode": True}
    return LoraConfig(**{key: value for key, value in given.items() if key not in ("peft_type", "auto_mapping", "peft_version")})


def _sort_names(file: Path) -> None:
    """peft keeps names in sets, whose order changes from process to process; the same adapter shall be the same bytes."""
    values = json.loads(file.read_text(encoding="utf-8"))
    ordered = {
        key: sorted(value) if key in ("target_modules", "exclude_modules") and isinstance(value, list) else value for key, value in values.items()
    }
    file.write_text(json.dumps(ordered, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu").contiguous() for name, value in state.items()}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _read(file: Path) -> dict[str, Tensor]:
    if not file.exists():
        raise ModelError(f"{file}: missing; an adapter is {_TENSORS} beside adapter_config.json")
    try:
        return dict(load_file(file))
    except (SafetensorError, OSError) as problem:
        raise ModelError(f"{file}: not a safetensors file ({problem}); it is damaged, save the adapter again") from problem


def adapter_config(folder: Path) -> dict[str, Any]:
    """peft's configuration of a low-rank adapter."""
    file = folder / "adapter_config.json"
    if not file.exists():
        raise ModelError(f"{folder}: no adapter_config.json, so it holds no adapter")
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ModelError(f"{file}: not valid JSON ({problem}); it is damaged, save the adapter again") from problem
    if config.get("peft_type") != "LORA":
        raise ModelError(f"{file}: peft_type is {config.get('peft_type')!r}; LORA is what can be loaded here")
    return config


def check_base(files: ModelFiles, folder: Path) -> None:
    """Refuses an adapter that was trained on another base; one from elsewhere says nothing of its base."""
    record = read_record(folder, None)
    if record is None:
        return
    base = record.get("base", {})
    if base.get("fingerprint") != files.fingerprint:
        raise ModelError(
            f"{folder}: the adapter was trained on {base.get('name')!r} ({str(base.get('fingerprint'))[:12]}), "
            f"this base is {files.name!r} ({files.fingerprint[:12]}); give the base it was trained on"
        )


def _check_head(model: Adapted, head: Mapping[str, Tensor], folder: Path) -> None:
    problems = misfits(_shapes(model.projection.state_dict()), _shapes(head))
    if problems:
        sizes = [value.shape[0] for value in head.values() if value.dim() == 2]
        made = f"ends in {sizes[-1]} dimensions" if sizes else "has no head"
        raise ModelError(f"{folder}: the adapter {made}, this model {_output(model)}; set model.projection as in training ({'; '.join(problems)})")


def _output(model: Adapted) -> str:
    return f"in {model.full_dim}" if isinstance(model, Embedder) else "has none"


def _vocabulary(here: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Named first where the two differ in their number of tokens: the usual cause."""
    for name, value in given.items():
        if name in here and value.shape[1:] == here[name].shape[1:] and "lora" not in name and len(value) != len(here[name]):
            return f"it has {len(value)} token embeddings, the base a vocabulary of {len(here[name])}; "
    return ""
