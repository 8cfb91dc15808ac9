"""A part of an index: right scores, filters, and what faiss does not say by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.errors import ArtifactError, DataError
from ray_pipeline.ranking import PAD_DOC
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index import part as part_module
from ray_pipeline.retrieval.index.factory import KINDS, factory_string
from ray_pipeline.retrieval.index.faiss_index import FaissIndex
from ray_pipeline.retrieval.index.part import IndexPart
from tests.retrieval.index.vectors import clustered, unit

DOCS = clustered(3000, 1)
QUERIES = clustered(30, 2)


def built(kind: str, parameters: str = "", docs: np.ndarray = DOCS) -> FaissIndex:
    factory = factory_string(kind, len(docs), len(docs), docs.shape[1])
    index = FaissIndex.trained(factory, docs)
    index.add(docs)
    index.set_parameters(parameters or index.efforts()[-1])
    return index


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_exact_ones_and_documents_are_found(kind: str) -> None:
    found = IndexPart(built(kind), DOCS, 0, 10.0).search(QUERIES, 10)
    exact = search(QUERIES, DOCS, len(DOCS))
    for row in range(len(QUERIES)):
        place = {int(doc): score for doc, score in zip(exact.docs[row], exact.scores[row], strict=True)}
        assert [place[int(doc)] for doc in found.docs[row]] == found.scores[row].tolist()
        assert found.scores[row].tolist() == sorted(found.scores[row].tolist(), reverse=True)
    share = np.mean([np.isin(exact.docs[row, :10], found.docs[row]).mean() for row in range(len(QUERIES))])
    assert share >= 0.95, kind


def test_equal_vectors_tie_by_row_wherever_they_lie() -> None:
    docs = np.concatenate([DOCS[:50], DOCS[:50]])
    found = IndexPart(built("Flat", docs=docs), docs, 1000, 2.0).search(DOCS[7:8], 2)
    assert found.docs[0].tolist() == [1057, 1007]
    assert found.scores[0, 0] == found.scores[0, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exact_rows", [0, part_module.EXACT_ROWS])
def test_a_filter_lets_through_only_what_it_keeps(kind: str, exact_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "EXACT_ROWS", exact_rows)
    keep = np.random.default_rng(3).random(len(DOCS)) < 0.1
    part = IndexPart(built(kind, "nprobe=2" if kind.startswith("IVF") else ""), DOCS, 0, 10.0)
    found = part.search(QUERIES, 10, keep)
    assert keep[found.docs[found.docs != PAD_DOC]].all()
    rows = np.flatnonzero(keep)
    oracle = rows[search(QUERIES, DOCS[rows], 10).docs]
    share = np.mean([np.isin(oracle[row], found.docs[row]).mean() for row in range(len(QUERIES))])
    assert share >= (1.0 if exact_rows else 0.8), (kind, share)


def test_a_filter_that_keeps_nothing_finds_nothing() -> None:
    found = IndexPart(built("Flat"), DOCS, 0, 2.0).search(QUERIES, 3, np.zeros(len(DOCS), dtype=bool))
    assert (found.docs == PAD_DOC).all()
    assert np.isneginf(found.scores).all()


def test_more_than_there_is_comes_padded() -> None:
    found = IndexPart(built("IVF", docs=DOCS[:100]), DOCS[:100], 0, 4.0).search(QUERIES, 300)
    assert (found.docs[:, :100] != PAD_DOC).all()
    assert found.docs.shape[1] == 100


def test_an_index_without_vectors_gives_its_own_scores() -> None:
    docs = clustered(500, 5)
    found = IndexPart(built("Flat", docs=docs), None, 0, 1.0).search(QUERIES, 5)
    exact = search(QUERIES, docs, 5)
    assert np.array_equal(found.docs, exact.docs)
    assert np.allclose(found.scores, exact.scores, atol=1e-6)


def test_a_mapped_index_answers_as_the_one_in_memory(tmp_path: Path) -> None:
    for kind in KINDS:
        index = built(kind)
        path = tmp_path / "index.faiss"
        path.write_bytes(index.to_bytes())
        mapped = FaissIndex.mapped(path, kind, index.efforts()[-1])
        assert np.array_equal(mapped.search(QUERIES, 5)[1], index.search(QUERIES, 5)[1]), kind


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    path.write_bytes(b"no index at all")
    with pytest.raises(ArtifactError, match=r"index\.faiss: faiss cannot read"):
        FaissIndex.mapped(path, "Flat", "")


@pytest.mark.parametrize(("kind", "rows"), [("IVF999,Flat", 50), ("Nonsense", 50)])
def test_what_faiss_refuses_names_the_setting(kind: str, rows: int) -> None:
    with pytest.raises(DataError, match=rf"index\.kind='{kind}'.*faiss says"):
        FaissIndex.trained(kind, unit(rows, 0))


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(DataError, match=r"index\.parameters='nprobes=3'.*faiss says"):
        built("Flat", "nprobes=3")


def test_the_same_bytes_on_any_number_of_threads() -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    try:
        for kind in ("HNSW16", "IVF16,SQ8", "PCA8,IVF16,Flat"):
            made = []
            for count in (1, 2):
                faiss.omp_set_num_threads(count)
                index = FaissIndex.trained(kind, DOCS)
                index.add(DOCS)
                made.append(index.to_bytes())
            assert made[0] == made[1], kind
    finally:
        faiss.omp_set_num_threads(before)
