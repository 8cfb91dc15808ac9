"""What a reference found of pairs, written once: the sums of log-likelihoods of both answers, pair by pair."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.pair_rows import PairRows
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import REFERENCE


def reference_table(ids: list[str], sums: NDArray[np.float64]) -> pa.Table:
    """`sums`: [pairs, 2], of the chosen and of the rejected answer."""
    return pa.Table.from_arrays([pa.array(ids, pa.string()), pa.array(sums[:, 0]), pa.array(sums[:, 1])], schema=REFERENCE)


def reference_sums(artifact: Artifact, split: str, pairs: PairRows) -> NDArray[np.float64]:
    """[pairs, 2]; refused where it is of other pairs."""
    table = Rows.of(artifact, f"{split}/").table(REFERENCE.names)
    if tuple(table.column("pair_id").to_pylist()) != pairs.ids:
        raise DataError(f"{artifact.location.uri}: the reference is of other pairs than those trained on; compute it for these")
    return np.stack([table.column(name).to_numpy() for name in ("chosen", "rejected")], axis=1)
