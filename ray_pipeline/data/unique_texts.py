"""Texts by id, each once: the same id must always mean the same text.

Ids and texts come in chunks (Arrow's `string` holds 2 GiB a chunk) and leave as one `large_string` array, from which a
batch is taken at the cost of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

_COMPARED: Final = 1 << 16  # texts compared at once


@dataclass(frozen=True, eq=False)
class UniqueTexts:
    """Distinct ids in the order in which they first come."""

    ids: pa.Array  # [m]
    texts: pa.Array  # [m]
    codes: NDArray[np.int64]  # for each text given, which of the m it is
    first: NDArray[np.int64]  # [m] where each came first; rising


def one_array(strings: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous array with 64-bit offsets."""
    chunks = strings.chunks if isinstance(strings, pa.ChunkedArray) else [strings]
    return pa.concat_arrays([pa.array([], pa.large_string()), *(chunk.cast(pa.large_string()) for chunk in chunks)])


def unique_texts(ids: pa.ChunkedArray, texts: pa.ChunkedArray, what: str, where: object) -> UniqueTexts:
    """Each id with its text; two texts under one id are a `DataError` that names it. `what` is a document or a query."""
    encoded = pc.dictionary_encode(ids)
    chunks = encoded.chunks
    codes = np.concatenate([np.empty(0, np.int64), *(chunk.indices.to_numpy().astype(np.int64) for chunk in chunks)])
    names = chunks[0].dictionary if chunks else pa.array([], ids.type)
    first = np.empty(len(names), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    kept, start = [], 0
    for chunk in texts.chunks:
        low, high = np.searchsorted(first, [start, start + len(chunk)])
        kept.append(chunk.take(pa.array(first[low:high] - start)))
        start += len(chunk)
    found = one_array(pa.chunked_array(kept, texts.type))
    if len(names) < len(codes):
        _one_meaning(names, found, codes, texts, what, where)
    return UniqueTexts(names.cast(pa.large_string()), found, codes, first)


def _one_meaning(names: pa.Array, found: pa.Array, codes: NDArray[np.int64], texts: pa.ChunkedArray, what: str, where: object) -> None:
    start = 0
    for chunk in texts.chunks:
        for low in range(0, len(chunk), _COMPARED):
            block = chunk.slice(low, _COMPARED)
            mine = codes[start : start + len(block)]
            start += len(block)
            equal = pc.equal(block.cast(pa.large_string()), found.take(pa.array(mine)))
            if not pc.all(equal, min_count=0).as_py():
                name = names[int(mine[pc.index(equal, False).as_py()])].as_py()
                raise DataError(f"{where}: {what} {name!r} has two texts; one id must always mean the same, give the other text an id of its own")
