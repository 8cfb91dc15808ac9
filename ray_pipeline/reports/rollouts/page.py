"""Rollouts as one HTML file that needs nothing else: no script, no address, light and dark. Each token is shaded by how unlikely it was when it was
drawn; the figure stands in its title, so that the shade is never the only sign.

What models and environments wrote is text here whatever it holds, and a policy in the page forbids it to fetch or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ray_pipeline.reports.leaderboard.html_pieces import Html, element, joined
from ray_pipeline.reports.rollouts.sample import Piece, Sample, Turn
from ray_pipeline.reports.rollouts.summary import DrawFigures, cells
from ray_pipeline.reports.rollouts.terminal import call_text, facts, printable, title

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
SHADES: Final = (-0.1, -0.5, -1.0, -2.0, -4.0, -8.0)
"""A token's shade is the number of these that its log-likelihood is below."""

STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --told: #8882; --shade: #e08a00; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --link: #7db8f5; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.wide { overflow: auto; max-height: 30rem; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
article { border-top: 1px solid var(--line); margin-top: 2rem; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; overflow-wrap: anywhere; }
h4 { font-size: .85rem; font-weight: 600; margin: .6rem 0 .1rem; }
ul { margin: .2rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: .4rem .6rem; border-left: 3px solid var(--line); }
pre.told { background: var(--told); font-style: italic; }
""" + "\n".join(f".s{number} {{ background: color-mix(in srgb, var(--shade) {12 * number}%, transparent); }}" for number in range(1, len(SHADES) + 1))


def to_html(name: str, found: Sequence[DrawFigures], samples: Sequence[Sample], which: str) -> str:
    """The page. `name`: whose rollouts; `which`: which of them are shown."""
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", printable(f"Rollouts of {name}")),
        element("style", Html(STYLE)),
    )
    shades = [f"{SHADES[0]:g} or more", *(f"below {bound:g}" for bound in SHADES)]
    legend = [joined(element("span", said, class_=f"s{number}"), " ") for number, said in enumerate(shades)]
    main = element(
        "main",
        _table(found),
        element("h2", f"{len(samples):,} rollouts: {which}"),
        element("p", "Log-likelihood of a token when it was drawn: ", *legend),
        *(_article(one) for one in samples),
    )
    body = element("body", element("header", element("h1", "Rollouts"), element("p", element("code", printable(name)))), main)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'


def _table(found: Sequence[DrawFigures]) -> Html:
    header, rows = cells(found)
    top = element("thead", element("tr", *(element("th", name, scope="col") for name in header)))
    lines = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    whole = element("table", element("caption", "Draw by draw"), top, element("tbody", *lines))
    return element("div", whole, class_="wide", role="region", tabindex="0", aria_label="Draw by draw")


def _article(sample: Sample) -> Html:
    told = element("ul", *(element("li", printable(line)) for line in facts(sample)))
    turns = [block for number, turn in enumerate(sample.turns) for block in _turn(sample, number, turn)]
    return element("article", element("h3", printable(title(sample))), told, _prompt(sample), *turns)


def _prompt(sample: Sample) -> Html:
    whole = element("details", element("summary", "the whole prompt"), element("pre", printable(sample.prompt)))
    end = element("pre", printable(sample.prompt_end), class_="told")
    return joined(element("h4", "prompt"), end, *([whole] if sample.prompt_end != sample.prompt else []))


def _turn(sample: Sample, number: int, turn: Turn) -> list[Html]:
    if not turn.written:
        return [element("h4", "told"), element("pre", printable(turn.text), class_="told")]
    blocks = [element("h4", "written by the policy"), element("pre", *map(_piece, turn.pieces))]
    calls = sample.said(number).calls
    if calls is None:
        blocks.append(element("p", "Its calls cannot be read."))
    elif calls:
        blocks.append(element("ul", *(element("li", element("code", printable(call_text(call)))) for call in calls), aria_label="calls"))
    return blocks


def _piece(piece: Piece) -> Html:
    said = ", ".join(f"{value:.3f}" for value in piece.likelihoods)
    return element("span", printable(piece.text), class_=f"s{shade(min(piece.likelihoods))}", title=said)


def shade(likelihood: float) -> int:
    """0 where a token was likely; up to the number of shades where it was not."""
    return sum(likelihood < bound for bound in SHADES)
