"""Baselines in words, as every page says them."""

from __future__ import annotations

from collections.abc import Callable

from ray_pipeline.reports.leaderboard.against import Baseline


def baseline_words(baseline: Baseline, shown: Callable[[str], str] = repr) -> str:
    """`'a'`, or `the best of 'a', 'b' and 'c'`; `shown` writes a name as the page does."""
    names = [shown(model) for model in baseline.models]
    return names[0] if baseline.is_a_model else f"the best of {listed(names)}"


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
