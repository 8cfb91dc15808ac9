"""Evaluations side by side: their figures, the paired difference of each pair, and a refusal where the sets differ."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.errors import PipelineError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.compare import compare_evaluations, paired
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.prepare import GeneratedData
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.search_shards import LexicalSearch


def measured(run: Run, rows: int, b: float) -> Artifact:
    settings = RetrievalSettings(data=GeneratedData(rows=rows), model=EmbedderSettings(name="none"), search=LexicalSearch(k=30, b=b))
    return evaluate(run, retrieve(run, settings), settings, EvaluateSettings(ks=(5, 25), baseline="none"), "a test")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(Workspace.at(str(tmp_path_factory.mktemp("compare"))), ClusterSettings())


def test_each_is_held_against_every_one_before_it(run: Run) -> None:
    usual, flat = measured(run, 300, 0.75), measured(run, 300, 0.0)
    found = compare_evaluations(run, {"usual": usual, "flat": flat, "again": usual})
    gains = found.metrics["differences"]["map@25"]
    assert list(gains) == ["flat over usual", "again over usual", "again over flat"]
    assert gains["again over usual"] == [0, 0, 0]
    values = [one.table("per_query.parquet").column("map@25").to_numpy() for one in (usual, flat)]
    assert gains["flat over usual"][0] == pytest.approx(np.nanmean(values[1] - values[0]))
    text = found.file("report.md").read().decode()
    assert "| measure | usual | flat | again |" in text
    assert f"| map@25 | {usual.metrics['means']['map@25']:.4f} |" in text
    assert "map@25, unseen labels" in text
    assert usual.file("report.md").uri in text
    assert "|  | over usual | over flat |" in found.metrics["summary"]
    assert "recall@25, difference" not in found.metrics["summary"]  # on the page alone
    later = Run(run.workspace, run.cluster)
    assert compare_evaluations(later, {"usual": usual, "flat": flat, "again": usual}).fingerprint == found.fingerprint
    assert [stage.status for stage in later.done] == ["already done"]


def test_other_evaluation_sets_are_refused_and_nothing_is_published(run: Run) -> None:
    with pytest.raises(PipelineError, match="evaluation set"):
        compare_evaluations(run, {"one": measured(run, 300, 0.75), "other": measured(run, 360, 0.75)})


def test_a_measure_that_one_lacks_is_named(run: Run) -> None:
    with pytest.raises(PipelineError, match=r"has no 'map@7'; it has .*map@25"):
        paired(measured(run, 300, 0.75), measured(run, 300, 0.0), "map@7")
