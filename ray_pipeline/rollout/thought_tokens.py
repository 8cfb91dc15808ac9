"""How many of the tokens that a policy wrote are its chain of thought: those up to the one that completes the first `</think>`.

A mark may be a token of its own, several tokens, or a part of one: so text is decoded, not tokens compared. Where the reply does not begin with a
thought (written, or supplied by the template), or the thought does not end, there is none.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from ray_pipeline.metrics.thought import CLOSES, OPENS

Decode = Callable[[Sequence[int]], str]


def thought_tokens(ids: Sequence[int], decode: Decode, supplied: str = "") -> int:
    """`decode` keeps special tokens."""
    if not (supplied + decode(ids)).lstrip().startswith(OPENS):
        return 0
    ends = bisect.bisect_left(range(len(ids) + 1), True, key=lambda count: CLOSES in decode(ids[:count]))
    return 0 if ends > len(ids) else max(0, ends - 1)
