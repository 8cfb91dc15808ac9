"""Rerankers of both kinds: scores against transformers and sentence-transformers, what is refused, training and export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ray_pipeline.config import parse
from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapter_files import open_adapter, save_adapter
from ray_pipeline.models.adapters import trainable_reranker
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.export_reranker import export_reranker
from ray_pipeline.models.merge import merge
from ray_pipeline.models.parameters import parameter_kinds
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from tests.models.training import settings_of as embedder_of

QUERIES = ["the cat sat on the mat .", "a dog ran"]
DOCUMENTS = ["a cat", "the dog ran far and far .", "mat : mat", "on", "the dog and the cat"]
WORDS = {"kind": "causal", "yes": "cat", "no": "dog"}


def settings_of(folder: Path, **given: Any) -> RerankerSettings:
    return parse(RerankerSettings, {"name": str(folder), "max_length": 60, **given})


def scores(reranker: Reranker, budget: int = 200) -> NDArray[np.float32]:
    """Every query with every document."""
    pairs = reranker.pair_input.encoder.encode(QUERIES, DOCUMENTS * 2, np.repeat([0, 1], len(DOCUMENTS)))
    return reranker.score(pairs, budget, 64)


def words_of(folder: Path, text: str) -> list[int]:
    from transformers import AutoTokenizer

    return list(AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("score", ["yes", "yes-no", "softmax"])
def test_a_causal_score_is_read_behind_the_pair(tiny_causal: Path, score: str) -> None:
    """Against transformers' own logits, a pair at a time, without padding."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()
    prompt = {"kind": "flag", "question": "the query ?", "query_prefix": "a : ", "passage_prefix": "on : "}
    reranker = Reranker(settings_of(tiny_causal, **WORDS, score=score, prompt=prompt))
    yes, no = words_of(tiny_causal, "cat dog")
    expected = []
    for query in QUERIES:
        for document in DOCUMENTS:
            pieces = (f"a : {query}", "\n", f"on : {document}", "\n", "the query ?")
            ids = [token for piece in pieces for token in words_of(tiny_causal, piece)]
            logits = model(torch.tensor([ids])).logits[0, -1]
            shown = {"yes": logits[yes], "yes-no": logits[yes] - logits[no], "softmax": logits[[yes, no]].softmax(0)[0]}
            expected.append(float(shown[score].detach()))
    np.testing.assert_allclose(scores(reranker), expected, atol=1e-5)


def test_a_classifiers_score_is_that_of_sentence_transformers(tiny_classifier: Path) -> None:
    from sentence_transformers import CrossEncoder

    theirs = CrossEncoder(str(tiny_classifier), activation_fn=torch.nn.Identity(), max_length=60)
    expected = theirs.predict([(query, document) for query in QUERIES for document in DOCUMENTS])
    reranker = Reranker(settings_of(tiny_classifier))
    assert reranker.settings.kind == "classifier"
    np.testing.assert_allclose(scores(reranker), expected, atol=1e-5)
    np.testing.assert_allclose(reranker.rank(QUERIES[1], DOCUMENTS), expected[len(DOCUMENTS) :], atol=1e-5)


def test_the_batch_plan_moves_only_the_last_bits(tiny_causal: Path, tiny_classifier: Path) -> None:
    for reranker in (Reranker(settings_of(tiny_causal, **WORDS)), Reranker(settings_of(tiny_classifier))):
        np.testing.assert_allclose(scores(reranker, 30), scores(reranker, 2000), atol=1e-5)


def test_a_decoder_with_a_head_is_read_at_its_last_token_whatever_pads(tmp_path: Path, tiny_causal: Path) -> None:
    """The padding id occurs in texts here, which transformers' own search for the last token would trip over."""
    from transformers import Qwen3Config, Qwen3ForSequenceClassification

    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    torch.manual_seed(1)
    model = Qwen3ForSequenceClassification(Qwen3Config(vocab_size=20, num_labels=1, initializer_range=0.3, **shape)).eval()
    model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_causal / name).read_bytes())
    reranker = Reranker(settings_of(tmp_path, prompt={"kind": "pair"}))
    found = reranker.rank("the cat", ["a", "dog ran far [PAD]"])
    states = model.model(torch.tensor([words_of(tmp_path, "the cat") + words_of(tmp_path, "dog ran far [PAD]")])).last_hidden_state[:, -1]
    assert found[1] == pytest.approx(float(model.score(states)[0, 0].detach()), abs=1e-5)


