"""A trained reranker as a folder that this project and others load, with the same scores.

    config.json, model.safetensors   the model with its head, adapters merged in
    tokenizer.json, ...              the base's files
    ray_pipeline.json                kind, prompt, words and lengths; the base and its fingerprint; facts of the training
    README.md                        the model card

A classifier loads as `CrossEncoder(folder)`: `config.json` says that its score is the bare logit and not a sigmoid, which would tie
the best candidates in half precision, and the tokenizer carries the length. A causal reranker loads in transformers and vLLM as any
decoder; how to ask it is in the card.
"""

from __future__ import annotations

import json
from pathlib import Path

from ray_pipeline.models.adapter_files import base_record
from ray_pipeline.models.adapters import is_adapted
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.held_weights import Precision
from ray_pipeline.models.merge import merge
from ray_pipeline.models.record import FORMAT, RECORD
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_card import reranker_card
from ray_pipeline.models.reranker_record import TrainedReranker
from ray_pipeline.models.saved_backbone import copy_tokenizer, write_backbone, write_json
from ray_pipeline.models.whole_folder import written_whole


def export_reranker(reranker: Reranker, folder: Path, facts: ModelFacts | None = None, precision: Precision = "fp32") -> None:
    """Write the model, all of it or nothing; `reranker` stays as it is. `precision` is that of the stored weights."""
    plain = merge(reranker) if is_adapted(reranker) else reranker
    given, trained = facts or ModelFacts(), _trained_with(reranker)
    with written_whole(folder) as partial:
        write_backbone(plain.backbone, partial, precision)
        copy_tokenizer(reranker.files.folder, partial)
        if trained.kind == "classifier":
            _tell_cross_encoder(partial, trained.max_length, token_types=reranker.token_types)
        record = {
            "format": FORMAT,
            "role": "reranker",
            "trained_with": trained.model_dump(mode="json"),
            "base": base_record(reranker),
            "training": dict(given.training),
        }
        write_json(partial / RECORD, record)
        (partial / "README.md").write_text(reranker_card(given, trained, base_record(reranker)), encoding="utf-8")


def _trained_with(reranker: Reranker) -> TrainedReranker:
    names = set(TrainedReranker.model_fields)
    return TrainedReranker(**{name: getattr(reranker.settings, name) for name in names})


def _tell_cross_encoder(folder: Path, length: int, *, token_types: bool) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", {**config, "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}})
    file = folder / "tokenizer_config.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    inputs = ["input_ids", *(["token_type_ids"] if token_types else []), "attention_mask"]
    write_json(file, {**tokenizer, "model_max_length": length, "model_input_names": inputs})
