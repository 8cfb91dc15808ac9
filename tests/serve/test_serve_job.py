"""`jobs.serve` as a user starts it, in the form with the fewest ways: everything in one process that listens itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from serve.app import application
from serve.running import at_a_port
from serve.settings import ServeSettings
from tests.processes import ROOT
from tests.serve.conftest import Served
from tests.serve.load import replicas


@pytest.fixture
def started(served: Served) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    others = replicas("entrance")
    workspace = next(word for word in served.index_words if word.startswith("workspace="))
    words = [workspace, "collection=demo", "rerank=false", "layout=whole", "proxy=false", "port=0", "keys.mode=open"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with subprocess.Popen(
        [sys.executable, "-m", "jobs.serve", *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+)/", job.stdout.readline())
        assert found, job.stderr and job.stderr.read()
        try:
            (own,) = set(replicas("entrance")) - set(others)
            yield job, found[1], own
        finally:
            job.send_signal(signal.SIGTERM)
            job.communicate(timeout=60)


def test_one_process_holds_everything_and_listens_itself(served: Served, started: tuple[subprocess.Popen[str], str, int]) -> None:
    job, address, own = started
    asked = {"query": "adds the tops", "top_k": 5}
    with served.client() as client:
        right = client.post("/search", json=asked).json()
    before = {part: replicas(part) for part in ("entrance", "embedder", "index", "writer")}
    answer = httpx.post(f"{address}/search", json=asked).json()
    assert [one["doc_id"] for one in answer["results"]] == [one["doc_id"] for one in right["results"]]
    taken = httpx.post(f"{address}/documents", json={"documents": [{"doc_id": "quagga", "text": "a quagga subtracts"}]})
    assert taken.status_code == 200
    assert served.collection.last_change() == taken.json()["change"]
    assert (len(before["entrance"]), len(before["embedder"]), len(before["index"]), len(before["writer"])) == (2, 2, 2, 2)  # its own: two of all

    os.kill(own, signal.SIGKILL)
    deadline = time.monotonic() + 90
    found: list[str] = []
    while "quagga" not in found:
        assert time.monotonic() < deadline
        time.sleep(0.2)
        try:
            found = [one["doc_id"] for one in httpx.post(f"{address}/search", json={"query": "quagga", "mode": "lexical"}).json()["results"]]
        except httpx.HTTPError:
            continue  # not there yet
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == 0


def test_a_cluster_is_not_told_how_to_listen() -> None:
    with pytest.raises(SettingsError, match="proxy=false is for the Ray that jobs.serve starts"):
        application({"collection": "demo", "proxy": False})


def test_any_port_is_one_that_is_free() -> None:
    settings = at_a_port(parse(ServeSettings, {"collection": "demo", "port": 0}))
    assert settings.port > 0
    assert at_a_port(settings) is settings
