"""The card says what the model is, in exact strings, and what other libraries would get wrong."""

from __future__ import annotations

from typing import Any

import yaml

from ray_pipeline.config import parse
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.embedder_record import TrainedSettings
from ray_pipeline.models.model_card import model_card

BASE = {"name": "BAAI/bge-small-en-v1.5", "revision": "abc", "fingerprint": "f" * 64}


def card(facts: ModelFacts | None = None, base: dict[str, Any] | None = None, **given: Any) -> str:
    trained = parse(TrainedSettings, {"pooling": "mean", "normalize": True, "max_length": 64, **given})
    return model_card(facts or ModelFacts(), trained, base or BASE, 384)


def front(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_front_matter_and_facts() -> None:
    metrics = ({"split": "seen", "map@25": 0.31234}, {"split": "un|seen", "recall@25": None, "map@25": 1})
    text = card(ModelFacts("Title", ("first data", "second data"), {"train": {"lr": 0.001}}, metrics, {}, "apache-2.0"))
    assert front(text)["base_model"] == "BAAI/bge-small-en-v1.5" and front(text)["license"] == "apache-2.0"
    assert "# Title\n" in text and "- first data\n- second data" in text and "384 dimensions" in text
    assert "| split | map@25 | recall@25 |\n|---|---|---|\n| seen | 0.3123 |  |\n| un\\|seen | 1 |  |" in text
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert settings["train"] == {"lr": 0.001} and settings["model"]["max_length"] == 64


def test_what_is_not_known_is_left_out() -> None:
    text = card(base={"name": "/models/x", "revision": "abc"})
    assert "base_model" not in front(text) and "license" not in front(text)
    assert "## Metrics" not in text and "## Training data" not in text and "Not stated here" in text
    assert "suffix, which" not in text and "both ways" not in text and "ends every text" not in text


def test_prompts_are_exact_and_warnings_stand_where_they_apply() -> None:
    text = card(prompt={"kind": "bge-icl", "task": "t"}, bidirectional=True, pooling="last", terminal_token="</s>")
    assert r"| query | '<instruct>t\n<query>' | '\n<response>' |" in text
    assert "| document | '' | '' |" in text
    assert "The prompt has a suffix, which sentence-transformers cannot express" in text
    assert "is_causal: false" in text and "`</s>` ends every text" in text
