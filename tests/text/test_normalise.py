"""The normal form of a text and its hash."""

from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.text.normalise import id_hash, normalise, text_hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Adds \t the\n\ndenominators. ", "adds the denominators."),
        ("ADDS THE DENOMINATORS.", "adds the denominators."),
        ("\u00a0no\u2003break\u3000space", "no break space"),
        ("ﬁnd ½ of x²", "find 1⁄2 of x2"),  # compatibility characters: ligature, fraction, superscript
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),  # final sigma folds to the plain one
        ("cafe\u0301", "café"),
        ("", ""),
        (" \n ", ""),
        ("2 - 1 = 1!", "2 - 1 = 1!"),
    ],
)
def test_normal_forms(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(("left", "right"), [("2 - 1", "2 + 1"), ("resume", "résumé"), ("ab", "a b"), ("end", "end.")])
def test_different_texts_stay_different(left: str, right: str) -> None:
    assert normalise(left) != normalise(right)
    assert text_hash(pa.array([left])) != text_hash(pa.array([right]))


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_ascii_shortcut_agrees_with_the_long_way(text: str) -> None:
    assert normalise(text) == normalise(text + " é").removesuffix("é").rstrip()


def test_hash_is_blake2b_of_the_normal_form() -> None:
    expected = int.from_bytes(blake2b("straße ist straße".casefold().encode(), digest_size=8).digest(), "little")
    assert text_hash(pa.array(["Straße  ist STRASSE"])).tolist() == [expected]
    assert text_hash(pa.array(["", "a"])).tolist() == [13020603013274838756, 3405396810240292928]
    assert text_hash(pa.array(["a"])).dtype == np.uint64


def test_hash_is_the_same_in_another_process() -> None:
    program = "import pyarrow as pa; from ray_pipeline.text.normalise import text_hash; print(text_hash(pa.array(['One  text']))[0])"
    printed = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert printed == [f"{text_hash(pa.array(['one text']))[0]}\n"] * 2


def test_ids_are_hashed_as_they_stand() -> None:
    assert len(set(id_hash(pa.array(["q1", "Q1", " q1"])).tolist())) == 3


def test_chunks_and_slices_do_not_matter() -> None:
    texts = [f"text {i}" for i in range(70_000)]  # more than are held as Python strings at one time
    whole = text_hash(pa.array(texts))
    assert np.array_equal(whole, text_hash(pa.chunked_array([texts[:3], texts[3:]])))
    assert np.array_equal(whole[5:9], text_hash(pa.array(texts).slice(5, 4)))
    assert len(np.unique(whole)) == len(texts)


def test_null_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 texts are null"):
        text_hash(pa.array(["a", None]))
