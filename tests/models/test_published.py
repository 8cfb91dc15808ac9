"""A model artifact is a model wherever it lies; what is not one is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_pipeline.artifacts import MANIFEST, Artifact, Workspace, lineage
from ray_pipeline.errors import ArtifactError, ModelError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.source import locate, locate_config
from tests.models.training import settings_of, vectors

NAME = "a" * 20


def publish(root: str, model: Path, stage: str = "model", files: Any = None) -> Artifact:
    attempt = Workspace.at(root).begin(stage, NAME)
    for path in sorted(model.rglob("*")):
        if path.is_file() and (files is None or path.name in files):
            attempt.write(f"model/{path.relative_to(model).as_posix()}", path.read_bytes())
    attempt.write("history.json", b"{}")
    body: dict[str, Any] = {"stage": stage, "fingerprint": NAME, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}, "rows": 1}
    return attempt.publish(body)


@pytest.fixture(params=["local", "remote"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return str(tmp_path / "outputs") if request.param == "local" else f"mock://models/{tmp_path.name}"


def test_a_published_model_gives_the_vectors_of_its_folder(root: str, tiny_model: Path) -> None:
    artifact = publish(root, tiny_model)
    found = locate(artifact.location.uri)
    assert found.fingerprint == artifact.part_fingerprint("model/") and found.revision == f"sha256:{found.fingerprint[:12]}"
    assert sorted(path.name for path in found.folder.iterdir()) == sorted(path.name for path in tiny_model.iterdir())
    published = settings_of(tiny_model).model_copy(update={"name": artifact.location.uri})
    np.testing.assert_array_equal(vectors(Embedder(published)), vectors(Embedder(settings_of(tiny_model))))
    assert locate_config(artifact.location.uri) == found.folder


def test_the_fingerprint_is_that_of_the_model_alone(root: str, tiny_model: Path) -> None:
    first = locate(publish(root, tiny_model).location.uri)
    second = locate(publish(root + "_again", tiny_model).location.uri)
    assert first.fingerprint == second.fingerprint


def test_as_an_input_it_is_an_artifact_that_lineage_finds(root: str, tiny_model: Path) -> None:
    artifact = publish(root, tiny_model)
    given = locate(artifact.location.uri).as_input()
    assert (given.kind, given.part, given.uri) == ("artifact", "model/", artifact.location.uri)
    child = Workspace.at(root).begin("vectors", "b" * 20)
    body: dict[str, Any] = {"stage": "vectors", "fingerprint": "b" * 20, "algorithm": 1, "identity": {}, "metrics": {}, "rows": 0}
    made = child.publish({**body, "inputs": {"model": vars(given)}})
    ((_, name, parent),) = lineage(made)
    assert name == "model" and isinstance(parent, Artifact) and parent.stage == "model"
    assert locate(str(tiny_model)).as_input().kind == "model"


def test_other_stages_are_refused(root: str, tiny_model: Path) -> None:
    artifact = publish(root, tiny_model, stage="vectors")
    with pytest.raises(ArtifactError, match="this is a 'vectors' artifact, a 'model' or 'reranker' or 'policy' artifact is needed"):
        locate(artifact.location.uri)


def test_an_artifact_without_a_whole_model_is_refused(root: str, tiny_model: Path) -> None:
    artifact = publish(root, tiny_model, files={"tokenizer.json"})
    with pytest.raises(ModelError, match=r"holds no model/config\.json"):
        locate(artifact.location.uri)


def test_a_revision_of_an_artifact_is_refused(root: str, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="revision='main' is for hub ids"):
        locate(publish(root, tiny_model).location.uri, "main")


def test_nothing_published_at_a_uri_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing was published"):
        locate(f"mock://models/{tmp_path.name}/nothing")


def edited(artifact: Artifact, change: Any) -> str:
    place = artifact.location / MANIFEST
    manifest = place.read_json()
    for entry in manifest["files"]:
        change(entry)
    place.write_json(manifest)
    return artifact.location.uri


def test_files_of_two_attempts_are_no_model(tmp_path: Path, tiny_model: Path) -> None:
    artifact = publish(str(tmp_path / "outputs"), tiny_model)
    top = Path(artifact.location.uri)

    def elsewhere(entry: Any) -> None:
        if entry["name"] == "model/tokenizer.json":
            entry["file"]["path"] = "attempts/other/model/tokenizer.json"
            (top / "attempts/other/model").mkdir(parents=True)
            shutil.copy(tiny_model / "tokenizer.json", top / "attempts/other/model")

    with pytest.raises(ModelError, match="lie in 2 folders"):
        locate(edited(artifact, elsewhere))


def test_a_file_that_is_gone_or_short_is_named(tmp_path: Path, tiny_model: Path) -> None:
    artifact = publish(str(tmp_path / "outputs"), tiny_model)
    file = Path(artifact.location.uri) / next(one.path for one in artifact.files("model/") if one.path.endswith("tokenizer.json"))
    file.write_bytes(b"{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: missing, or not of the \d+ bytes"):
        locate(artifact.location.uri)
    file.unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json: missing"):
        locate(artifact.location.uri)


def test_names_that_leave_the_folder_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    artifact = publish(f"mock://models/{tmp_path.name}", tiny_model)

    def outside(entry: Any) -> None:
        entry["name"] = entry["name"].replace("model/tokenizer.json", "model/../../tokenizer.json")

    with pytest.raises(ModelError, match="files outside of the model's folder"):
        locate(edited(artifact, outside))


def test_a_remote_model_is_downloaded_once_and_whole(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    artifact = publish(f"mock://models/{tmp_path.name}", tiny_model)
    cache = tmp_path / "home" / ".cache" / "ray_pipeline" / "models"
    weights = next(one for one in artifact.files("model/") if one.path.endswith(".safetensors"))
    good = (artifact.location / weights.path).read()
    (artifact.location / weights.path).write(good[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"model\.safetensors: .*the manifest says"):
        locate(artifact.location.uri)
    assert list(cache.iterdir()) == []  # nothing half-written
    (artifact.location / weights.path).write(good)
    found = locate(artifact.location.uri)
    assert found.folder == cache / found.fingerprint and [path.name for path in cache.iterdir()] == [found.fingerprint]
    (artifact.location / weights.path).delete()
    assert locate(artifact.location.uri).folder == found.folder


def test_a_folder_of_adapters_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "someone/else"}))
    with pytest.raises(ModelError, match="holds an adapter, whose base would come from elsewhere unseen"):
        locate(str(tmp_path))


def test_a_configuration_alone_is_enough_to_count(tiny_bert: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_bert / "config.json", tmp_path)
    assert locate_config(str(tmp_path)) == tmp_path
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        locate(str(tmp_path))
