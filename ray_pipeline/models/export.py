"""A trained embedder as a folder that `SentenceTransformer(folder)` and this project load, with the same vectors.

    config.json, model.safetensors      the backbone, adapters merged in, layers cut where they were
    tokenizer.json, ...                 the base's files; a terminal token stands in the post-processor, so that every
                                        library appends it
    modules.json, 1_Pooling, 2_Dense .. the steps behind the backbone
    sentence_bert_config.json           the length
    config_sentence_transformers.json   the prompts (their prefixes: sentence-transformers has no suffixes)
    ray_pipeline.json                   the settings of the training, the base and its fingerprint, facts of the training
    README.md                           the model card

A decoder that reads both ways says so in `config.json` (`is_causal: false`), which transformers from 5.2 on honours.
Matryoshka: sentence-transformers would cut behind the normalisation, so `dim` is made part of the last projection layer,
whose first rows give exactly the first dimensions; a model without one gets a layer that picks them.

Traps. A tokenizer class may build a post-processor of its own and forget the file's: where a terminal token was added, the
class is the plain one, which keeps to the file. Facts of the training enter the model's fingerprint: no times, no paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, processors
from torch import nn

from ray_pipeline.models.adapter_files import Adapted, base_record
from ray_pipeline.models.adapters import is_adapted
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_record import TrainedSettings, prompt_of, trained_settings
from ray_pipeline.models.export_reranker import export_reranker
from ray_pipeline.models.held_weights import Precision
from ray_pipeline.models.merge import merge
from ray_pipeline.models.model_card import model_card
from ray_pipeline.models.policy.export import export_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.record import FORMAT, RECORD
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.saved_backbone import copy_tokenizer, write_backbone, write_json
from ray_pipeline.models.whole_folder import written_whole

_POOLING_KEYS: Final = {"cls": "cls_token", "mean": "mean_tokens", "last": "lasttoken"}


def export_model(model: Adapted, folder: Path, facts: ModelFacts | None = None, precision: Precision = "fp32") -> None:
    """Write a model of any kind."""
    if isinstance(model, Reranker):
        export_reranker(model, folder, facts, precision)
    elif isinstance(model, Policy):
        export_policy(model, folder, facts, precision)
    else:
        export_embedder(model, folder, facts, precision)


def export_embedder(embedder: Embedder, folder: Path, facts: ModelFacts | None = None, precision: Precision = "fp32") -> None:
    """Write the model, all of it or nothing; `embedder` stays as it is. `precision` is that of the stored backbone."""
    plain = merge(embedder) if is_adapted(embedder) else embedder
    given = facts or ModelFacts()
    trained = _trained_with(embedder)
    with written_whole(folder) as partial:
        write_backbone(plain.backbone, partial, precision)
        _write_tokenizer(embedder, partial)
        _write_steps(plain, partial)
        _write_prompts(embedder, partial)
        record = {
            "format": FORMAT,
            "role": "embedder",
            "trained_with": trained.model_dump(mode="json"),
            "base": base_record(embedder),
            "training": dict(given.training),
        }
        write_json(partial / RECORD, record)
        card = model_card(given, trained, base_record(embedder), plain.output_dim)
        (partial / "README.md").write_text(card, encoding="utf-8")


def _trained_with(embedder: Embedder) -> TrainedSettings:
    before = trained_settings(embedder.files.folder)
    return TrainedSettings(
        prompt=prompt_of(embedder.settings, embedder.files.folder),
        pooling=embedder.pooling,
        normalize=embedder.normalize,
        max_length=embedder.text_input.encoder.max_length,
        terminal_token=embedder.settings.terminal_token,
        bidirectional=embedder.settings.bidirectional,
        projection=embedder.settings.projection or (None if before is None else before.projection),
    )


def _write_tokenizer(embedder: Embedder, folder: Path) -> None:
    base = embedder.files.folder
    copy_tokenizer(base, folder)
    lower = base / "sentence_bert_config.json"
    lower_case = bool(json.loads(lower.read_text(encoding="utf-8")).get("do_lower_case")) if lower.exists() else False
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": embedder.text_input.encoder.max_length, "do_lower_case": lower_case})
    if embedder.settings.terminal_token is not None:
        _append_terminal(folder, embedder.text_input.encoder.left, embedder.text_input.encoder.right)


def _append_terminal(folder: Path, left: list[int], right: list[int]) -> None:
    """Make the tokenizer put `left` before and `right` behind every text."""
    file = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    names = {number: tokenizer.id_to_token(number) for number in (*left, *right)}
    template = [*(names[number] for number in left), "$A", *(names[number] for number in right)]
    offsets = _offset_processors(json.loads(file.read_text(encoding="utf-8"))["post_processor"])
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(name, number) for number, name in names.items()])
    values = json.loads(tokenizer.to_str())
    if offsets:
        values["post_processor"] = {"type": "Sequence", "processors": [*offsets, values["post_processor"]]}
    file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    config = folder / "tokenizer_config.json"
    given = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    write_json(config, {**given, "tokenizer_class": "PreTrainedTokenizerFast"})


def _offset_processors(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The byte-level processors among a tokenizer's own: they move offsets and no tokens, and stay."""
    if found is None:
        return []
    inner = found["processors"] if found["type"] == "Sequence" else [found]
    return [one for one in inner if one["type"] == "ByteLevel"]


