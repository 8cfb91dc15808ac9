"""The formats a data set can be read from. A new format is one file with a `read_*` function and one line here.

A reader takes the path first and its options as keyword arguments with defaults; `read_dataset` refuses an option that the
reader has not.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Final

from ray_pipeline.data.beir import read_beir
from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.eedi import read_eedi
from ray_pipeline.data.flag_embedding import read_flag_embedding
from ray_pipeline.data.parquet import read_parquet
from ray_pipeline.data.squad import read_squad
from ray_pipeline.data.statements import read_statements
from ray_pipeline.data.tables import read_table
from ray_pipeline.data.trec import read_trec
from ray_pipeline.data.tuples import read_tuples
from ray_pipeline.errors import DataError

Reader = Callable[..., RetrievalDataset]

READERS: Final[dict[str, Reader]] = {
    "beir": read_beir,
    "eedi": read_eedi,
    "flag_embedding": read_flag_embedding,
    "parquet": read_parquet,
    "squad": read_squad,
    "statements": read_statements,
    "table": read_table,
    "trec": read_trec,
    "tuples": read_tuples,
}


def reader_options(format_name: str) -> tuple[str, ...]:
    """The options of one format's reader."""
    return tuple(inspect.signature(_reader(format_name)).parameters)[1:]


def read_dataset(format_name: str, path: str, options: Mapping[str, object]) -> RetrievalDataset:
    """The data set at `path`, read as `format_name`."""
    known = reader_options(format_name)
    for name in options:
        if name not in known:
            raise DataError(f"format {format_name!r} has no option {name!r}{_nearest(name, known)}; its options are {', '.join(known) or 'none'}")
    return _reader(format_name)(path, **options)


def _reader(format_name: str) -> Reader:
    if format_name not in READERS:
        raise DataError(f"there is no format {format_name!r}{_nearest(format_name, tuple(READERS))}; the formats are {', '.join(READERS)}")
    return READERS[format_name]


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
