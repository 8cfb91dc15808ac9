"""A data set as three Parquet files in a folder: `corpus.parquet`, `queries.parquet`, `qrels.parquet`, with the columns of
`schemas`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.files import join, locate, writing
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QRELS, QUERIES, conform

_ROW_GROUP = 1 << 16


def read_parquet(path: str) -> RetrievalDataset:
    """The data set in the folder `path`."""
    corpus, queries, qrels = (
        _read_file(join(path, f"{name}.parquet"), schema) for name, schema in (("corpus", CORPUS), ("queries", QUERIES), ("qrels", QRELS))
    )
    return build_dataset(corpus, queries, qrels, path)


def write_parquet(dataset: RetrievalDataset, path: str) -> None:
    """`dataset` as a folder; `read_parquet` gives the same tables back."""
    for name, table in (("corpus", dataset.corpus), ("queries", dataset.queries), ("qrels", dataset.qrels)):
        with writing(join(path, f"{name}.parquet")) as stream:
            pq.write_table(table, stream, row_group_size=_ROW_GROUP)


def _read_file(path: str, schema: pa.Schema) -> pa.Table:
    system, name = locate(path)
    try:
        with system.open_input_file(name) as stream:
            table = pq.read_table(stream)
    except (pa.ArrowInvalid, OSError) as problem:
        raise DataError(f"{path}: this Parquet file cannot be read: {problem}") from problem
    found = conform(table, schema, path)
    if schema is CORPUS and COLUMN in table.column_names:
        found = found.append_column(COLUMN, table.column(COLUMN).cast(pa.string()))
    return found