def _write_steps(plain: Embedder, folder: Path) -> None:
    steps = [("Transformer", "")]
    pooling = {f"pooling_mode_{key}": plain.pooling == how for how, key in _POOLING_KEYS.items()}
    write_json(_inside(folder, "1_Pooling") / "config.json", {"word_embedding_dimension": plain.hidden, **pooling, "include_prompt": True})
    steps.append(("Pooling", "1_Pooling"))
    for linear, activation in _dense_layers(plain):
        place = _inside(folder, f"{len(steps)}_Dense")
        kind = f"{type(activation).__module__}.{type(activation).__name__}"
        shape = {"in_features": linear.in_features, "out_features": linear.out_features, "bias": linear.bias is not None}
        write_json(place / "config.json", {**shape, "activation_function": kind})
        tensors = {f"linear.{name}": value.detach().cpu().contiguous() for name, value in linear.state_dict().items()}
        save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
        steps.append(("Dense", place.name))
    if plain.normalize:
        steps.append(("Normalize", _inside(folder, f"{len(steps)}_Normalize").name))
    listing = [{"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"} for at, (kind, path) in enumerate(steps)]
    write_json(folder / "modules.json", listing)


def _dense_layers(plain: Embedder) -> Iterator[tuple[nn.Linear, nn.Module]]:
    """The projection's layers, the last one cut to `dim`."""
    layers = [(layer[0], layer[1]) for layer in plain.projection]  # type: ignore[index]
    dim = plain.settings.dim
    if dim is not None and dim < plain.full_dim:
        if not layers:
            pick = nn.Linear(plain.hidden, plain.hidden, bias=False)
            pick.weight.data.copy_(torch.eye(plain.hidden))
            layers = [(pick, nn.Identity())]
        layers[-1] = (_first_rows(layers[-1][0], dim), layers[-1][1])
    yield from layers


def _first_rows(linear: nn.Linear, rows: int) -> nn.Linear:
    cut = nn.Linear(linear.in_features, rows, bias=linear.bias is not None)
    cut.load_state_dict({name: value[:rows] for name, value in linear.state_dict().items()})
    return cut


def _write_prompts(embedder: Embedder, folder: Path) -> None:
    prompt = embedder.text_input.prompt
    prompts = {"query": prompt.wrap("query").prefix, "document": prompt.wrap("document").prefix}
    similarity = "cosine" if embedder.normalize else "dot"
    write_json(
        folder / "config_sentence_transformers.json",
        {"model_type": "SentenceTransformer", "prompts": prompts, "default_prompt_name": None, "similarity_fn_name": similarity},
    )


def _inside(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
