"""A leaderboard's files in a folder: `leaderboard.html`, which holds all, and `leaderboard.md` with its pictures beside it.

Each is written whole or not at all, and the two pages last: whoever finds them finds all that they show.
"""

from __future__ import annotations

import re

from ray_pipeline.reports.leaderboard.content import Leaderboard
from ray_pipeline.reports.leaderboard.markdown import to_markdown
from ray_pipeline.reports.leaderboard.page import to_html
from ray_pipeline.reports.leaderboard.plot import drawn, plot_words
from ray_pipeline.reports.leaderboard.svg import alone, on_a_page
from ray_pipeline.storage import Location


def write_leaderboard(found: Leaderboard, folder: Location) -> tuple[Location, Location]:
    """The pages' places: HTML, Markdown."""
    addresses, pictures = {}, {}
    for number, part in enumerate(found.parts, start=1):
        # A benchmark's name may hold anything, a file's name here holds letters, digits and hyphens.
        spelled = re.sub("[^a-z0-9]+", "-", part.benchmark.lower()).strip("-")[:60]
        address = f"plots/{'-'.join(filter(None, (str(number), spelled)))}.svg"
        picture = drawn(part)
        (folder / address).write(alone(picture, plot_words(part)))
        addresses[part.benchmark] = address
        pictures[part.benchmark] = on_a_page(picture, f"plot-{number}", plot_words(part))
    markdown, page = folder / "leaderboard.md", folder / "leaderboard.html"
    text, html = to_markdown(found, addresses), to_html(found, pictures)
    # A document's path may hold bytes that are no UTF-8: Python keeps them as lone surrogates, which no file can hold.
    markdown.write(text.encode("utf-8", "replace"))
    page.write(html.encode("utf-8", "replace"))
    return page, markdown
