"""A shard's tokens and vectors, without Ray: pinned values, odd texts, and what is refused."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from ray_pipeline.artifacts import Artifact, Workspace, read_parquet
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.retrieval.embed import EmbedSettings, EmbedShard, MakeEmbedShard, TokeniseShard, shards_of, vectors_table
from ray_pipeline.schemas import CORPUS, vectors_schema

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ("d0", "the cat sat on the mat", None),
    ("d1", "", None),
    ("d2", "far " * 60, "a dog"),
    ("d3", "a dog ran", "the cat"),
    ("d4", "strange words", None),
    ("d5", "the cat sat on the mat", None),
]
# What `algorithm` of the stage `vectors` gave when it was recorded: the hash of all token ids, and the vectors.
GOLDEN_ALGORITHM = 3  # 2 cut other batches, 3 computes attention in half precision otherwise: last bits, and not what is recorded here
GOLDEN_TOKENS = "410692fa0d0d11fe"
GOLDEN_VECTORS = [
    [-0.0460992, 0.1349745, 0.2998064, -0.6787638, -0.1270846, 0.0349502, 0.2769878, -0.5787557],
    [-0.0159502, 0.1005869, 0.2613917, -0.6819356, -0.0053325, 0.0364846, 0.1879578, -0.6477487],
    [-0.0258371, 0.1104236, 0.3049154, -0.6784180, -0.1128812, 0.0266696, 0.2828149, -0.5835041],
    [-0.0428499, 0.1238225, 0.3028585, -0.6694008, -0.0910523, 0.0226830, 0.2858150, -0.5937305],
    [-0.0609209, 0.1734273, 0.2616861, -0.6769884, -0.1325390, 0.0490053, 0.2569022, -0.5945180],
    [-0.0460992, 0.1349745, 0.2998064, -0.6787638, -0.1270846, 0.0349502, 0.2769878, -0.5787557],
]
CHANGED = "embedding gives other {what}: raise ALGORITHM in ray_pipeline/pipelines/embed.py (old artifacts keep their name) and record the new values"


def smooth(shape: torch.Size, phase: int) -> torch.Tensor:
    """Weights without a random generator, whose streams may change between versions."""
    count = int(np.prod(shape))
    return torch.from_numpy((np.sin(np.arange(1, count + 1) * 1.37 + phase) * 0.5).astype(np.float32)).reshape(shape)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("golden")
    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}
    backbone = BertModel(BertConfig(vocab_size=20, **shape), add_pooling_layer=False)
    with torch.no_grad():
        for phase, (name, weights) in enumerate(sorted(backbone.named_parameters())):
            weights.copy_(smooth(weights.shape, phase) + (1.0 if name.endswith("LayerNorm.weight") else 0.0))
    backbone.save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "passage", "query", ":", "the", "cat", "sat", "on", "mat", "a", "dog", "ran", "far"]
    tokenizer = Tokenizer(models.WordLevel(vocab={word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def corpus(folder: Path, documents: list[tuple[str, str, str | None]]) -> Artifact:
    attempt = Workspace.at(str(folder)).begin("data", "0" * 20)
    ids, texts, titles = zip(*documents, strict=True)
    attempt.write_table("corpus/000000.parquet", pa.table([list(ids), list(texts), pa.array(titles, pa.string())], schema=CORPUS))
    body: dict[str, Any] = {"stage": "data", "fingerprint": "0" * 20, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}, "rows": 1}
    return attempt.publish(body)


def run(
    folder: Path, model: Path, documents: list[tuple[str, str, str | None]] = DOCUMENTS, shard_rows: int = 4, **embed: Any
) -> list[dict[str, Any]]:
    """Embed every shard as a stage does, one after the other; returns payloads and records together."""
    torch.set_num_threads(1)
    settings = parse(EmbedderSettings, {"name": str(model), "pooling": "mean", "max_length": 24, "dim": 8, "prompt": {"kind": "e5"}})
    options = parse(EmbedSettings, {"shard_rows": shard_rows, "token_budget": 40, **embed})
    rows = Rows.of(corpus(folder, documents), "corpus/")
    attempt = Workspace.at(str(folder)).begin("vectors", "1" * 20)
    tokenise = TokeniseShard(rows, "doc_id", settings, "document")
    worker = MakeEmbedShard(settings, options, attempt.location.uri, attempt.prefix)("cpu")
    done = []
    for shard in shards_of(len(rows), shard_rows):
        payload = {**shard, **tokenise(shard)}
        done.append({"payload": payload, "record": worker(payload), "table": None})
        done[-1]["table"] = read_parquet(attempt.location / done[-1]["record"]["file"]["path"])
    return done


def vectors(done: list[dict[str, Any]]) -> NDArray[np.float32]:
    return np.concatenate([vectors_of(one["table"]) for one in done])


def test_the_arithmetic_is_that_of_the_recorded_algorithm(tmp_path: Path, model: Path) -> None:
    source = ast.parse((ROOT / "ray_pipeline" / "pipelines" / "embed.py").read_text())
    assigned = {
        target.id: node.value for node in source.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)
    }
    assert ast.literal_eval(assigned["ALGORITHM"]) == GOLDEN_ALGORITHM, "ALGORITHM was raised: record its tokens and vectors here"
    done = run(tmp_path, model)
    tokens = b"".join(one["payload"]["ids"].astype("<i4").tobytes() + one["payload"]["offsets"].astype("<i8").tobytes() for one in done)
    assert hashlib.sha256(tokens).hexdigest()[:16] == GOLDEN_TOKENS, CHANGED.format(what="tokens")
    # last bits may differ between processors' kernels; 1e-6 is far below what any change of the arithmetic moves
    np.testing.assert_allclose(vectors(done), np.array(GOLDEN_VECTORS), atol=1e-6, rtol=0, err_msg=CHANGED.format(what="vectors"))


def test_a_shard_tells_what_it_did_and_repeats_itself_to_the_byte(tmp_path: Path, model: Path) -> None:
    first, second = run(tmp_path / "a", model), run(tmp_path / "b", model)
    assert [one["record"]["file"]["sha256"] for one in first] == [one["record"]["file"]["sha256"] for one in second]
    assert [one["record"]["counts"] for one in first] == [
        {"rows": 4, "tokens": 10 + 4 + 24 + 9, "truncated": 1, "empty": 1},
        {"rows": 2, "tokens": 6 + 10, "truncated": 0, "empty": 0},
    ]
    assert [one["record"]["dim"] for one in first] == [8, 8]
    assert pa.concat_tables([one["table"] for one in first]).column("id").to_pylist() == [f"d{n}" for n in range(6)]
    assert first[0]["table"].schema == vectors_schema(8, "float32")


def test_vectors_are_normalised_and_equal_texts_are_neighbours(tmp_path: Path, model: Path) -> None:
    found = vectors(run(tmp_path, model))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[0], found[5], atol=1e-6)  # in another shard, beside other texts
    assert np.abs(found[0] - found[3]).max() > 1e-3


def test_float16_is_the_rounded_float32(tmp_path: Path, model: Path) -> None:
    half = run(tmp_path / "half", model, dtype="float16")
    assert half[0]["table"].schema == vectors_schema(8, "float16")
    np.testing.assert_array_equal(vectors(half), vectors(run(tmp_path / "full", model)).astype(np.float16).astype(np.float32))


def test_a_vector_that_is_not_finite_is_refused_by_id(tmp_path: Path, model: Path) -> None:
    class Broken:
        def encode(self, *arguments: Any) -> NDArray[np.float32]:
            return np.array([[1.0, 0.0], [np.nan, 0.0], [np.inf, 1.0]], dtype=np.float32)

    settings = parse(EmbedderSettings, {"name": str(model)})
    worker = EmbedShard(MakeEmbedShard(settings, EmbedSettings(), str(tmp_path), "attempts/x"), Broken())  # type: ignore[arg-type]
    payload = {"shard": 0, "ids": [1, 1, 1], "offsets": [0, 1, 2, 3], "truncated": 0, "empty": 0, "keys": json.dumps(["a", "b", "c"])}
    with pytest.raises(ModelError, match=r"2 vectors are NaN or infinite.*, the first for id 'b'"):
        worker(payload)
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_float16_cannot_hold_is_refused() -> None:
    with pytest.raises(ModelError, match="1 vectors are NaN or infinite in float16, the first for id 'b'"):
        vectors_table(["a", "b"], np.array([[60_000.0], [70_000.0]], dtype=np.float32), "float16")


def test_shards_cover_every_row_once() -> None:
    assert shards_of(5, 2) == [{"shard": 0, "start": 0, "stop": 2}, {"shard": 1, "start": 2, "stop": 4}, {"shard": 2, "start": 4, "stop": 5}]
    assert shards_of(0, 2) == []
