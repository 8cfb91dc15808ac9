"""What a service tells of itself: counters in Prometheus's format, and a line of JSON a request."""

from __future__ import annotations

import json
import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ray_pipeline.serving.service import Service

requests = logging.getLogger("ray_pipeline.requests")
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Telemetry:
    """Of one entrance; with several, each counts its own."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._requests = Counter("ray_pipeline_requests_total", "requests answered", ["method", "path", "status"], registry=self._registry)
        self._seconds = Histogram("ray_pipeline_request_seconds", "time to an answer", ["path"], buckets=_SECONDS, registry=self._registry)
        for name, meaning, read in (
            ("ray_pipeline_requests_in_work", "requests in work", lambda: service.admission.requests),
            ("ray_pipeline_tokens_waiting", "tokens that wait for a model or are in one", lambda: service.admission.tokens),
            ("ray_pipeline_tokens_per_second", "tokens done a second, lately", service.admission.speed),
        ):
            Gauge(name, meaning, registry=self._registry).set_function(read)

    def note(self, method: str, path: str, status: int, seconds: float, request_id: str, trace_id: str | None) -> None:
        self._requests.labels(method if method in ("GET", "POST") else "other", path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        line = {
            "time": round(time.time(), 3),
            "request_id": request_id,
            "method": method,
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 1),
            **({} if trace_id is None else {"trace_id": trace_id}),
        }
        requests.info(json.dumps(line))

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return bytes(generate_latest(self._registry))
