"""Names of kinds of index and the faiss factory strings they stand for, sized by the number of documents.

Sizes. An inverted file of n vectors has 4 sqrt(n) cells, as a power of two, and no more than a 39th of its training vectors, under which
faiss itself warns. HNSW keeps 32 links a vector. PQ gives 4 bits to each two dimensions (fast scan, a quarter of a byte a
dimension), RaBitQ one bit to each dimension.
"""

from __future__ import annotations

import math
from typing import Final

from ray_pipeline.errors import SettingsError

_LINKS: Final = 32
_TRAINED_A_CELL: Final = 39
_PER_ROOT: Final = 4
KINDS: Final = ("Flat", "IVF", "HNSW", "IVF,SQ8", "IVF,PQ", "IVF,RaBitQ")


def factory_string(kind: str, rows: int, trained: int, dim: int) -> str:
    """The faiss string of an index `kind` over parts of `rows` vectors, trained on `trained` of them; others pass as they are."""
    if kind not in KINDS:
        return kind
    if kind == "Flat":
        return "Flat"
    if kind == "HNSW":
        return f"HNSW{_LINKS}"
    cells = f"IVF{cells_for(rows, trained)}"
    codes = kind.partition(",")[2] or "Flat"
    return f"{cells},{_product_codes(dim) if codes == 'PQ' else codes}"


def cells_for(rows: int, trained: int) -> int:
    """A power of two near `4 sqrt(rows)`, and at most `trained / 39`."""
    wanted = 2 ** round(math.log2(_PER_ROOT * math.sqrt(max(rows, 1))))
    allowed = max(1, trained // _TRAINED_A_CELL)
    return int(min(wanted, 2 ** int(math.log2(allowed))))


def _product_codes(dim: int) -> str:
    if dim % 2:
        raise SettingsError(f"index.kind=IVF,PQ codes two dimensions at a time, and the vectors have {dim}; give a faiss string, or another kind")
    return f"PQ{dim // 2}x4fs"


def efforts(cells: int | None, graph: bool) -> list[str]:
    """Search parameters from the least effort to the most; [""] where an index has none."""
    if cells is not None:
        return [f"nprobe={2**power}" for power in range(int(math.log2(cells)) + 1)] + ([] if cells & (cells - 1) == 0 else [f"nprobe={cells}"])
    if graph:
        return [f"efSearch={value}" for value in (16, 32, 64, 128, 256, 512, 1024)]
    return [""]
