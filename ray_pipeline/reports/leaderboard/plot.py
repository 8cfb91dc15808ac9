"""Speed against Pass@1 of one benchmark as a picture: every model a point, the Pareto front a line, baselines crosses.

Rules. Right is faster, up is more correct; the front is drawn as stairs, since between two of its models nothing is measured. Kinds
differ in shape as well as in colour (blue and vermilion of Okabe and Ito, which colour-blind people tell apart). Points of the front
have numbers, as baselines have, whose names stand below the picture, so that long names hide nothing. Where a few values lie far from all others
(reference solutions, which are always right) a second panel shows the others alone, with the front that they have among themselves.

Trap. matplotlib reads `$...$` in a text as a formula, so no name is given to it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.errors import PipelineError
from ray_pipeline.reports.leaderboard.content import Part
from ray_pipeline.reports.leaderboard.front import front
from ray_pipeline.reports.leaderboard.names import baseline_words
from ray_pipeline.reports.leaderboard.svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE: Final = "#0072B2"
_VERMILION: Final = "#D55E00"
_FAR: Final = 3.0  # of the quartiles' distance beyond a quartile: Tukey's "far out"


def drawn(part: Part) -> bytes:
    """The picture as matplotlib's SVG."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise PipelineError("matplotlib draws the pictures and is not installed; install this project from its locks") from problem
    inner = without_far(part)
    # Text stays text (so it can be read aloud and found), and equal points give equal bytes.
    with (
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "leaderboard", "font.size": 10, "font.family": "sans-serif"}),
        rc_context({"text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK}),
    ):
        figure = Figure(figsize=(10.5 if inner else 7.5, 4.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, 2 if inner else 1, squeeze=False)[0]
        _panel(axes[0], part, [row.standing for row in part.rows])
        axes[0].set_ylabel("Pass@1: up is more correct")
        if inner:
            _panel(axes[1], part, inner)
            axes[0].set_title("all", fontsize=10)
            axes[1].set_title("without far-off values", fontsize=10)
        figure.supxlabel(f"{_speed_words(part)}: right is faster", fontsize=10)
        out = io.BytesIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def without_far(part: Part) -> list[Standing]:
    """The models without those far from the others; empty where none is, or too many to be called few."""
    rows = [row.standing for row in part.rows]
    keep = np.ones(len(rows), dtype=bool)
    for values in (np.array([1 / one.avg_time for one in rows]), np.array([one.pass_at_1 for one in rows])):
        low, high = np.quantile(values, [0.25, 0.75])
        keep &= (values >= low - _FAR * (high - low)) & (values <= high + _FAR * (high - low))
    few = 0 < np.count_nonzero(~keep) <= len(rows) // 4
    return [one for one, kept in zip(rows, keep, strict=True) if kept] if few else []


def speed(one: Standing, part: Part) -> float:
    """Of the first baseline's speed; of the fastest model's where no baseline has a row."""
    unit = part.held[0].reference.avg_time if part.held else part.front[0].avg_time
    return unit / one.avg_time


def caption_words(part: Part, shown: Callable[[str], str]) -> str:
    """Whose the numbers and letters in the picture are."""
    numbers = _numbers(part)

    def told(models: Sequence[Standing]) -> str:
        return ", ".join(f"{numbers[one.model]} {shown(one.model)} ({speed(one, part):.3f}x, {one.pass_at_1:.4f})" for one in models)

    inner = front(without_far(part))
    second = f" Without far-off values: {told(inner)}." if inner else ""
    crosses = [f"B{number} {baseline_words(held.reference.baseline, shown)}" for number, held in enumerate(part.held, start=1)]
    baselines = f" Crosses: {'; '.join(crosses)}." if crosses else ""
    return f"On the front, from the fastest: {told(part.front)}.{second}{baselines}"


def _numbers(part: Part) -> dict[str, int]:
    """The models of the front, then those that a second panel adds."""
    on_front = [*part.front, *front(without_far(part))]
    return {model: number for number, model in enumerate(dict.fromkeys(one.model for one in on_front), start=1)}


def plot_words(part: Part) -> str:
    """What the picture shows, for those who cannot see it."""
    names = ", ".join(one.model for one in part.front)
    baseline = baseline_words(part.held[0].reference.baseline, str) if part.held else "the fastest model"
    shown = f"Speed (as a multiple of that of {baseline}) against Pass@1 of {len(part.rows)} models on {part.benchmark}."
    return f"{shown} On the front, from the fastest: {names}."


def _speed_words(part: Part) -> str:
    return "speed, as a multiple of the first baseline's" if part.held else "speed, as a share of the fastest model's"


def _panel(axes: Axes, part: Part, shown: Sequence[Standing]) -> None:
    numbers = _numbers(part)
    intervals = {row.standing.model: row.interval for row in part.rows}
    for one in shown:
        at, interval = (speed(one, part), one.pass_at_1), intervals[one.model]
        if interval is not None:
            axes.vlines(at[0], interval.low, interval.high, color=_BLUE, linewidth=0.8, alpha=0.5)
    on_front = front(shown)
    others = [one for one in shown if one not in on_front]
    _points(axes, part, others, marker="o", facecolors="none", edgecolors=_BLUE, label="model")
    _points(axes, part, on_front, marker="D", facecolors=_VERMILION, edgecolors=_VERMILION, label="on the front")
    xs, ys = [speed(one, part) for one in on_front], [one.pass_at_1 for one in on_front]
    axes.step(xs, ys, where="post", color=_VERMILION, linewidth=1.2)  # at a speed between two models there is only what the faster one has
    for one in on_front:
        axes.annotate(str(numbers[one.model]), (speed(one, part), one.pass_at_1), xytext=(5, 4), textcoords="offset points", color=INK)
    for number, held in enumerate(part.held, start=1):
        against = held.reference
        at = speed(against.fastest, part), against.pass_at_1
        axes.plot(*at, marker="X", markersize=8, color=INK, linestyle="none", label="baseline" if held is part.held[0] else None)
        axes.annotate(f"B{number}", at, xytext=(6, -12), textcoords="offset points", color=INK)
        axes.axvline(at[0], color=INK, linewidth=0.6, linestyle=":", alpha=0.6)
        axes.axhline(at[1], color=INK, linewidth=0.6, linestyle=":", alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="best")


def _points(axes: Axes, part: Part, shown: Sequence[Standing], **style: str) -> None:
    if shown:
        axes.scatter([speed(one, part) for one in shown], [one.pass_at_1 for one in shown], s=34, **style)  # type: ignore[arg-type]
