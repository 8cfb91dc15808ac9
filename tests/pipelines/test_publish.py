"""The end of a pipeline: what it trained becomes a version of a collection, and a service finds all it needs there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.dry_run import DryRun
from ray_pipeline.pipelines.modes import of_fold
from ray_pipeline.pipelines.plan import foresee_steps, run_steps
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection
from serve.app import complete
from serve.settings import ServeSettings
from tests.pipelines.test_reranking import HERE, STEPS, job

SERVED: dict[str, Any] = {
    **{name: STEPS[name] for name in ("mine", "reranker", "scored", "student")},
    "served": {"kind": "index", "model": "student", "reranker": "reranker", "collection": "demo", "index": {"kind": "Flat"}},
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("publishing")


@pytest.fixture(scope="module")
def made(workspace: Path, tiny_model: Path) -> dict[str, Artifact]:
    run = Run(Workspace.at(str(workspace)), HERE)
    return {one.name: one.artifact for one in run_steps(run, job(tiny_model, workspace, SERVED), "a test")}


def test_a_pipelines_models_are_published_together(made: dict[str, Artifact], workspace: Path) -> None:
    collection = Collection(Workspace.at(str(workspace)).root, "demo")
    version = collection.current()
    assert version.index == made["served"].location.uri
    assert version.reranker == made["reranker"].location.uri
    assert len(State.of(collection)) == made["served"].manifest["rows"]


def test_a_service_takes_both_models_from_the_collection(made: dict[str, Artifact], workspace: Path, tiny_model: Path) -> None:
    found = complete(parse(ServeSettings, {"workspace": str(workspace), "collection": "demo"}))
    assert found.model is not None and found.reranker is not None
    assert found.model.name == made["student"].location.uri
    assert found.reranker.name == made["reranker"].location.uri
    assert complete(parse(ServeSettings, {"workspace": str(workspace), "collection": "demo", "rerank": False})).reranker is None
    with pytest.raises(SettingsError, match="the collection demo was embedded with .*; leave model out"):
        complete(parse(ServeSettings, {"workspace": str(workspace), "collection": "demo", "model": {"name": str(tiny_model)}}))
    with pytest.raises(SettingsError, match="has 1 parts and cannot be shared by 2"):
        complete(parse(ServeSettings, {"workspace": str(workspace), "collection": "demo", "shares": 2}))


def test_again_publishes_nothing_new_and_a_dry_run_nothing_at_all(made: dict[str, Artifact], workspace: Path, tiny_model: Path) -> None:
    collection = Collection(Workspace.at(str(workspace)).root, "demo")
    list(run_steps(Run(Workspace.at(str(workspace)), HERE), job(tiny_model, workspace, SERVED), "a test"))
    assert collection.numbers() == [1]
    other = {**SERVED, "served": {**SERVED["served"], "collection": "other"}}
    dry = DryRun(Workspace.at(str(workspace)), HERE)
    foresee_steps(dry, job(tiny_model, workspace, other))
    assert "to do  publish to collection other" in dry.text()
    assert not Collection(Workspace.at(str(workspace)).root, "other").exists()


def test_folds_serve_nobody(tiny_model: Path, tmp_path: Path) -> None:
    settings = job(tiny_model, tmp_path, SERVED)
    assert set(settings.steps) - set(of_fold(settings, 0).steps) == {"served"}
