"""The graph of deployments. `serve deploy serve/config.yaml` calls `application` with the settings that stand there; `jobs.serve` does the
same on this machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ray.serve import Application, Deployment, deployment, ingress
from ray.serve.config import AutoscalingContext

from ray_pipeline.artifacts import load
from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.documents.opened import STAGE as DOCUMENTS
from ray_pipeline.retrieval.documents.opened import parts_between
from ray_pipeline.retrieval.index.opened import Share
from ray_pipeline.retrieval.index.settings import STAGE
from ray_pipeline.serving.keys import Keys
from ray_pipeline.storage import Location
from serve.deployments import EmbedderReplica, IndexReplica, RerankerReplica
from serve.entrance import Entrance, WriterReplica
from serve.settings import Replicas, ServeSettings

NO_PROXY: Final = "proxy=false is for the Ray that jobs.serve starts; on a cluster set RAY_SERVE_ENABLE_DIRECT_INGRESS=1 for all its nodes"


def application(args: Mapping[str, Any]) -> Application:
    """The service that these settings describe; refuses what could not work before anything starts."""
    settings = parse(ServeSettings, args)
    if not settings.proxy:
        raise SettingsError(NO_PROXY)
    return deployed(complete(settings))


def deployed(settings: ServeSettings) -> Application:
    """The deployments of complete settings."""
    Keys.of(settings.keys, settings.host)
    given = settings.model_dump(mode="json")
    writer = None if settings.collection is None else _part(WriterReplica, "writer", Replicas()).bind(given)
    if settings.layout == "whole":
        return _part(ingress()(Entrance), "entrance", settings.entrances).bind(given, None, None, [], writer)
    embedder = None if settings.model is None else _part(EmbedderReplica, "embedder", settings.embedders, by_tokens=True).bind(given)
    reranker = None if settings.reranker is None else _part(RerankerReplica, "reranker", settings.rerankers, by_tokens=True).bind(given)
    shares = [
        _part(IndexReplica, f"index-{number}", settings.indexes).bind(given, number)
        for number in range(0 if settings.collection is None else settings.shares)
    ]
    return _part(ingress()(Entrance), "entrance", settings.entrances).bind(given, embedder, reranker, shares, writer)


def _part(kind: type, name: str, replicas: Replicas, *, by_tokens: bool = False) -> Deployment:
    return deployment(kind, name=name, **options(replicas, by_tokens=by_tokens))


def complete(settings: ServeSettings) -> ServeSettings:
    """With the collection's own embedder and reranker where none is named; another embedder is refused, since its vectors would
    compare with nothing."""
    if not settings.rerank:
        settings = settings.model_copy(update={"reranker": None})
    if settings.collection is None:
        return settings
    version = Collection(Location.of(settings.workspace), settings.collection).current()
    if settings.rerank and settings.reranker is None and version.reranker is not None:
        settings = settings.model_copy(update={"reranker": RerankerSettings(name=version.reranker)})
    index, documents = load(version.index, STAGE), load(version.documents, DOCUMENTS)
    for number in range(settings.shares):
        _, first, stop = Share(number, settings.shares).parts(index)
        parts_between(documents, first, stop)
    built_with = index.metrics["embedder"]
    if settings.model is None:
        return parse(ServeSettings, {**settings.model_dump(mode="json"), "model": built_with["settings"]})
    files = locate(settings.model.name, settings.model.revision)
    if files.as_input().fingerprint != built_with["fingerprint"]:
        raise SettingsError(
            f"model.name={settings.model.name}: the collection {settings.collection} was embedded with {built_with['settings']['name']}; "
            "leave model out, or build an index with this model"
        )
    return settings


def options(replicas: Replicas, *, by_tokens: bool = False) -> dict[str, Any]:
    """Ray Serve's words for how many there are and what each holds."""
    found: dict[str, Any] = {
        "max_ongoing_requests": replicas.max_ongoing,
        "ray_actor_options": {"num_cpus": replicas.cpus, "num_gpus": replicas.gpus},
        "health_check_period_s": 5,
        "graceful_shutdown_timeout_s": 20,
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},  # requests are told by the entrance, once
    }
    if replicas.max_replicas is None or replicas.max_replicas == replicas.replicas:
        return {**found, "num_replicas": replicas.replicas}
    scaling: dict[str, Any] = {
        "min_replicas": replicas.replicas,
        "max_replicas": replicas.max_replicas,
        "upscale_delay_s": replicas.grow_after_s,
        "downscale_delay_s": replicas.shrink_after_s,
    }
    if by_tokens:
        scaling["policy"] = {"policy_function": "serve.app:by_waiting_tokens"}
        scaling["target_ongoing_requests"] = replicas.tokens_per_replica  # read by the policy, in tokens
    return {**found, "autoscaling_config": scaling}


def by_waiting_tokens(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """As many replicas as the tokens that wait want, within the bounds."""
    waiting = sum((context.aggregated_metrics or {}).get("waiting_tokens", {}).values())
    each = context.config.target_ongoing_requests
    wanted = math.ceil(waiting / each) if waiting else context.capacity_adjusted_min_replicas
    return min(max(wanted, context.capacity_adjusted_min_replicas), context.capacity_adjusted_max_replicas), {}
