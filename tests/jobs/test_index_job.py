"""From a data set to a collection by jobs alone: build, publish, go back, drop, prune."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command_line import run_job
from jobs.index import IndexJob, index
from jobs.prune import candidates
from jobs.publish import PublishJob, publish
from ray_pipeline.artifacts import Workspace
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection


@pytest.fixture
def arguments(tmp_path: Path, tiny_model: Path) -> list[str]:
    model = [f"model.name={tiny_model}", "model.max_length=40", "model.precision=fp32"]
    return [*model, "data.rows=60", f"workspace={tmp_path}", "cluster.in_process=always", "collection=demo", "log=warning"]


def test_a_collection_from_building_to_pruning(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("index", IndexJob, index, [*arguments, "index.kind=Flat", "note=first"]) == 0
    assert "| Flat over" not in capsys.readouterr().out
    assert run_job("index", IndexJob, index, [*arguments, "index.kind=IVF", "index.min_recall=0.9"]) == 0
    out = capsys.readouterr().out
    assert "| published |" in out
    assert "| 2 | in use |" in out
    place = [f"workspace={tmp_path}", "collection=demo"]
    assert run_job("publish", PublishJob, publish, [*place, "version=1"]) == 0
    assert "| 1 | in use |" in capsys.readouterr().out
    collection = Collection(Workspace.at(str(tmp_path)).root, "demo")
    assert State.of(collection).name == "1.0"
    served = {folder.uri for _, folder in candidates(Workspace.at(str(tmp_path)), ["index", "documents"], [], 0.0)}
    assert not served
    assert run_job("publish", PublishJob, publish, [*place, "forget=1"]) == 1
    assert "version 1 is in use" in capsys.readouterr().err
    assert run_job("publish", PublishJob, publish, [*place, "forget=2"]) == 0
    assert [Path(folder.uri).parent.name for _, folder in candidates(Workspace.at(str(tmp_path)), ["index", "documents"], [], 0.0)] == ["index"]


def test_nothing_is_published_that_finds_too_little(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poor = ["index.kind=IVF16,Flat", "index.parameters=nprobe=1", "index.min_recall=1.0"]
    assert run_job("index", IndexJob, index, [*arguments, *poor]) == 1
    assert "nothing is published" in capsys.readouterr().err
    assert not Collection(Workspace.at(str(tmp_path)).root, "demo").exists()
