"""One small service on the session's Ray: a collection in two shares, two embedders, a reranker that multiplies under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from jobs.command_line import run_job
from jobs.index import IndexJob, index
from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.collection.store import Collection
from serve.app import application
from serve.running import free_port, running
from serve.settings import ServeSettings
from tests.models.conftest import tiny_classifier

__all__ = ["tiny_classifier"]
READER, WRITER = "reader-" * 4, "writer-" * 4
MOST_REQUESTS = 40


@dataclass(frozen=True)
class Served:
    """A service that runs, and what it serves."""

    address: str
    collection: Collection
    index_words: list[str]  # of the job that built it

    def client(self, key: str = READER) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, tiny_classifier: Path, ray_session: ClusterSettings) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    model = [f"model.name={tiny_model}", "model.max_length=40", "model.precision=fp32"]
    words = [*model, "data.rows=60", f"workspace={folder}", "cluster.in_process=always", "collection=demo", "log=warning"]
    assert run_job("index", IndexJob, index, [*words, "index.kind=Flat", "index.part_rows=30"]) == 0
    (folder / "keys").write_text(f"read {READER}\nchange {WRITER}\n")
    given = {
        "workspace": str(folder),
        "collection": "demo",
        "reranker": {"name": str(tiny_classifier), "max_length": 60, "precision": "fp32"},
        "port": free_port("127.0.0.1"),
        "keys": {"file": str(folder / "keys")},
        "refresh_s": 0.1,
        "limits": {"max_requests": MOST_REQUESTS},
        "embed_batches": {"threads": 1},
        "rerank_batches": {"threads": 1},
        "shares": 2,
        "embedders": {"replicas": 2},
        "rerankers": {"max_replicas": 2, "tokens_per_replica": 20, "grow_after_s": 1, "shrink_after_s": 3},
    }
    with running(application(given), parse(ServeSettings, given)) as address:
        yield Served(address, Collection(Workspace.at(str(folder)).root, "demo"), words)
