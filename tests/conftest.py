"""What the whole suite shares: one embedded Ray, and a tiny embedding model."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_pipeline.placement.cluster import ClusterSettings

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


LOGGERS = [logging.getLogger(name) for name in ("", "ray_pipeline", "jobs")]
LEVELS = [one.level for one in LOGGERS]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Jobs set logging's levels and send it to the stderr of their start, which here is gone after each test. What a fixture of a whole module ran
    comes before this one, so the levels are those of the suite's start."""
    for one, level in zip(LOGGERS, LEVELS, strict=True):
        one.setLevel(level)
    yield
    root = logging.getLogger()
    root.handlers[:] = [one for one in root.handlers if type(one) is not logging.StreamHandler]
    for one, level in zip(LOGGERS, LEVELS, strict=True):
        one.setLevel(level)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[ClusterSettings]:
    """An embedded Ray of 2 CPUs and 8 logical GPUs, started once, and settings for one small worker on it."""
    import ray

    from ray_pipeline.placement.cluster import connect

    settings = ClusterSettings(cpus=2, logical_gpus=8, cpus_per_worker=0.25, threads_per_worker=1, object_store_mb=200)
    connect(settings)
    yield settings
    ray.shutdown()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of 2 layers and 32 dimensions, seeded, with a WordPiece tokenizer and mean pooling."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny_model")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789+-*/=().,:?<>^%"
    words = ["the", "fraction", "subject", "construct", "question", "correct", "wrong", "answer", "number", "adds", "negative", "area"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *words]
    tokenizer = Tokenizer(models.WordPiece({token: place for place, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 128}
    BertModel(BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    steps = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    modules = [{"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"} for name, path, kind in steps]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder
