"""Do semi-supervised labels and mined negatives beat a plain run on the Eedi task?

The recipe `experiment=eedi_minilm` on the questions of ../shared/data/eedi (or --data), split 6/7 to 1/7 by question. For each
seed it trains a plain run (in-batch negatives, 3 epochs) and the stages; every measured figure is of the 1/7, which no setting
was chosen on. The difference is paired, query by query, each query's value averaged over the seeds first, and whole questions
are resampled.

    python -m benchmarks.eedi --workspace outputs/eedi

It may take hours; what is done in the workspace stays done, so it may be stopped at any moment. `ratio` is MAP@25 of the last
stage over the plain run's.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.recipe_runs import difference, means, run_recipe
from benchmarks.report import finish, print_table
from jobs.command_line import start_logging

MEASURES = ("map@25", "recall@25")
PLAIN, LAST = "plain_measured", "after"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", default="outputs/eedi", help="where artifacts lie; what is there is not computed again")
    parser.add_argument("--data", default="../shared/data/eedi", help="the folder of train.csv and misconception_mapping.csv")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("settings", nargs="*", help="settings of the pipeline that differ, key=value")
    chosen = parser.parse_args()
    if not Path(chosen.data).exists():
        sys.exit(f"--data {chosen.data}: nothing is there; the Eedi questions are not part of this project")
    start_logging("info")
    started = time.monotonic()
    given = ["experiment=eedi_minilm", f"data.path={chosen.data}", f"workspace={chosen.workspace}", *chosen.settings]
    runs = [run_recipe(f"seed {seed}", given, {"train.seed": seed}, "python -m benchmarks.eedi") for seed in range(chosen.seeds)]
    steps = list(runs[0])
    rows = [
        [step, *(means(runs, step, name) for name in MEASURES), *(means(runs, step, "map@25", side) for side in ("seen", "unseen"))] for step in steps
    ]
    print_table(["", *MEASURES, "seen", "unseen"], rows)
    compared = {step: difference(runs, step, PLAIN, "map@25") for step in steps if step != PLAIN}
    for step, comparison in compared.items():
        print(f"{step} against {PLAIN}: {comparison.sentence()}")
    last = compared[LAST]
    finish(
        "eedi",
        last.new / last.reference,
        map25={str(row[0]): row[1] for row in rows},
        recall25={str(row[0]): row[2] for row in rows},
        by_seed={step: [float(run[step].metrics["means"]["map@25"]) for run in runs] for step in steps},
        gain=[last.difference.low, last.difference.high],
        queries=last.difference.queries,
        seconds=time.monotonic() - started,
        packages=("transformers",),
    )


if __name__ == "__main__":
    main()
