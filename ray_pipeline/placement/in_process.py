"""Work that needs no cluster is done in the process that asks for it.

On a laptop a Ray actor costs seconds before it does anything: a process, its imports, the model. A pass of one shard would be
over by then, and a pipeline has many such passes; here they share the imports. The bytes are those of a worker, since they depend on
the shard alone. A GPU must be held by a worker, and a cluster's machines are other ones: both always go through Ray.

What is given up: a process that the system kills (out of memory) takes the job with it. The next run continues from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray_pipeline.placement.cluster import ClusterSettings, is_embedded


def pass_stays_here(cluster: ClusterSettings, shards: int) -> bool:
    return _possible(cluster) and (cluster.in_process == "always" or (cluster.in_process == "small" and shards == 1))


def training_stays_here(cluster: ClusterSettings, workers: int) -> bool:
    return _possible(cluster) and cluster.in_process == "always" and workers == 1


def _possible(cluster: ClusterSettings) -> bool:
    return is_embedded(cluster) and not cluster.gpus_per_worker


@contextmanager
def threads(cluster: ClusterSettings) -> Iterator[None]:
    """torch's threads as one worker alone would have them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(cluster.model_copy(update={"workers": 1}).threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)
