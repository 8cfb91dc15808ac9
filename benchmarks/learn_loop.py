"""Does the iterated loop teach anything? The recipe iterated_minilm on generated misconceptions, with question templates held out.

Two iterations: an embedder, a reranker on what it mines, then both again with the first reranker as their teacher. Three seeds, every
query's value averaged over them, whole questions resampled. The control runs the same loop on the positives of other queries.

    python -m benchmarks.learn_loop

`ratio` is MAP@25 of the reranked top 25 over that of the retrieval it reranks, after the last iteration; `embedder_ratio` is the second
iteration's retrieval over the first's.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from benchmarks.recipe_runs import Evaluations, means, ratio, run_recipe
from benchmarks.report import finish, print_table
from jobs.command_line import start_logging

MEASURE = "map@25"
STEPS = ("iter0_before", "iter0_retrieved", "iter0_reranked", "iter1_retrieved", "iter1_reranked")


def loop(workspace: str, seed: int, control: bool, given: list[str]) -> Evaluations:
    """The recipe once; the control has no guard, which would rightly stop it."""
    changes = {"train.seed": seed, "shuffle_labels": "true", "train.guard": "null"} if control else {"train.seed": seed}
    overrides = ["experiment=iterated_minilm", f"workspace={workspace}", "cluster.in_process=always", *given]
    return run_recipe(f"seed {seed}{', shuffled labels' if control else ''}", overrides, changes, "python -m benchmarks.learn_loop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workspace", help="where artifacts lie; what is there is not computed again; default: a temporary folder")
    parser.add_argument("settings", nargs="*", help="settings of the pipeline that differ, key=value")
    chosen = parser.parse_args()
    start_logging("warning")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = chosen.workspace or folder
        runs, controls = ([loop(place, seed, control, chosen.settings) for seed in range(chosen.seeds)] for control in (False, True))
        rows = [[step, *_row(runs, step), *_row(controls, step)] for step in STEPS]
        pairs = {
            "reranked": ("iter1_reranked", "iter1_retrieved"),
            "reranked_first": ("iter0_reranked", "iter0_retrieved"),
            "embedder": ("iter1_retrieved", "iter0_retrieved"),
            "embedder_over_untrained": ("iter1_retrieved", "iter0_before"),
        }
        learned = {name: ratio(runs, *pair, MEASURE) for name, pair in pairs.items()}
        not_learned = {name: ratio(controls, *pair, MEASURE) for name, pair in pairs.items()}
    print_table(["", MEASURE, "seen", "unseen", "shuffled labels", "seen", "unseen"], rows)
    for name, (new, old) in pairs.items():
        shown = (f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})" for one in (learned[name], not_learned[name]))
        print(f"{new} over {old}: {', shuffled labels '.join(shown)}")
    finish(
        "learn_loop",
        learned["reranked"].mean,
        **{f"{name}_ratio": [one.mean, one.low, one.high] for name, one in learned.items()},
        **{f"{name}_control": [one.mean, one.low, one.high] for name, one in not_learned.items()},
        map25={str(row[0]): row[1] for row in rows},
        by_seed={step: [float(run[step].metrics["means"][MEASURE]) for run in runs] for step in STEPS},
        queries=learned["reranked"].queries,
        seconds=time.monotonic() - started,
        packages=("transformers",),
    )


def _row(runs: list[Evaluations], step: str) -> list[float]:
    return [means(runs, step, MEASURE), *(means(runs, step, MEASURE, group) for group in ("seen", "unseen"))]


if __name__ == "__main__":
    main()
