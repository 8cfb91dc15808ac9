"""The same words under `ray job submit`: a real head, the repository as working directory, the same artifact."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.embed import embed_corpus
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.embed import EmbedSettings

ROOT = Path(__file__).parents[2]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
PATIENCE = 240.0
LARGEST_UPLOAD = 8 << 20  # the source itself is two megabytes; data, models or an environment would be more than this


@dataclass(frozen=True)
class Head:
    folder: Path
    dashboard: str
    environment: dict[str, str]


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; held together until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A Ray head of its own with the job API on the loopback, guarded by a token; ended by ending its own process."""
    folder = tmp_path_factory.mktemp("head")
    dashboard, client, agent = free_ports(3)
    environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "PYTHONPATH")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_USAGE_STATS_ENABLED": "0"}
    environment["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] = "0"  # nobody is served here: end at once
    command = [*RAY, "start", "--head", "--block", "--port=0", f"--temp-dir={folder}", "--num-cpus=2", "--num-gpus=0"]
    command += ["--object-store-memory=100000000", "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
    command += [f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}", "--min-worker-port=0", "--max-worker-port=0"]
    said = folder / "said.txt"
    with said.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        deadline = time.monotonic() + PATIENCE
        while "Ray runtime started" not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        yield Head(folder, f"http://127.0.0.1:{dashboard}", environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def submit(head: Head, *job: str) -> subprocess.CompletedProcess[str]:
    command = [*RAY, "job", "submit", "--address", head.dashboard, "--working-dir", ".", "--", sys.executable, "-m", *job]
    return subprocess.run(command, cwd=ROOT, env=head.environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_submitted_job_makes_the_artifact_that_a_local_run_makes(head: Head, tmp_path: Path, tiny_model: Path) -> None:
    words = ["experiment=hard_negatives", "data.rows=300", f"model.name={tiny_model}", "model.max_length=48", "embed.shard_rows=256"]
    ran = submit(head, "jobs.embed", *words, f"workspace={tmp_path / 'submitted'}", "cluster.cpus_per_worker=0.5")
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    assert "succeeded" in said
    assert "Ray at " in said  # it joined the head; it did not start a Ray of its own

    local = Run(Workspace.at(str(tmp_path / "local")), ClusterSettings(in_process="always", threads_per_worker=1))
    model = parse(EmbedderSettings, {"name": str(tiny_model), "precision": "bf16", "max_length": 48})
    expected = embed_corpus(local, prepare(local, GeneratedData(rows=300)), model, EmbedSettings(shard_rows=256))
    submitted = Workspace.at(str(tmp_path / "submitted")).find("vectors", expected.fingerprint)
    assert submitted is not None
    assert [(file.rows, file.sha256) for file in submitted.files()] == [(file.rows, file.sha256) for file in expected.files()]

    (upload,) = (path for path in head.folder.glob("session_2*/runtime_resources/working_dir_files/_ray_pkg_*") if path.is_dir())
    sent = {path.relative_to(upload).parts[0] for path in upload.rglob("*") if path.is_file()}
    assert {"jobs", "configs", "ray_pipeline"} <= sent
    assert not sent & {"tests", "docs", "benchmarks", "locks", ".venv", ".git", "outputs", ".mypy_cache"}
    assert sum(path.stat().st_size for path in upload.rglob("*") if path.is_file()) < LARGEST_UPLOAD


def test_a_submitted_job_that_fails_says_why_and_fails_and_warns_of_a_workspace_inside_the_upload(head: Head) -> None:
    ran = submit(head, "jobs.embed", "data.rows=300", "cluster.workers=40")
    said = ran.stdout + ran.stderr
    assert ran.returncode == 1
    assert "error: cluster: 40 workers of 1 CPU each, but there is room for 2 (nodes have 2 CPU, 0 GPU)" in said
    assert "failed" in said
    assert "Traceback" not in said
    assert "workspace=outputs lies in the upload of a submitted job, which Ray deletes" in said
