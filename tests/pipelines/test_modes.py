"""Folds and submissions: who sees which questions, and figures over all folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.command_line import run_job, settings_from
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Workspace, load
from ray_pipeline.config import parse
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.registry import read_dataset
from ray_pipeline.external_scores import attach
from ray_pipeline.pipelines.modes import of_fold, over_folds, submission, variants
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings

STEPS: dict[str, Any] = {
    "mine": {"kind": "mine", "k": 20, "mining": {"range": [0, 15], "negatives": 3, "export": []}},
    "train": {
        "kind": "train_embedder",
        "groups": "mine",
        "training": {"train": {"epochs": 1, "max_steps": 2, "batch_size": 8}, "batches": {"negatives_per_query": 2}},
    },
    "after": {"kind": "evaluate", "model": "train", "k": 30, "evaluate": {"baseline": "none"}},
}
SMALL = ["cluster.in_process=always", "cluster.threads_per_worker=1", "log=warning"]


def job(model: Path, **given: Any) -> PipelineJob:
    values = settings_from("pipeline", [f"model.name={model}", "model.max_length=40", "model.precision=fp32", "data.rows=240", "experiment=null"])
    return parse(PipelineJob, {**values, "steps": STEPS, **given})


def sides(settings: PipelineJob, workspace: Path) -> dict[str, set[str]]:
    """The groups of each split."""
    data = prepare(Run(Workspace.at(str(workspace)), ClusterSettings()), settings.data)
    found = {}
    for split in ("train", "eval"):
        there = data.artifact.files(f"queries/{split}/")
        found[split] = set(data.queries(split).table(["group_id"]).column("group_id").to_pylist()) if there else set()
    return found


def test_every_question_is_evaluated_in_one_fold_and_trained_on_in_the_others(tiny_model: Path, tmp_path: Path) -> None:
    settings = job(tiny_model, mode="folds", folds=3)
    found = [sides(parse(PipelineJob, one.settings.model_dump()), tmp_path) for one in variants(settings)]
    every = set().union(*(one["eval"] for one in found))
    assert sum(len(one["eval"]) for one in found) == len(every)
    for one in found:
        assert not one["train"] & one["eval"]
        assert one["train"] | one["eval"] == every


def test_files_are_split_by_folds(tiny_model: Path, tmp_path: Path) -> None:
    rows = "".join(f'{{"query": "the {n}", "positive": "area {n}"}}\n' for n in range(12))
    (tmp_path / "rows.jsonl").write_text(rows)
    data = {"kind": "files", "format": "table", "path": str(tmp_path / "rows.jsonl"), "columns": {"query": "query", "positive": "positive"}}
    settings = job(tiny_model, data=data, mode="folds", folds=3)
    found = [
        PreparedData(prepare(Run(Workspace.at(str(tmp_path / "w")), ClusterSettings()), of_fold(settings, fold).data).artifact) for fold in range(3)
    ]
    assert sum(len(one.queries("eval")) for one in found) == 12
    everything = prepare(Run(Workspace.at(str(tmp_path / "w")), ClusterSettings()), submission(settings).data)
    assert len(everything.queries("train")) == 12
    assert not everything.artifact.files("queries/eval/")
    assert read_dataset("table", data["path"], {"columns": data["columns"]}).queries.num_rows == 12


def test_a_submission_trains_on_all_and_evaluates_nothing(tiny_model: Path) -> None:
    found = submission(job(tiny_model, mode="submission"))
    assert list(found.steps) == ["mine", "train"]
    assert found.steps["train"].training.train.evaluation is None  # type: ignore[union-attr]
    assert job(tiny_model).steps["train"].training.train.evaluation is not None  # type: ignore[union-attr]


def test_figures_are_those_of_all_folds_queries(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        f"{key}={value}" for key, value in {"model.name": tiny_model, "data.rows": 240, "workspace": tmp_path, "mode": "folds", "folds": 2}.items()
    ]
    steps = [f"steps={_flow(STEPS)}", "model.max_length=40", "model.precision=fp32", "experiment=null"]
    assert run_job("pipeline", PipelineJob, pipeline, [*given, *steps, *SMALL]) == 0
    out = capsys.readouterr().out
    assert "#### fold 0 of 2" in out
    assert "#### fold 1 of 2" in out
    trained = {path.name for path in (tmp_path / "model").iterdir()}
    evaluations = [load(str(path)) for path in sorted((tmp_path / "evaluation").iterdir())]
    values = np.concatenate([one.table("per_query.parquet").column("map@25").to_numpy() for one in evaluations])
    expected = float(np.nanmean(values))
    found = over_folds(evaluations, "map@25")
    assert found.mean == pytest.approx(expected)
    assert found.low < expected < found.high
    assert f"| {expected:.4f}" in out
    assert "LB 0.505" not in out
    assert run_job("pipeline", PipelineJob, pipeline, [*given, *steps, *SMALL, "mode=submission"]) == 0
    (model,) = {path.name for path in (tmp_path / "model").iterdir()} - trained
    attach(load(str(tmp_path / "model" / model)), "LB", 0.505)
    capsys.readouterr()
    assert run_job("pipeline", PipelineJob, pipeline, [*given, *steps, *SMALL]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| after | map@25 |"))
    assert row.endswith("| LB 0.505 |")


def _flow(value: Any) -> str:
    """A value as one line of YAML."""
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()
