"""Which rows a training of embedders and rerankers reads, out of the artifacts it is given."""

from __future__ import annotations

from collections.abc import Mapping

from ray_pipeline.artifacts import load
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.prepared import PreparedData, Split
from ray_pipeline.data.training_rows import from_groups
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.data.training_sources import concat, from_labels, from_prepared
from ray_pipeline.errors import DataError


class RowSettings(Settings):
    """Which rows are trained on, and how evaluation reads the data."""

    split: str = identity("train", "whose queries and judgements, where nothing was mined")
    pseudo_weight: float = identity(1.0, "what a row with a pseudo label counts", gt=0)
    eval_split: Split = identity("eval", "whose queries are evaluated on the way")
    exclude_self: bool = identity(False, "in evaluation a query never finds the document with its own id")


def training_set(uris: Mapping[str, str], rows: RowSettings, seed: int, distill_weight: float, *, shuffle_labels: bool) -> TrainingSet:
    """The rows that are trained on: mined groups or the split's judgements, and pseudo labels beside them."""
    data = PreparedData(load(uris["data"], "data"))
    parts = []
    if "groups" in uris:
        groups = load(uris["groups"], "groups")
        parts.append(from_groups(groups.table("groups/"), groups.location.uri))
    else:
        parts.append(from_prepared(data, rows.split))
    if "pseudo" in uris:
        labels = load(uris["pseudo"], "pseudo_labels")
        parts.append(from_labels(data, "rest", labels.table("labels/"), weight=rows.pseudo_weight))
    whole = parts[0] if len(parts) == 1 else concat(parts)
    found = whole.shuffled_labels(seed) if shuffle_labels else whole
    if distill_weight > 0 and not found.taught().any():
        raise DataError(
            f"{uris.get('groups', uris['data'])}: objective.distill_weight={distill_weight:g}, but of no query did the teacher "
            "score two documents (scores are missing or NaN); let a reranker score positives and negatives (`python -m jobs.score`), or set it to 0"
        )
    return found
