"""Samples that nest, splits that keep equal conversations together, whatever the order of the file."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.chats.selection import digests, distinct, divided, sampled, shared, turns, with_turns
from ray_pipeline.data.chats.table import values_of
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CHATS
from ray_pipeline.text.chat.conversation import Conversation, Message


def table(texts: list[str], names: list[str | None] | None = None) -> pa.Table:
    made = [Conversation((Message("user", text), Message("assistant", "ok"))) for text in texts]
    rows = [values_of(one, row, None, "openai") for row, one in enumerate(made)]
    found = pa.table([pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), CHATS, strict=True)], schema=CHATS)
    return found if names is None else found.set_column(0, CHATS.field(0), pa.array(names, pa.string()))


def texts_of(chats: pa.Table) -> list[str]:
    return [row[0]["content"] for row in chats.column("messages").to_pylist()]


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=3), min_size=4, max_size=30, unique=True), seed=st.integers(0, 99), order=st.randoms(use_true_random=False))
def test_samples_nest_and_do_not_depend_on_the_order(texts: list[str], seed: int, order: random.Random) -> None:
    chats = table(texts)
    samples = [set(texts_of(sampled(chats, count, seed))) for count in range(len(texts) + 1)]
    assert [len(one) for one in samples] == list(range(len(texts) + 1))
    assert all(small < large for small, large in itertools.pairwise(samples))
    order.shuffle(texts)
    assert set(texts_of(sampled(table(texts), len(texts) // 2, seed))) == samples[len(texts) // 2]


def test_seeds_draw_others_in_equal_measure() -> None:
    chats = table([str(number) for number in range(40)])
    counts = np.zeros(40)
    for seed in range(400):
        counts[[int(text) for text in texts_of(sampled(chats, 10, seed))]] += 1
    assert abs(counts - 100).max() < 45  # five standard deviations of a binomial


def test_equal_conversations_are_one() -> None:
    chats = table(["a", "b", "a", "c", "b"], ["x", "y", "z", "v", "w"])
    assert digests(chats)[0] == digests(chats)[2] != digests(chats)[1]
    assert distinct(chats).column("chat_id").to_pylist() == ["x", "y", "v"]
    for seed in range(8):
        train, held_out = divided(chats, 0.4, seed)
        assert not shared(train, held_out).any()
        assert len(train) + len(held_out) == 5
    assert shared(table(["b", "q"]), chats).tolist() == [True, False]


def test_turns_are_counted() -> None:
    chats = pa.concat_tables([table(["a"]), table(["b"])])
    assert turns(chats).tolist() == [1, 1]
    assert len(with_turns(chats, 1, None)) == 2
    assert len(with_turns(chats, 2, None)) == len(with_turns(chats, 0, 0)) == 0


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="3 conversations are asked for, and there are 2"):
        sampled(table(["a", "b"]), 3, 0)
