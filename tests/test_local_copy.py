"""Files of artifacts on this machine: where they lie, or downloaded once, whole and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import fs

from ray_pipeline import storage
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.errors import ArtifactError
from ray_pipeline.local_copy import local_file

DATA = b"a file of some length" * 100


def published(workspace: Workspace) -> Artifact:
    attempt = workspace.begin("things", "a" * 20)
    attempt.write("part/0.bin", DATA)
    return attempt.publish({"stage": "things", "fingerprint": "a" * 20, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}})


def test_on_a_local_disk_a_file_is_used_where_it_lies(tmp_path: Path) -> None:
    artifact = published(Workspace.at(str(tmp_path)))
    path = local_file(artifact, "part/0.bin")
    assert path.is_relative_to(tmp_path)
    assert path.read_bytes() == DATA
    path.write_bytes(DATA[:-1])
    with pytest.raises(ArtifactError, match="not of the 2,100 bytes"):
        local_file(artifact, "part/0.bin")
    with pytest.raises(ArtifactError, match="holds no 'part/1.bin'; it holds part/0.bin"):
        local_file(artifact, "part/1.bin")


def test_from_elsewhere_it_is_downloaded_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fs._MockFileSystem()
    monkeypatch.setattr(storage, "_store", lambda uri: (memory, ""))
    monkeypatch.setenv("HOME", str(tmp_path))
    artifact = published(Workspace.at("mock://store/outputs"))
    path = local_file(artifact, "part/0.bin")
    assert path.read_bytes() == DATA
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    stamp = path.stat().st_mtime_ns
    assert local_file(artifact, "part/0.bin").stat().st_mtime_ns == stamp
    path.unlink()
    (artifact.location / artifact.files()[0].path).write(DATA[:-1] + b"x")
    with pytest.raises(ArtifactError, match="the manifest says 2100 bytes"):
        local_file(artifact, "part/0.bin")
    assert list(path.parent.iterdir()) == []
