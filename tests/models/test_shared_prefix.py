"""A query read once for all its documents: the scores of plain pairs, whatever the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.config import parse
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.shared_prefix import can_share, shared_rows, shared_scores
from ray_pipeline.text.pairs import PairTokens
from ray_pipeline.text.tokens import end_to_end

WORDS = {"kind": "causal", "yes": "cat", "no": "dog", "max_length": 100}


def made(folder: Path, **given: Any) -> Reranker:
    return Reranker(parse(RerankerSettings, {"name": str(folder), **WORDS, **given}))


def random_pairs(seed: int, queries: int, documents: int) -> PairTokens:
    """Pairs in no order, some queries with one document, some with many."""
    generator = np.random.default_rng(seed)

    def tokens(count: int, longest: int) -> list[list[int]]:
        return [generator.integers(5, 18, generator.integers(1, longest)).tolist() for _ in range(count)]

    heads = end_to_end(tokens(queries, 30))
    query_of = generator.integers(0, queries, documents)
    return PairTokens(heads, end_to_end(tokens(documents, 12)), query_of)


@pytest.mark.parametrize("attention", ["sdpa", "eager", "products"])
@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_the_scores_are_those_of_pairs(tiny_causal: Path, attention: str, budget: int) -> None:
    reranker = made(tiny_causal, attention=attention)
    assert can_share(reranker)
    pairs = random_pairs(0, 7, 60)
    expected = reranker.score(pairs, 4096, 64)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(shared_scores(reranker, pairs, budget), expected, atol=1e-4)


@given(seed=st.integers(0, 999), queries=st.integers(1, 5), documents=st.integers(0, 30), budget=st.integers(1, 120))
def test_every_pair_is_in_one_row_and_sees_its_query_and_itself(seed: int, queries: int, documents: int, budget: int) -> None:
    pairs = random_pairs(seed, queries, documents)
    found = []
    for row in shared_rows(pairs, budget, torch.device("cpu")):
        found += row.pairs.tolist()
        (query,) = np.unique(pairs.query_of[row.pairs])
        head = pairs.heads.ids[pairs.heads.offsets[query] : pairs.heads.offsets[query + 1]].tolist()
        assert row.ids.shape[1] <= max(budget, len(head) + pairs.bodies.lengths[row.pairs[0]])
        assert row.ids[0, : row.layout.head].tolist() == head
        assert row.layout.places.flatten()[row.layout.back].tolist() == list(range(len(head), row.ids.shape[1]))
        for places, last, pair in zip(row.layout.places, row.last, row.pairs.tolist(), strict=True):
            body = pairs.bodies.ids[pairs.bodies.offsets[pair] : pairs.bodies.offsets[pair + 1]].tolist()
            own = places[: len(body)]
            assert row.ids[0, own].tolist() == body and last == own[-1]
            assert row.positions[0, own].tolist() == list(range(len(head), len(head) + len(body)))
    assert sorted(found) == list(range(documents))


def test_what_reads_otherwise_is_scored_pair_by_pair(tiny_causal: Path, tiny_classifier: Path, tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    assert not can_share(Reranker(parse(RerankerSettings, {"name": str(tiny_classifier), "max_length": 60})))
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    MistralForCausalLM(MistralConfig(vocab_size=20, sliding_window=4, **shape)).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_causal / name).read_bytes())
    assert not can_share(made(tmp_path))
