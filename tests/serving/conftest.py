"""Tiny models behind engines, and a small collection that a job built."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command_line import run_job
from jobs.index import IndexJob, index
from ray_pipeline.artifacts import Workspace
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine
from tests.models.conftest import tiny_causal, tiny_classifier

__all__ = ["tiny_causal", "tiny_classifier"]


@pytest.fixture(scope="module")
def embedding(tiny_model: Path) -> EmbedderSettings:
    return EmbedderSettings(name=str(tiny_model), max_length=40, precision="fp32")


@pytest.fixture(scope="module")
def classifier(tiny_classifier: Path) -> RerankerSettings:
    return RerankerSettings(name=str(tiny_classifier), max_length=60, precision="fp32")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Collection:
    workspace = str(tmp_path_factory.mktemp("served"))
    model = [f"model.name={tiny_model}", "model.max_length=40", "model.precision=fp32"]
    given = [*model, "data.rows=60", f"workspace={workspace}", "cluster.in_process=always", "collection=demo", "index.kind=Flat", "log=warning"]
    assert run_job("index", IndexJob, index, given) == 0
    return Collection(Workspace.at(workspace).root, "demo")


@pytest.fixture(scope="module")
def parts(embedding: EmbedderSettings, classifier: RerankerSettings) -> tuple[EmbedEngine, RerankEngine]:
    return EmbedEngine(embedding), RerankEngine(classifier)
