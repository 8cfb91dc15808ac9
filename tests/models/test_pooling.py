from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.models.pooling import Pooling, pool

MASKS = st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(st.booleans(), min_size=width, max_size=width).filter(any), min_size=1, max_size=4))


def slowly(states: torch.Tensor, mask: list[list[bool]], how: Pooling) -> torch.Tensor:
    rows = []
    for row, bits in enumerate(mask):
        there = [states[row, place] for place, bit in enumerate(bits) if bit]
        rows.append({"mean": sum(there[1:], start=there[0]) / len(there), "cls": there[0], "last": there[-1]}[how])
    return torch.stack(rows)


@given(MASKS, st.sampled_from(["mean", "cls", "last"]), st.booleans())
def test_any_mask_pools_as_the_slow_way_does(mask: list[list[bool]], how: Pooling, poisoned: bool) -> None:
    bits = torch.tensor(mask)
    states = torch.randn(*bits.shape, 3, generator=torch.Generator().manual_seed(1))
    expected = slowly(states, mask, how)
    if poisoned:  # what a model says at padding is anything
        states = states.masked_fill(~bits.unsqueeze(-1), float("nan"))
    torch.testing.assert_close(pool(states, bits.long(), how), expected)


def test_padding_on_either_side_gives_the_same_vectors() -> None:
    states = torch.tensor([[[1.0], [2.0], [3.0]]])
    left, right = torch.tensor([[[9.0], [1.0], [2.0]]]), torch.tensor([[[1.0], [2.0], [9.0]]])
    for how, whole, part in (("mean", 2.0, 1.5), ("cls", 1.0, 1.0), ("last", 3.0, 2.0)):
        assert pool(states, torch.ones(1, 3), how).item() == whole  # type: ignore[arg-type]
        assert pool(left, torch.tensor([[0, 1, 1]]), how).item() == part  # type: ignore[arg-type]
        assert pool(right, torch.tensor([[1, 1, 0]]), how).item() == part  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_are_made_in_float32(dtype: torch.dtype) -> None:
    states = torch.full((1, 4000, 1), 60.0, dtype=dtype)  # the sum overflows float16
    pooled = pool(states, torch.ones(1, 4000), "mean")
    assert pooled.dtype == torch.float32 and pooled.item() == 60.0
