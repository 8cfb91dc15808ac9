"""Train, evaluate and serve retrieval systems and small language models on Ray.

The five functions here are the library without the cluster: arrays in, arrays out, no Ray, no artifacts.

    from ray_pipeline import embed, search, rerank, mine, evaluate
"""

from __future__ import annotations

from ray_pipeline.notebook import embed, evaluate, mine, rerank, search

__all__ = ["embed", "evaluate", "mine", "rerank", "search"]
