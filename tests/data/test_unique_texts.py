"""Texts by id, each once."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data import unique_texts as module
from ray_pipeline.data.unique_texts import one_array, unique_texts
from ray_pipeline.errors import DataError


def chunked(values: list[str], cuts: list[int]) -> pa.ChunkedArray:
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    return pa.chunked_array([values[low:high] for low, high in pairwise(bounds)], pa.string())


def test_first_appearance_decides_the_number() -> None:
    ids, texts = chunked(["b", "a", "b", "c", "a"], [1, 3]), chunked(["B", "A", "B", "C", "A"], [1, 3])
    found = unique_texts(ids, texts, "document", "made")
    assert (found.ids.to_pylist(), found.texts.to_pylist()) == (["b", "a", "c"], ["B", "A", "C"])
    assert (found.codes.tolist(), found.first.tolist()) == ([0, 1, 0, 2, 1], [0, 1, 3])
    assert found.ids.type == found.texts.type == pa.large_string()


@given(st.lists(st.integers(0, 6), max_size=20), st.lists(st.integers(0, 20), max_size=3), st.lists(st.integers(0, 20), max_size=3))
def test_chunks_do_not_matter(numbers: list[int], cuts: list[int], other_cuts: list[int]) -> None:
    found = unique_texts(chunked([f"i{n}" for n in numbers], cuts), chunked([f"t{n}" for n in numbers], other_cuts), "document", "made")
    distinct = list(dict.fromkeys(numbers))
    assert found.ids.to_pylist() == [f"i{n}" for n in distinct]
    assert found.texts.to_pylist() == [f"t{n}" for n in distinct]
    assert found.codes.tolist() == [distinct.index(n) for n in numbers]
    assert found.first.tolist() == [numbers.index(n) for n in distinct]


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_one_id_with_two_texts_is_named(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMPARED", at_once)
    ids, texts = chunked(["x", "y", "x", "y"], [2]), chunked(["X", "Y", "X", "other"], [3])
    with pytest.raises(DataError, match="file: document 'y' has two texts"):
        unique_texts(ids, texts, "document", "file")


def test_one_array_of_chunks_and_slices() -> None:
    assert one_array(chunked(["a", "b", "c"], [1]).slice(1)).to_pylist() == ["b", "c"]
    assert one_array(pa.array(["a", None])).to_pylist() == ["a", None]
    assert len(one_array(pa.chunked_array([], pa.string()))) == 0
