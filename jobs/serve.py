"""Serve a collection, an embedder and a reranker over HTTP on this machine, until stopped.

`collection=NAME` is what jobs.index published; its embedder comes with it. `ask="a question"` starts, asks, shows the answer and stops.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import urllib.request

from jobs.command_line import JobSettings, main
from ray_pipeline.config import placement
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import connect, is_embedded
from ray_pipeline.placement.ray_settings import environment
from ray_pipeline.serving.keys import known_keys
from serve.app import NO_PROXY, complete, deployed
from serve.running import at_a_port, running, serve_environment
from serve.settings import ServeSettings


class ServeJob(JobSettings, ServeSettings):
    ask: str | None = placement(None, "ask this one question, show what is found, and stop")

    def service(self) -> ServeSettings:
        """The part that is the service's."""
        return ServeSettings(**{name: getattr(self, name) for name in ServeSettings.model_fields})


def serve(settings: ServeJob, run: Run) -> None:
    service = at_a_port(complete(settings.service()))
    if service.model is not None:
        locate(service.model.name, service.model.revision)  # a model that is not there is refused before anything starts
    built = deployed(service)
    if not service.proxy and not is_embedded(settings.cluster):
        raise SettingsError(NO_PROXY)
    with environment(serve_environment(service), theirs_stay=False):
        connect(settings.cluster, hear_workers=settings.ask is None)
    with running(built, service) as address:
        if settings.ask is not None:
            print(answer(address, settings.ask, service))
            return
        print(f"{address}/  a page to search on\n{address}/docs  how to call it\nstop it with Ctrl-C", flush=True)
        _until_stopped()


def answer(address: str, question: str, settings: ServeSettings) -> str:
    """What the service finds, as a person reads it."""
    body = json.dumps({"query": question, "top_k": 3, "rerank": settings.reranker is not None}).encode()
    request = urllib.request.Request(f"{address}/search", body, {"Content-Type": "application/json", **_key(settings)})
    with urllib.request.urlopen(request, timeout=settings.limits.timeout_s) as response:
        found = json.loads(response.read())
    lines = [f"{hit['rank']}. {hit['doc_id']}: {hit['text'][:100]}" for hit in found["results"]]
    took = ", ".join(f"{phase.removesuffix('_ms')} {ms:.0f} ms" for phase, ms in found["timings"].items())
    return "\n".join([f"asked: {question}", *lines, f"state {found['versions']['state']} of {found['versions']['collection']}; {took}"])


def _key(settings: ServeSettings) -> dict[str, str]:
    """A key of this machine's own, for its one question."""
    if settings.keys.mode == "open":
        return {}
    read, change = known_keys(settings.keys)
    return {"Authorization": f"Bearer {(read + change)[0]}"}


def _until_stopped() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.wait(1.0):
        pass
    sys.stderr.write("stopped\n")


if __name__ == "__main__":
    main("serve", ServeJob, serve)
