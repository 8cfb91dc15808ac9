"""What a small model makes of the Eedi task: in stages, or in the iterated loop.

Two recipes on the questions of ../shared/data/eedi (or --data), split 6/7 to 1/7 by question; every figure is of the 1/7, which no setting
was chosen on. Differences are paired, query by query, each query's value averaged over the seeds first, and whole questions are
resampled.

    python -m benchmarks.eedi --workspace outputs/eedi                     # experiment=eedi_minilm: do mined negatives and pseudo labels
                                                                           # beat a plain run? `ratio`: MAP@25 of the last stage over it
    python -m benchmarks.eedi --workspace outputs/eedi --recipe loop --seeds 1    # experiment=eedi_loop: retrieved and reranked, both
                                                                           # iterations; `ratio`: the last reranked over its retrieval

It takes hours; what is done in the workspace stays done, so it may be stopped at any moment.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.recipe_runs import difference, means, run_recipe
from benchmarks.report import finish, print_table
from jobs.command_line import start_logging

MEASURES: Final = ("map@25", "recall@25")


@dataclass(frozen=True)
class Recipe:
    """An experiment and which of its evaluations are compared: the new one, the one before."""

    experiment: str
    seeds: int
    pairs: tuple[tuple[str, str], ...]
    ratio: tuple[str, str]


RECIPES: Final = {
    "stages": Recipe(
        "eedi_minilm",
        3,
        (("zero", "plain_measured"), ("hard_measured", "plain_measured"), ("after", "plain_measured")),
        ("after", "plain_measured"),
    ),
    "loop": Recipe(
        "eedi_loop",
        1,
        (("iter0_reranked", "iter0_retrieved"), ("iter1_retrieved", "iter0_retrieved"), ("iter1_reranked", "iter1_retrieved")),
        ("iter1_reranked", "iter1_retrieved"),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", default="outputs/eedi", help="where artifacts lie; what is there is not computed again")
    parser.add_argument("--data", default="../shared/data/eedi", help="the folder of train.csv and misconception_mapping.csv")
    parser.add_argument("--recipe", choices=RECIPES, default="stages")
    parser.add_argument("--seeds", type=int, help="default: 3 of the stages, 1 of the loop")
    parser.add_argument("settings", nargs="*", help="settings of the pipeline that differ, key=value")
    chosen = parser.parse_args()
    if not Path(chosen.data).exists():
        sys.exit(f"--data {chosen.data}: nothing is there; the Eedi questions are not part of this project")
    start_logging("info")
    started = time.monotonic()
    recipe = RECIPES[chosen.recipe]
    given = [f"experiment={recipe.experiment}", f"data.path={chosen.data}", f"workspace={chosen.workspace}", *chosen.settings]
    seeds = range(recipe.seeds if chosen.seeds is None else chosen.seeds)
    runs = [run_recipe(f"seed {seed}", given, {"train.seed": seed}, "python -m benchmarks.eedi") for seed in seeds]
    rows = [
        [step, *(means(runs, step, name) for name in MEASURES), *(means(runs, step, "map@25", side) for side in ("seen", "unseen"))]
        for step in runs[0]
    ]
    print_table(["", *MEASURES, "seen", "unseen"], rows)
    compared = {pair: difference(runs, *pair, "map@25") for pair in recipe.pairs}
    for (new, old), comparison in compared.items():
        print(f"{new} against {old}: {comparison.sentence()}")
    last = compared[recipe.ratio]
    finish(
        "eedi" if chosen.recipe == "stages" else "eedi_loop",
        last.new / last.reference,
        map25={str(row[0]): row[1] for row in rows},
        recall25={str(row[0]): row[2] for row in rows},
        unseen={str(row[0]): row[4] for row in rows},
        by_seed={step: [float(run[step].metrics["means"]["map@25"]) for run in runs] for step in runs[0]},
        gains={f"{new} over {old}": [one.difference.low, one.difference.high] for (new, old), one in compared.items()},
        queries=last.difference.queries,
        seconds=time.monotonic() - started,
        packages=("transformers",),
    )


if __name__ == "__main__":
    main()
