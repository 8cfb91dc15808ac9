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

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import finish, print_table
from jobs.command_line import settings_from, start_logging
from jobs.pipeline import PipelineJob
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.metrics.comparison import Comparison, compare_values
from ray_pipeline.pipelines.plan import run_steps
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.steps import TrainEmbedderStep

MEASURES = ("map@25", "recall@25")
PLAIN, LAST = "plain_measured", "after"


def evaluations(workspace: str, data: str, seed: int, given: list[str]) -> dict[str, Artifact]:
    """The recipe run with this seed, and what its evaluating steps gave."""
    overrides = ["experiment=eedi_minilm", f"data.path={data}", f"workspace={workspace}", *given]
    trainings = [name for name, step in parse(PipelineJob, settings_from("pipeline", overrides)).steps.items() if isinstance(step, TrainEmbedderStep)]
    overrides += [f"steps.{name}.training.train.seed={seed}" for name in trainings]
    settings = parse(PipelineJob, settings_from("pipeline", overrides))
    found: dict[str, Artifact] = {}
    for done in run_steps(Run(Workspace.at(workspace), settings.cluster), settings, "python -m benchmarks.eedi"):
        print(f"seed {seed}: {done.name} in {sum(stage.seconds for stage in done.stages):.0f} s", flush=True)
        if done.step.kind == "evaluate":
            found[done.name] = done.artifact
    return found


def averaged(runs: list[dict[str, Artifact]], step: str, measure: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Every judged query's value, the mean of the seeds, and its question."""
    tables = [run[step].table("per_query.parquet") for run in runs]
    values = np.mean([table.column(measure).to_numpy() for table in tables], axis=0)
    judged = ~np.isnan(values)
    return values[judged], tables[0].column("group").to_numpy()[judged]


def against_plain(runs: list[dict[str, Artifact]], step: str, measure: str) -> Comparison:
    new, questions = averaged(runs, step, measure)
    return compare_values(measure, new, averaged(runs, PLAIN, measure)[0], seed=0, clusters=questions)


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
    runs = [evaluations(chosen.workspace, chosen.data, seed, chosen.settings) for seed in range(chosen.seeds)]
    steps = list(runs[0])
    rows = []
    for step in steps:
        means = [run[step].metrics["means"] for run in runs]
        groups = [run[step].metrics["groups"] for run in runs]
        by_group = [float(np.mean([group[name]["map@25"] for group in groups])) for name in ("seen", "unseen")]
        rows.append([step, *(float(np.mean([mean[measure] for mean in means])) for measure in MEASURES), *by_group])
    print_table(["", *MEASURES, "seen", "unseen"], rows)
    compared = {step: against_plain(runs, step, "map@25") for step in steps if step != PLAIN}
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
