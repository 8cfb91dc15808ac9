"""Where a chain of thought ends, in tokens, however a mark is cut into them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ray_pipeline.rollout.thought_tokens import thought_tokens


def decode_of(pieces: Sequence[str]) -> tuple[list[int], object]:
    return list(range(len(pieces))), lambda ids: "".join(pieces[one] for one in ids)


@pytest.mark.parametrize(
    ("pieces", "supplied", "found"),
    [
        (["<think>", "a", " b", "</think>", "c"], "", 3),
        (["a", " b", "</think>", "c"], "<think>\n", 2),
        (["a", " b", "</think>", "c"], "", 0),
        (["<think>", "a", "</", "think", ">", "c", "</think>"], "", 4),
        (["<thi", "nk>a", " b</think>c"], "", 2),
        (["<think>", "a", "b"], "", 0),
        (["</think>", "c"], "<think>", 0),
        (["c"], "", 0),
        ([], "<think>", 0),
    ],
)
def test_by_hand(pieces: list[str], supplied: str, found: int) -> None:
    ids, decode = decode_of(pieces)
    assert thought_tokens(ids, decode, supplied) == found  # type: ignore[arg-type]
