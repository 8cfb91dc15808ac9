"""Pairs are what the rerankers' own recipes make of them, and what is too long loses the end of the passage, never the prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.text.pair_prompts import FlagPrompt, PairPrompt, Qwen3RerankerPrompt, TwoTextsPrompt
from ray_pipeline.text.pairs import PairEncoder, PairTokens
from tests.text.test_tokens import byte_level, minilm

QUERIES = ["what is 3/4 of 8?", "why is the sky blue", "q" * 90]
PASSAGES = ["It is 6.", "", "Scattering (Rayleigh) favours short waves. " * 30, "\n a passage\nof two lines"]
QUERY_OF = np.array([0, 0, 1, 2])


def written(tokens: PairTokens) -> list[list[int]]:
    whole, before = tokens.whole()
    assert whole.lengths.tolist() == tokens.lengths.tolist()
    assert before.tolist() == [int(tokens.heads.lengths[query]) for query in tokens.query_of]
    return [whole.ids[low:high].tolist() for low, high in zip(whole.offsets, whole.offsets[1:], strict=False)]


def plain(folder: Path, *texts: str) -> list[int]:
    """Each text's ids by itself, end to end."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids]


def test_flag_is_made_piece_by_piece_as_flag_embedding_does(tmp_path: Path) -> None:
    folder = byte_level(tmp_path, template="<s> $A")
    prompt = FlagPrompt(question="Yes or No?")
    found = written(PairEncoder(folder, prompt, 4096, 4096 - 200).encode(QUERIES, PASSAGES, QUERY_OF))
    begin = [264]  # <s>
    for ids, query, passage in zip(found, QUERY_OF, PASSAGES, strict=True):
        assert ids == begin + plain(folder, f"A: {QUERIES[query]}", "\n", f"B: {passage}", "\n", "Yes or No?")


def test_qwen3_reranker_is_the_string_of_its_card(tmp_path: Path) -> None:
    folder = byte_level(tmp_path)
    prompt = Qwen3RerankerPrompt(task="Find it")
    (ids,) = written(PairEncoder(folder, prompt, 4096).encode(["why?"], ["so"], np.array([0])))
    from tokenizers import Tokenizer, decoders

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.decoder = decoders.ByteLevel()
    spoken = tokenizer.decode(ids, skip_special_tokens=False)
    assert spoken == (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
        'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
        "<Instruct>: Find it\n<Query>: why?\n<Document>: so"
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


@pytest.mark.parametrize("max_length", [24, 64, 256])
def test_two_texts_are_what_the_models_own_tokenizer_makes_of_them(max_length: int) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm())
    asked = [QUERIES[query] for query in QUERY_OF]
    found = written(PairEncoder(minilm(), TwoTextsPrompt(), max_length, max_length).encode(QUERIES, PASSAGES, QUERY_OF))
    fits = [len(tokenizer(query)["input_ids"]) < max_length - 2 for query in asked]
    assert sum(fits) >= 3
    first, second = ([text for text, fit in zip(side, fits, strict=True) if fit] for side in (asked, PASSAGES))
    theirs = tokenizer(first, second, truncation="only_second", max_length=max_length)["input_ids"]
    assert [ids for ids, fit in zip(found, fits, strict=True) if fit] == theirs


PROMPTS: list[PairPrompt] = [FlagPrompt(question="Yes?"), Qwen3RerankerPrompt(task="t"), TwoTextsPrompt(passage_prefix="P: ")]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda one: one.kind)
def test_the_passage_loses_its_end_then_the_query_and_never_the_prompt(tmp_path: Path, prompt: PairPrompt) -> None:
    folder = byte_level(tmp_path, template="<s> $A") if prompt.kind != "pair" else minilm()
    whole = written(PairEncoder(folder, prompt, 4096).encode(QUERIES, PASSAGES, QUERY_OF))
    shortest = min(map(len, whole))
    encoder = PairEncoder(folder, prompt, shortest + 20, 45)
    cut = encoder.encode(QUERIES, PASSAGES, QUERY_OF)
    pieces = prompt.pieces()
    for ids, full in zip(written(cut), whole, strict=True):
        assert len(ids) <= shortest + 20
        assert ids[-1] == full[-1]
        if len(full) <= shortest + 20 and len(full) == len(ids):
            assert ids == full
    tail = plain(folder, *pieces.tail)
    prefix = plain(folder, pieces.passage.prefix)
    for pair in range(len(PASSAGES)):
        body = cut.bodies.ids[cut.bodies.offsets[pair] : cut.bodies.offsets[pair + 1]].tolist()
        assert body[: len(prefix)] == prefix
        assert tail == body[len(body) - len(tail) - (prompt.kind == "pair") :][: len(tail)]
    assert cut.bodies.truncated >= 1
    assert max(cut.heads.lengths) <= 45 + len(plain(folder, *pieces.head, *pieces.middle)) + 2


def test_what_leaves_no_room_is_refused(tmp_path: Path) -> None:
    folder = byte_level(tmp_path)
    with pytest.raises(SettingsError, match="max_length=9 leaves no room for a query and a passage beside 11 tokens of the prompt"):
        PairEncoder(folder, FlagPrompt(question="Yes or no"), 9)
    with pytest.raises(SettingsError, match=r"query_max_length=3 leaves no room for the text beside the prompt \(3 tokens before it, 0 after\)"):
        PairEncoder(folder, FlagPrompt(question="?"), 60, 3).encode(["abc"], ["d"], np.array([0]))
