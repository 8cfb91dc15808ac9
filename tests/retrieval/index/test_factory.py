"""From names to faiss strings, by hand."""

from __future__ import annotations

import faiss
import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.retrieval.index.factory import KINDS, cells_for, efforts, factory_string


def test_sizes_by_hand() -> None:
    assert cells_for(200_000, 131_072) == 2048  # 4 * 447 = 1,789, nearest power of two
    assert cells_for(1_000_000, 131_072) == 2048  # 4,096 wanted, 131,072 / 39 = 3,360 allowed
    assert cells_for(2_000, 2_000) == 32  # 179 -> 128 wanted, 51 allowed
    assert cells_for(10, 10) == 1
    assert factory_string("IVF,PQ", 200_000, 131_072, 384) == "IVF2048,PQ192x4fs"
    assert factory_string("HNSW", 5, 5, 8) == "HNSW32"
    assert factory_string("OPQ8,IVF16,PQ8", 5, 5, 8) == "OPQ8,IVF16,PQ8"


@pytest.mark.parametrize("kind", KINDS)
def test_faiss_takes_every_kind(kind: str) -> None:
    assert faiss.index_factory(16, factory_string(kind, 4000, 4000, 16), faiss.METRIC_INNER_PRODUCT).d == 16


def test_product_codes_need_an_even_dimension() -> None:
    with pytest.raises(SettingsError, match="the vectors have 7"):
        factory_string("IVF,PQ", 4000, 4000, 7)


def test_efforts_rise_to_everything() -> None:
    assert efforts(8, False) == ["nprobe=1", "nprobe=2", "nprobe=4", "nprobe=8"]
    assert efforts(6, False) == ["nprobe=1", "nprobe=2", "nprobe=4", "nprobe=6"]
    assert efforts(None, True)[0] == "efSearch=16"
    assert efforts(None, False) == [""]
