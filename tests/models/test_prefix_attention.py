"""Attention of a head and bodies that do not see each other: the same as under a mask over the whole row."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ray_pipeline.errors import ModelError
from ray_pipeline.models import prefix_attention
from ray_pipeline.models.prefix_attention import PrefixLayout, attend

HEAD = 7
LENGTHS = (3, 1, 5, 2)
TOTAL = HEAD + sum(LENGTHS)


def layout() -> PrefixLayout:
    starts = [HEAD + sum(LENGTHS[:body]) for body in range(len(LENGTHS))]
    places = [[start + min(at, length - 1) for at in range(max(LENGTHS))] for start, length in zip(starts, LENGTHS, strict=True)]
    back = [body * max(LENGTHS) + at for body, length in enumerate(LENGTHS) for at in range(length)]
    return PrefixLayout(HEAD, torch.tensor(places), torch.tensor(back))


def mask() -> Tensor:
    """Which token sees which, by the two sentences that define it."""
    body_of = torch.tensor([-1] * HEAD + [body for body, length in enumerate(LENGTHS) for _ in range(length)])
    seen = torch.zeros(TOTAL, TOTAL, dtype=torch.bool)
    for token in range(TOTAL):
        for other in range(token + 1):
            seen[token, other] = body_of[other] == -1 or body_of[other] == body_of[token]
    return seen


def drawn(heads: int, key_heads: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(heads)
    query, key, value = (torch.randn(1, count, TOTAL, 8, generator=generator).to(dtype) for count in (heads, key_heads, key_heads))
    return query, key, value


@pytest.mark.parametrize("scores_bytes", [1, 1 << 20])
@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_it_is_the_masked_row(
    monkeypatch: pytest.MonkeyPatch, scores_bytes: int, heads: int, key_heads: int, dtype: torch.dtype, close: float
) -> None:
    monkeypatch.setattr(prefix_attention, "SCORES_BYTES", scores_bytes)  # one body at a time, and all at once
    query, key, value = drawn(heads, key_heads, dtype)
    wide, tall = (one.float().repeat_interleave(heads // key_heads, dim=1) for one in (key, value))
    expected = functional.scaled_dot_product_attention(query.float(), wide, tall, mask(), scale=0.3).transpose(1, 2)
    found, _ = attend(nn.Identity(), query, key, value, None, scaling=0.3, layout=layout())
    assert found.dtype == dtype and found.shape == (1, TOTAL, heads, 8)
    torch.testing.assert_close(found.float(), expected, atol=close, rtol=close)


@pytest.mark.parametrize("given", [{}, {"layout": layout(), "softcap": 50.0}])
def test_a_model_that_attends_in_its_own_way_is_refused(given: dict[str, object]) -> None:
    query, key, value = drawn(2, 2, torch.float32)
    with pytest.raises(ModelError, match=r"set score\.shared_prefix=false"):
        attend(nn.Identity(), query, key, value, None, **given)  # type: ignore[arg-type]
