"""The service on this machine's Ray, for as long as a block lasts."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from ray import serve
from ray.serve import Application

from ray_pipeline.placement.ray_settings import quiet
from serve.settings import ServeSettings

NAME: Final = "service"


def at_a_port(settings: ServeSettings) -> ServeSettings:
    """With the port that it listens on, where any would do."""
    return settings if settings.port else settings.model_copy(update={"port": free_port(settings.host)})


def serve_environment(settings: ServeSettings) -> Mapping[str, str]:
    """What a Ray has to be started with for entrances that listen themselves."""
    if settings.proxy:
        return {}
    most = settings.entrances.max_replicas or settings.entrances.replicas
    return {
        "RAY_SERVE_ENABLE_DIRECT_INGRESS": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(settings.port),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(settings.port + most),  # the first that is not theirs
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",  # nobody balances loads over ports of one machine
        "RAY_SERVE_PORT_QUARANTINE_S": "0",  # an entrance that is started again listens where it did
    }


@contextmanager
def running(application: Application, settings: ServeSettings) -> Iterator[str]:
    """Starts the application and gives its address; Ray must be connected. Serve's own timeout is a second line behind ours, which
    clients cannot change."""
    port = settings.port if settings.proxy else free_port(settings.host)
    with quiet("ray.serve"):
        serve.start(http_options={"host": settings.host, "port": port, "request_timeout_s": 2 * settings.limits.timeout_s})
        try:
            serve.run(application, name=NAME, route_prefix="/")
            yield f"http://{settings.host}:{settings.port}"
        finally:
            serve.shutdown()


def free_port(host: str) -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
