"""How much of the exact answer an index finds, at each effort it can be asked for; and the least effort that is enough.

Queries are the data set's own where it has any: documents asked for themselves would flatter the index. Where there are none, a
sample of documents asks, and none of them counts as found for finding itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import PipelineError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.index.settings import AUTO, IndexSettings


class RecallError(PipelineError):
    """An index finds less than it has to."""


def sample(rows: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` of the rows, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count]).astype(np.int64)


def recall(found: Ranking, exact: Ranking) -> float:
    """The share of the exact answers' documents that `found` holds, over the queries of `exact`; all of it
    where there is nothing to find."""
    place = {int(query): row for row, query in enumerate(found.queries)}
    wanted = kept = 0
    for query, docs in zip(exact.queries, exact.docs, strict=True):
        asked = docs[docs != PAD_DOC]
        wanted += len(asked)
        kept += int(np.isin(asked, found.docs[place[int(query)]]).sum())
    return kept / wanted if wanted else 1.0


def chosen_parameters(curve: Mapping[str, float], settings: IndexSettings) -> str:
    """The first effort of `curve`, which rises, that finds enough; refuses an index that never does."""
    enough = [parameters for parameters, found in curve.items() if found >= settings.min_recall]
    if enough:
        return enough[0]
    best = max(curve, key=lambda parameters: curve[parameters])
    remedy = "index.parameters=auto, or more effort" if settings.parameters != AUTO else "another index.kind, or a larger index.oversample"
    raise RecallError(
        f"index.kind={settings.kind}: recall@{settings.recall_at} is {curve[best]:.3f}{f' at {best}' if best else ''}, and "
        f"index.min_recall={settings.min_recall} is asked for; nothing is published. Take {remedy}, or ask for less"
    )