def test_half_precision_keeps_the_last_product_in_fp32(tiny_causal: Path, tiny_classifier: Path) -> None:
    """Scores rounded to bf16 would lie on a coarse grid, where the best candidates tie."""
    for folder, given in ((tiny_causal, WORDS), (tiny_classifier, {})):
        found = scores(Reranker(settings_of(folder, precision="bf16", **given)))
        assert (torch.from_numpy(found) != torch.from_numpy(found).bfloat16().float()).any()
        np.testing.assert_allclose(found, scores(Reranker(settings_of(folder, **given))), atol=0.15)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**WORDS, "yes": "cat dog"}, r"reranker\.yes='cat dog' is 2 tokens, and the score is the logit of one"),
        ({"kind": "causal", "prompt": {"kind": "pair"}}, r"needs reranker\.yes and reranker\.no"),
        ({**WORDS, "max_length": 500}, "max_length=500, but the model has 128 positions"),
        ({"kind": "classifier"}, "has no classification head, and a random one would rank at random"),
    ],
)
def test_what_cannot_score_is_refused(tiny_causal: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Reranker(settings_of(tiny_causal, **given))


def test_a_head_of_many_classes_is_no_reranker(tiny_classifier: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(tiny_classifier)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "A", "1": "B", "2": "C"}, "label2id": {"A": 0, "B": 1, "C": 2}}))
    with pytest.raises(ModelError, match="the head has 3 classes, and a reranker gives one score"):
        Reranker(settings_of(folder))


def test_an_encoder_without_a_head_must_be_told_what_it_is(tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match=r"config.json names BertModel, which is no reranker; set reranker\.kind"):
        Reranker(settings_of(tiny_bert))


def test_a_decoder_that_caps_its_logits_is_refused(tmp_path: Path, tiny_causal: Path) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    Gemma2ForCausalLM(Gemma2Config(vocab_size=20, initializer_range=3.0, final_logit_softcapping=1.0, **shape)).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_causal / name).read_bytes())
    with pytest.raises(ModelError, match="a gemma2 does more to its logits than a product"):
        Reranker(settings_of(tmp_path, **WORDS))


def made(folder: Path, adaptation: Adaptation, seed: int = 0, **given: Any) -> Reranker:
    return trainable_reranker(settings_of(folder, **given), adaptation, seed=seed)


def trained(reranker: Reranker, steps: int = 3, lr: float = 0.05) -> Reranker:
    """Toward scores that rise with the document's number."""
    pairs = reranker.pair_input.encoder.encode(QUERIES, DOCUMENTS * 2, np.repeat([0, 1], len(DOCUMENTS)))
    optimizer = torch.optim.SGD([one for one in reranker.parameters() if one.requires_grad], lr=lr)
    for _ in range(steps):
        for rows, ids, mask, before in reranker.batches(pairs, 2000, 64):
            functional.mse_loss(reranker(ids, mask, before), torch.from_numpy(rows % len(DOCUMENTS)).float()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    return reranker.eval()


def test_a_new_head_is_drawn_under_its_seed_and_trained_with_its_pooler(tiny_bert: Path) -> None:
    first, again, other = (made(tiny_bert, FullTuning(), seed, kind="classifier", max_length=40) for seed in (0, 0, 1))
    assert first.heads == ("classifier", "bert.pooler")
    names = {"backbone.classifier.weight", "backbone.bert.pooler.dense.weight"}
    weights = [{name: value for name, value in one.named_parameters() if name in names} for one in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) and not torch.equal(weights[0][name], weights[2][name]) for name in names)
    assert {name for name, kind in parameter_kinds(first).items() if kind == "head"} >= names


def test_adapters_leave_the_body_and_train_the_head(tiny_bert: Path) -> None:
    reranker = made(tiny_bert, Lora(rank=2), kind="classifier", max_length=40)
    kinds = parameter_kinds(reranker)
    assert set(kinds.values()) == {"lora_a", "lora_b", "head"}
    assert sum(kind == "head" for kind in kinds.values()) == 4  # weight and bias of classifier and pooler
    assert not any("pooler" in name for name, kind in kinds.items() if kind != "head")


