"""Kill the driver, a worker, or ask politely: nothing half-published, nothing finished done again, the same bytes in the end."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path

import pytest

from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.embed import embed_corpus
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.embed import EmbedSettings
from tests.processes import JobProcess

SHARD_ROWS = 32


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Artifact:
    """What the job writes when nothing happens to it: in this process, no Ray about."""
    here = ClusterSettings(in_process="always", threads_per_worker=1)
    run = Run(Workspace.at(str(tmp_path_factory.mktemp("undisturbed"))), here)
    model = parse(EmbedderSettings, {"name": str(tiny_model), "precision": "fp32", "max_length": 48})
    return embed_corpus(run, prepare(run, GeneratedData(rows=300)), model, EmbedSettings(shard_rows=SHARD_ROWS, max_rows=1))


class Job(JobProcess):
    """`jobs.embed`, slowly."""

    def __init__(self, workspace: Path, model: Path) -> None:
        words = [
            *(f"workspace={workspace}", "data.rows=300", f"model.name={model}", "model.precision=fp32", "model.max_length=48"),
            *(f"embed.shard_rows={SHARD_ROWS}", "embed.max_rows=1"),  # a row at a time: slow
            *("cluster.cpus=2", "cluster.logical_gpus=0", "cluster.object_store_mb=80", "cluster.threads_per_worker=1"),
        ]
        super().__init__("jobs.embed", words, workspace, workers="ray::Map")

    def records(self) -> set[Path]:
        return set(self.workspace.glob("vectors/*/attempts/*/records/[0-9]*.json"))

    def wait_for_records(self, count: int) -> None:
        self.wait_for(lambda: len(self.records()) >= count, f"{count} records")


def finished(job: Job) -> dict[Path, tuple[int, str]]:
    """The shard files that have a record, with when and what they are."""
    files = {job.workspace / path.relative_to(job.workspace).parents[3] / json.loads(path.read_text())["file"]["path"] for path in job.records()}
    return {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}


def assert_nothing_published(workspace: Path, *ends: str) -> None:
    """No manifest yet, and the runs so far have ended like this; a killed one has started and never ended."""
    assert not list(workspace.glob("vectors/*/manifest.json"))
    told = [run / "ended.json" for run in sorted(workspace.glob("runs/*"), key=lambda run: (run / "started.json").stat().st_mtime_ns)]
    assert [json.loads(end.read_text())["status"] if end.exists() else "killed" for end in told] == list(ends)


def test_stopped_then_killed_then_robbed_of_a_worker_it_finishes_with_the_same_bytes(tmp_path: Path, tiny_model: Path, undisturbed: Artifact) -> None:
    workspace = tmp_path / "w"
    total = len(undisturbed.files("vectors/"))
    assert total > 20

    stopped = Job(workspace, tiny_model)
    stopped.wait_for_records(3)
    stopped.process.send_signal(signal.SIGTERM)
    assert stopped.wait_for_the_end() == 130, stopped.said.read_text()
    said = stopped.said.read_text().strip().splitlines()
    assert said[-1].startswith("stopped; run the same command again")
    assert "Traceback" not in stopped.said.read_text()
    assert_nothing_published(workspace, "stopped")
    done = finished(stopped)
    assert 3 <= len(done) < total

    killed = Job(workspace, tiny_model)
    killed.wait_for_records(len(done) + 3)
    killed.kill()
    assert f"continuing, {len(done)} shards are done" in killed.said.read_text()
    assert_nothing_published(workspace, "stopped", "killed")
    redone = finished(killed)
    assert len(done) + 3 <= len(redone) < total
    assert {path: redone[path] for path in done} == done  # what was finished is as it was

    robbed = Job(workspace, tiny_model)
    robbed.wait_for_records(len(redone) + 3)
    robbed.kill_one("MapWorker")  # which holds the model; those that prepare shards are ray::Map too
    assert robbed.wait_for_the_end() == 0, robbed.said.read_text()
    said_last = robbed.said.read_text()
    assert f"continuing, {len(redone)} shards are done" in said_last
    assert "a worker died (process" in said_last
    assert "Traceback" not in said_last
    assert "(raylet)" not in said_last
    whole = finished(robbed)
    assert {path: whole[path] for path in redone} == redone

    artifact = next(one for one in Workspace.at(str(workspace)).artifacts() if one.stage == "vectors")
    assert artifact.fingerprint == undisturbed.fingerprint
    assert [(file.rows, file.sha256) for file in artifact.files()] == [(file.rows, file.sha256) for file in undisturbed.files()]
    assert damaged(artifact) == []
    assert Rows.of(artifact, "vectors/").table(["id"]).equals(Rows.of(undisturbed, "vectors/").table(["id"]))
    # each death cost at most the one shard that its one worker held: a shard's file beyond the last record, or its record twice
    files = len(list(workspace.glob("vectors/*/attempts/*/shards/[0-9]*.parquet")))
    assert total <= files <= total + 3
    assert len(robbed.records()) <= total + 1
