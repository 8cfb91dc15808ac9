"""What a service is made of and how much of a cluster it takes."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, placement, section
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.serving.batch_settings import BatchSettings
from ray_pipeline.serving.keys import KeySettings
from ray_pipeline.serving.limits import Limits


class Replicas(Settings):
    """How many processes a part of the service has, and what each holds."""

    replicas: int = placement(1, "how many there are, at least", ge=1)
    max_replicas: int | None = placement(None, "how many there may be as load grows; null: as many as replicas", ge=1)
    tokens_per_replica: int = placement(20_000, "tokens waiting for a replica before another is started", ge=1)
    grow_after_s: float = placement(30.0, "how long there must be too much to do before another is started", ge=0)
    shrink_after_s: float = placement(600.0, "how long there must be too little to do before one is stopped", ge=0)
    cpus: float = placement(0.0, "logical CPUs a replica holds", ge=0)
    gpus: float = placement(0.0, "GPUs a replica holds; its model is on the GPU then", ge=0)
    max_ongoing: int = placement(256, "requests a replica has in work at a time", ge=1)

    @model_validator(mode="after")
    def _grows(self) -> Replicas:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas={self.max_replicas} is less than replicas={self.replicas}")
        return self


class ServeSettings(Settings):
    """A service: an embedder, a reranker, a collection, or some of these."""

    workspace: str = placement("outputs", "where collections and models lie: a folder or any URI that pyarrow.fs opens")
    collection: str | None = placement(None, "the collection that is searched; null: there is no /search")
    model: EmbedderSettings | None = section(None, "the embedder; null: the one that the collection was embedded with, or none")
    reranker: RerankerSettings | None = section(None, "the reranker; null: the one that the version in use names, or none")
    rerank: bool = placement(True, "whether there is a reranker at all")
    host: str = placement("127.0.0.1", "address to listen on")
    port: int = placement(8000, "port to listen on; 0: any that is free", ge=0, le=65535)
    keys: KeySettings = section(KeySettings(), "who may call")
    limits: Limits = section(Limits(), "what a request may ask for, and how much may wait")
    layout: Literal["parts", "whole"] = placement(
        "parts",
        "parts: models and collection in processes of their own, each with its replicas; "
        "whole: every entrance holds all of them, which saves the ways between on one machine",
    )
    proxy: bool = placement(
        True,
        "whether Ray Serve's proxy stands before the entrances, and holds requests while one restarts; without it each listens itself, "
        "from port on, which takes 9 ms less",
    )
    refresh_s: float = placement(0.5, "how often the collection is looked at for changes and new versions", gt=0)
    shares: int = placement(1, "index deployments that share the collection, each with replicas of its own; at most the parts of the index", ge=1)
    search_threads: int = placement(2, "searches an index replica runs at a time", ge=1)
    embed_batches: BatchSettings = section(BatchSettings(), "how requests share the embedder")
    rerank_batches: BatchSettings = section(BatchSettings(), "how requests share the reranker")
    entrances: Replicas = section(Replicas(), "processes that answer HTTP")
    embedders: Replicas = section(Replicas(), "processes that hold the embedder")
    rerankers: Replicas = section(Replicas(), "processes that hold the reranker")
    indexes: Replicas = section(Replicas(), "processes that hold the collection")
    log: Literal["debug", "info", "warning"] = placement("info", "what is said on stderr")

    @model_validator(mode="after")
    def _something(self) -> ServeSettings:
        if self.collection is None and self.model is None and self.reranker is None:
            raise ValueError("give a collection, a model or a reranker: there is nothing to serve")
        return self

    @model_validator(mode="after")
    def _whole(self) -> ServeSettings:
        if self.layout == "whole":
            apart = [name for name in ("embedders", "rerankers", "indexes") if getattr(self, name) != Replicas()]
            if apart or self.shares > 1:
                raise ValueError(f"layout=whole has no {apart[0] if apart else 'shares'} of its own; every entrance holds everything: set entrances")
        return self
