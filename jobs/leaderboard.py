"""Rank code models by Pass@1 and time, over benchmarks and against a baseline: `python -m jobs.leaderboard RESULTS --baseline NAME --out DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ray_pipeline.artifacts import load
from ray_pipeline.data.leaderboards.document import Document, read_document
from ray_pipeline.data.leaderboards.rows import read_standings
from ray_pipeline.data.leaderboards.short_names import USUAL_SHORT_NAMES
from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.errors import PipelineError, SettingsError
from ray_pipeline.evaluation.code.standings import measured_standings
from ray_pipeline.reports.leaderboard.against import Baseline
from ray_pipeline.reports.leaderboard.board import board_of
from ray_pipeline.reports.leaderboard.content import Leaderboard, leaderboard
from ray_pipeline.reports.leaderboard.files import write_leaderboard
from ray_pipeline.reports.leaderboard.lists import LISTS
from ray_pipeline.reports.leaderboard.names import baseline_words
from ray_pipeline.storage import Location


def build(
    results: Sequence[str],
    baselines: Sequence[Baseline],
    document: str | None,
    short_names: Sequence[str] = USUAL_SHORT_NAMES,
    measured: Sequence[Standing] = (),
) -> Leaderboard:
    """The leaderboard of `results` and of what was measured, of the document's own numbers where neither is given; baselines default to its own."""
    held = read_document(document, short_names) if document else None
    if not results and not measured and held is None:
        raise SettingsError("give results: files with a row a model and benchmark, --measured models, or a --document that has its own")
    if not baselines and held is None:
        raise SettingsError("give what to hold the models against: --baseline NAME, or --best-of NAME,NAME,...")
    standings = [*measured] + [one for path in results for one in (read_document(path).standings() if path.endswith(".md") else read_standings(path))]
    return leaderboard(board_of(standings or (held.standings() if held else [])), baselines or _of_document(held), held)


def of_timings(benchmark: str, given: Sequence[str], reference: str | None) -> list[Standing]:
    """Rows of models that jobs.time has measured, `NAME=TIMINGS` each."""
    parts = {name: uri for name, _, uri in (one.partition("=") for one in given)}
    if len(parts) < len(given) or not all(parts) or not all(parts.values()):
        raise SettingsError(f"--measured {' '.join(given)}: give NAME=TIMINGS, a name of its own and an artifact of jobs.time for each model")
    return measured_standings(benchmark, {name: load(uri, "timings") for name, uri in parts.items()}, reference)


def _of_document(document: Document | None) -> list[Baseline]:
    return [Baseline(models) for models in document.baselines] if document else []


def told(found: Leaderboard) -> str:
    """The short form: how many models are on each list, and what the document says that the numbers do not."""
    lines = [f"{len(found.board.models)} models, {len(found.board.benchmarks)} benchmarks, {found.board.rows} rows"]
    for part in found.parts:
        for held in part.held:
            counts = ", ".join(f"{len(held.lists[name])} {name}" for name in LISTS)
            lines.append(f"{part.benchmark}, against {baseline_words(held.reference.baseline, str)}: {counts}")
    if found.document:
        lines.append(f"{len(found.findings)} claims of {found.document} that the numbers do not bear:")
        lines += [f"  {found.document}:{one.line}: {one.text}" for one in found.findings]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.leaderboard",
        description=__doc__,
        epilog="Columns of results: model, benchmark, avg_time, pass@1; where known pass@1_low, pass@1_high, problems, samples, "
        "speed_ratio, speed_ratio_low, speed_ratio_high. Several baselines: the models are held against each. See docs/leaderboard.md.",
    )
    parser.add_argument("results", nargs="*", help="JSON Lines, CSV or Parquet files of rows, or .md documents with their tables")
    parser.add_argument(
        "--baseline", metavar="NAME", action="append", default=[], help="a model to hold the others against (may be given several times)"
    )
    parser.add_argument("--best-of", metavar="NAME,NAME,...", help="hold the models against the best of these, column by column")
    parser.add_argument(
        "--measured", metavar="NAME=TIMINGS", action="append", default=[], help="a model and its artifact of jobs.time (may be given several times)"
    )
    parser.add_argument("--benchmark", metavar="NAME", default="measured", help="what the problems of --measured are called")
    parser.add_argument("--out", required=True, metavar="DIR", help="a folder for leaderboard.html, leaderboard.md and plots/")
    parser.add_argument(
        "--document", metavar="FILE.md", help="a hand-made leaderboard whose claims are held against the numbers; without results its own"
    )
    usual = " ".join(f"'{rule}'" for rule in USUAL_SHORT_NAMES)
    parser.add_argument("--short", metavar="SHORT=FULL", action="append", help=f"what the document's short names stand for; default: {usual}")
    given = parser.parse_args()
    try:
        if given.short and not given.document:
            raise SettingsError("--short explains the names of a --document; give that too, or leave --short out")
        sets = [tuple(dict.fromkeys(name.strip() for name in given.best_of.split(",") if name.strip()))] if given.best_of is not None else []
        if () in sets:
            raise SettingsError("--best-of names no model; give NAME,NAME,...")
        baselines = [Baseline(names) for names in dict.fromkeys([*sets, *((name,) for name in given.baseline)])]
        measured = of_timings(given.benchmark, given.measured, next(iter(given.baseline), None)) if given.measured else []
        found = build(given.results, baselines, given.document, given.short or USUAL_SHORT_NAMES, measured)
        page, markdown = write_leaderboard(found, Location.of(given.out))
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    print(told(found))
    print(f"leaderboard: {page.uri}\n             {markdown.uri}")


if __name__ == "__main__":
    main()
