"""The one file that speaks to faiss: training, adding, bytes and files, searching under parameters and a filter.

Traps. A flat index is only mapped, not read, with IO_FLAG_MMAP_IFC. Search parameters given with a query replace those set on the
index, so a filter has to repeat them. Short answers are padded with id -1. A NaN in a query gives no answer at all. Linear
transforms (PCA, OPQ) come out otherwise on another number of threads, so training takes one thread where an index has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError, DataError, SettingsError
from ray_pipeline.retrieval.index.factory import efforts

Vectors = NDArray[np.float32]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as problem:
        raise SettingsError("an index needs faiss: install the extra `cpu` or `gpu`, or search exactly with search.method=dense") from problem
    return faiss


@contextmanager
def _explained(kind: str, what: str) -> Iterator[None]:
    """faiss's refusals with the setting that caused them."""
    try:
        yield
    except (RuntimeError, AssertionError) as problem:
        said = next(iter(str(problem).splitlines()), type(problem).__name__).rpartition("Error: ")[2]
        raise DataError(f"index.kind={kind!r}, {what}: faiss says {said!r}; try a smaller index (fewer cells) or another kind") from problem


class FaissIndex:
    """An index over the rows 0, 1, 2... of a part, by inner product."""

    def __init__(self, index: Any, kind: str) -> None:
        self._index = index
        self.kind = kind

    @classmethod
    def trained(cls, kind: str, sample: Vectors, device: str = "cpu") -> FaissIndex:
        """An empty index that knows the distribution of `sample`."""
        faiss = _faiss()
        with _explained(kind, f"{len(sample):,} training vectors of {sample.shape[1]} dimensions"):
            index = faiss.index_factory(sample.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
            if not index.is_trained:
                threads = faiss.omp_get_max_threads()
                if isinstance(faiss.downcast_index(index), faiss.IndexPreTransform):
                    faiss.omp_set_num_threads(1)
                try:
                    index = _on(device, index, lambda held: held.train(sample))
                finally:
                    faiss.omp_set_num_threads(threads)
        return cls(index, kind)

    @classmethod
    def from_bytes(cls, data: bytes, kind: str) -> FaissIndex:
        return cls(_faiss().deserialize_index(np.frombuffer(data, dtype=np.uint8)), kind)

    @classmethod
    def mapped(cls, path: Path, kind: str, parameters: str) -> FaissIndex:
        """The index of a file, which stays on disk: pages are read as searches touch them."""
        faiss = _faiss()
        try:
            found = cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), kind)
        except RuntimeError as problem:
            said = str(problem).splitlines()[0]
            raise ArtifactError(f"{path}: faiss cannot read this index: {said!r}; check it with jobs.verify, or build it again") from problem
        found.set_parameters(parameters)
        return found

    def to_bytes(self) -> bytes:
        return bytes(_faiss().serialize_index(self._index).tobytes())

    def add(self, vectors: Vectors, device: str = "cpu") -> None:
        with _explained(self.kind, f"adding {len(vectors):,} vectors"):
            self._index = _on(device, self._index, lambda held: held.add(vectors))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def _inner(self) -> Any:
        """The index behind linear transforms, in its own type."""
        faiss = _faiss()
        inner = faiss.downcast_index(self._index)
        while isinstance(inner, faiss.IndexPreTransform):
            inner = faiss.downcast_index(inner.index)
        return inner

    def efforts(self) -> list[str]:
        """Search parameters worth trying, the least effort first."""
        faiss, inner = _faiss(), self._inner
        return efforts(int(inner.nlist) if isinstance(inner, faiss.IndexIVF) else None, isinstance(inner, faiss.IndexHNSW))

    def set_parameters(self, parameters: str) -> None:
        if parameters:
            with _explained(self.kind, f"index.parameters={parameters!r}"):
                _faiss().ParameterSpace().set_index_parameters(self._index, parameters)

    def search(self, queries: Vectors, k: int, keep: NDArray[np.bool_] | None = None) -> tuple[Vectors, NDArray[np.int64]]:
        """[n, k] scores and rows of the best that the index finds among the rows where `keep`; rows are -1 where it finds fewer."""
        with _explained(self.kind, "searching"):
            parameters = None if keep is None else self._filtered(keep)
            scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), k, params=parameters)
        return scores, rows.astype(np.int64)

    @cached_property
    def takes_filters(self) -> bool:
        """Whether this kind of index can search among some of its rows; faiss does not say, so it is tried."""
        if not len(self):
            return True
        try:
            self.search(np.zeros((1, self._index.d), np.float32), 1, np.ones(len(self), dtype=bool))
        except DataError:
            return False
        return True

    def _filtered(self, keep: NDArray[np.bool_]) -> Any:
        """The parameters in force, for the rows where `keep` alone. The fewer these are, the more cells or neighbours are looked at."""
        faiss, inner = _faiss(), self._inner
        selector = faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
        share = max(float(keep.mean()), 1 / max(len(keep), 1))
        if isinstance(inner, faiss.IndexIVF):
            found = faiss.SearchParametersIVF(sel=selector, nprobe=min(inner.nlist, round(inner.nprobe / share)))
        elif isinstance(inner, faiss.IndexHNSW):
            found = faiss.SearchParametersHNSW(sel=selector, efSearch=min(len(keep), round(inner.hnsw.efSearch / share)))
        else:
            found = faiss.SearchParameters(sel=selector)
        if isinstance(faiss.downcast_index(self._index), faiss.IndexPreTransform):
            return faiss.SearchParametersPreTransform(index_params=found)
        return found


def _on(device: str, index: Any, act: Any) -> Any:
    """`act` on the index where the device is: on the GPU of a worker that holds one, with a faiss that can, and back again."""
    faiss = _faiss()
    if device != "cuda" or not getattr(faiss, "get_num_gpus", lambda: 0)():
        act(index)
        return index
    on_gpu = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    act(on_gpu)
    return faiss.index_gpu_to_cpu(on_gpu)
