"""A data set of conversations on a page: how many, how long, how often cut, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.reports.markdown import fenced, table

PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)
_BARS: Final = 12
_WIDEST: Final = 40
_TOOLS: Final = 20  # shown


def length_figures(lengths: NDArray[np.int64]) -> dict[str, float]:
    """Mean, deviation, percentiles and ends."""
    found = {"mean": float(lengths.mean()), "std": float(lengths.std()), "least": float(lengths.min())}
    found |= {f"p{share}": float(np.percentile(lengths, share)) for share in PERCENTILES}
    return {**found, "most": float(lengths.max())}


def cut_at(lengths: NDArray[np.int64], limits: Sequence[int]) -> dict[str, dict[str, float]]:
    """At each limit: the share of conversations that would be cut, and of all tokens that would be lost."""
    total = max(1, int(lengths.sum()))
    return {str(limit): {"cut": float((lengths > limit).mean()), "lost": float(np.maximum(lengths - limit, 0).sum() / total)} for limit in limits}


def histogram(lengths: NDArray[np.int64]) -> str:
    """Bars of text, the edges rounded to whole tokens."""
    counts, edges = np.histogram(lengths, bins=min(_BARS, max(1, len(np.unique(lengths)))))
    widest = max(1, int(counts.max()))
    lines = []
    for count, low, high in zip(counts.tolist(), edges, edges[1:], strict=False):
        bar = "█" * round(_WIDEST * count / widest)
        lines.append(f"{round(low):>8,} to {round(high):>8,}  {count:>8,}  {bar}")
    return "\n".join(lines)


def chats_page(facts: Mapping[str, Any], lengths: Mapping[str, NDArray[np.int64]]) -> str:
    """The page as Markdown. `facts`: what `pipelines/describe.py` counted; `lengths`: tokens of each split's conversations."""
    sections = ["# Conversations", table(["", "count"], [[name, f"{value:,}"] for name, value in facts["counts"].items()])]
    for split, found in lengths.items():
        if not len(found):
            continue
        figures = facts["lengths"][split]
        sections += [f"## {split}: tokens of a conversation", table(list(figures), [[f"{value:,.1f}" for value in figures.values()]])]
        sections.append(fenced(histogram(found)))
        rows = [[f"{int(limit):,}", f"{one['cut']:.1%}", f"{one['lost']:.1%}"] for limit, one in facts["cut"][split].items()]
        sections.append(table(["limit", "conversations cut", "tokens lost"], rows))
    if facts["called"]:
        often = list(facts["called"].items())[:_TOOLS]
        sections += [f"## Tools: {len(facts['called']):,} are called", table(["tool", "calls"], [[name, f"{count:,}"] for name, count in often])]
    for title, lines in (("Malformed", facts["malformed"]), ("Not rendered", facts["not_rendered"])):
        if lines:
            sections += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(sections) + "\n"