@pytest.mark.parametrize("adaptation", [FullTuning(), Lora(rank=2, dropout=0.0)], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["classifier", "causal"])
def test_a_trained_reranker_is_the_same_one_exported(adaptation: Adaptation, kind: str, tiny_bert: Path, tiny_causal: Path, tmp_path: Path) -> None:
    folder, given = (tiny_causal, WORDS) if kind == "causal" else (tiny_bert, {"kind": "classifier", "max_length": 40})
    reranker = made(folder, adaptation, **given)
    before = scores(reranker)
    expected = scores(trained(reranker))
    assert np.abs(expected - before).max() > 0.01
    export_reranker(reranker, tmp_path / "out")
    again = Reranker(parse(RerankerSettings, {"name": str(tmp_path / "out")}))  # everything else it says itself
    assert again.settings.kind == kind
    np.testing.assert_allclose(scores(again), expected, atol=2e-4)
    assert "A reranker" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(ModelError, match="is a reranker, and an embedder is needed here"):
        Embedder(embedder_of(tmp_path / "out", pooling="mean"))


def test_an_exported_classifier_loads_as_a_cross_encoder_with_the_same_scores(tiny_classifier: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    reranker = trained(made(tiny_classifier, FullTuning()))
    export_reranker(reranker, tmp_path / "out")
    theirs = CrossEncoder(str(tmp_path / "out"))
    found = theirs.predict([(query, document) for query in QUERIES for document in DOCUMENTS])
    np.testing.assert_allclose(found, scores(reranker), atol=1e-5)
    assert theirs.max_seq_length == 60


def test_an_adapter_comes_back_with_its_head_and_merges(tiny_bert: Path, tmp_path: Path) -> None:
    reranker = trained(made(tiny_bert, Lora(rank=2, dropout=0.0), seed=3, kind="classifier", max_length=40))
    save_adapter(reranker, tmp_path / "adapter")
    again = open_adapter(tmp_path / "adapter")
    assert isinstance(again, Reranker)
    np.testing.assert_allclose(scores(again), scores(reranker), atol=1e-6)
    np.testing.assert_allclose(scores(merge(again)), scores(reranker), atol=1e-4)


def test_settings_that_contradict_the_training_are_refused(tiny_causal: Path, tmp_path: Path) -> None:
    export_reranker(Reranker(settings_of(tiny_causal, **WORDS, prompt={"kind": "flag", "question": "a ?"})), tmp_path / "out")
    with pytest.raises(ModelError, match=r"drop reranker\.prompt"):
        Reranker(settings_of(tmp_path / "out", prompt={"kind": "qwen3-reranker"}))
    with pytest.raises(ModelError, match=r"reranker\.yes=dog, but the model was trained with cat; drop reranker\.yes"):
        Reranker(settings_of(tmp_path / "out", yes="dog"))


def test_tied_token_embeddings_are_not_trained_apart_from_the_output_layer(tmp_path: Path, tiny_causal: Path) -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=20, tie_word_embeddings=True, **shape)).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_causal / name).read_bytes())
    with pytest.raises(ModelError, match="shares these weights with its output layer"):
        made(tmp_path, Lora(rank=2, train_embed_tokens=True), **WORDS)


def test_a_classifier_in_four_bits_keeps_and_trains_a_whole_head(tiny_classifier: Path) -> None:
    from bitsandbytes.nn import Linear4bit

    settings = RerankerSettings(name=str(tiny_classifier), max_length=40)
    reranker = trainable_reranker(settings, QLora(rank=2), train_precision="bf16")
    body = [name for name, module in reranker.backbone.named_modules() if isinstance(module, Linear4bit)]
    assert len(body) == 3 * 6
    assert not any("pooler" in name or "classifier" in name for name in body)
    kinds = parameter_kinds(reranker)
    heads = {name: one for name, one in reranker.named_parameters() if kinds.get(name) == "head"}
    assert len(heads) == 4  # weights and biases of pooler and classifier
    ids = torch.tensor([[2, 5, 6, 3, 7, 3]])
    reranker(ids, torch.ones_like(ids), torch.tensor([4])).sum().backward()
    for name, one in heads.items():
        assert one.dtype == torch.float32, name
        assert one.grad is not None and one.grad.abs().sum() > 0, name
