"""Exact search against brute force in exact arithmetic: the same documents and the same bits, whatever the path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact import product, survivors
from ray_pipeline.retrieval.exact import scores as exact
from ray_pipeline.retrieval.exact.search import StreamingSearch, planned_bytes, search
from ray_pipeline.retrieval.exact.topk import merge
from ray_pipeline.retrieval.exact.workers import each
from ray_pipeline.retrieval.exclusion import Exclusion

Floats = NDArray[np.float32]
KERNELS: tuple[Any, ...] = ("bf16", "fp32")


def oracle(queries: Floats, docs: Floats, k: int, exclude: list[set[int]] | None = None) -> Ranking:
    """math.fsum of exact products, rounded to float32, sorted by (score, row), both descending."""
    wide_queries, wide_docs = queries.astype(np.float64), docs.astype(np.float64)
    rows, scores = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
    for query in range(len(queries)):
        found = [np.float32(math.fsum(products)) + np.float32(0) for products in (wide_queries[query] * wide_docs).tolist()]
        allowed = [row for row in range(len(docs)) if exclude is None or row not in exclude[query]]
        for place, row in enumerate(sorted(allowed, key=lambda row: (found[row], row), reverse=True)[:k]):
            rows[query, place], scores[query, place] = row, found[row]
    return Ranking(np.arange(len(queries), dtype=np.int64), rows, scores)


def same_bits(one: Ranking, other: Ranking) -> bool:
    return one.docs.tobytes() == other.docs.tobytes() and one.scores.tobytes() == other.scores.tobytes()


def draw(kind: str, count: int, dim: int, rng: np.random.Generator) -> Floats:
    """Vectors that make ranking hard in one way each."""
    gaussian = rng.standard_normal((count, dim)).astype(np.float32)
    unit = gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)
    if kind == "clustered":
        return (unit[rng.integers(0, min(4, count), count)] + 0.05 * gaussian).astype(np.float32)
    if kind == "duplicated":  # identical documents must tie exactly
        return unit[rng.integers(0, max(1, count // 8), count)]
    if kind == "integers":  # many exactly equal scores of different vectors
        return rng.integers(-2, 3, (count, dim)).astype(np.float32)
    if kind == "big integers":  # sums that lie halfway between two float32
        return rng.integers(-5000, 5001, (count, dim)).astype(np.float32)
    if kind == "one direction":  # scores that differ in the last bits only
        return (np.ones((count, dim)) + 2.0**-22 * rng.integers(-4, 5, (count, dim))).astype(np.float32)
    if kind == "one hot":  # most scores are exactly zero
        return np.eye(dim, dtype=np.float32)[rng.integers(0, dim, count)]
    if kind == "any norm":
        return (unit * 10.0 ** rng.uniform(-12, 12, (count, 1))).astype(np.float32)
    scale = {"unit": 1.0, "large": 1e17, "tiny": 1e-17, "subnormal": 1e-40, "zero": 0.0}[kind]
    return (unit * np.float32(scale)).astype(np.float32)


KINDS = ["unit", "clustered", "duplicated", "integers", "big integers", "one direction", "one hot", "any norm", "large", "tiny", "subnormal", "zero"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_brute_force_to_the_bit(kernel: Any, kind: str) -> None:
    rng = np.random.default_rng(5)
    docs, queries = draw(kind, 700, 24, rng), draw(kind, 6, 24, rng)
    expected = oracle(queries, docs, 90)
    for k in (1, 10, 90):
        best = Ranking(expected.queries, expected.docs[:, :k], expected.scores[:, :k])
        assert same_bits(search(queries, docs, k, kernel=kernel, block_rows=256), best), k


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    kernel=st.sampled_from(KERNELS),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 90), st.integers(1, 9)),
    k=st.integers(1, 100),
    block_rows=st.integers(1, 100),
    seed=st.integers(0, 1000),
)
def test_any_shape_equals_brute_force(kinds: tuple[str, str], kernel: Any, sizes: tuple[int, int, int], k: int, block_rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, docs = draw(kinds[0], sizes[0], sizes[2], rng), draw(kinds[1], sizes[1], sizes[2], rng)
    assert same_bits(search(queries, docs, k, kernel=kernel, block_rows=block_rows), oracle(queries, docs, k))


def test_bytes_do_not_depend_on_blocks_shards_order_or_threads() -> None:
    rng = np.random.default_rng(1)
    docs = np.concatenate([draw("clustered", 6000, 48, rng), draw("duplicated", 3000, 48, rng)])
    queries = draw("clustered", 70, 48, rng)
    expected = search(queries, docs, 50, kernel="fp32")
    for block_rows in (9000, 1024, 700):
        assert same_bits(search(queries, docs, 50, kernel="bf16", block_rows=block_rows), expected)
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found = search(queries, docs, 50, kernel="bf16", block_rows=2048)
        assert same_bits(found, expected) and torch.get_num_threads() == threads
    torch.set_num_threads(before)
    order = rng.permutation(len(docs))
    stream = StreamingSearch(queries, 50, block_rows=1000)
    for rows in np.array_split(order, 23):
        stream.add(rows, docs[rows])
    assert same_bits(stream.result(), expected)
    shards = []
    for rows in np.array_split(order, 4):
        shard = StreamingSearch(torch.from_numpy(queries), 50, kernel="bf16", block_rows=512)
        shard.add(np.sort(rows), torch.from_numpy(docs[np.sort(rows)]))
        shards.append(shard.result())
    assert same_bits(merge(shards, 50), expected)


def test_limits_on_what_is_held_at_once_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    docs, queries = draw("duplicated", 2000, 16, rng), draw("duplicated", 60, 16, rng)
    expected = oracle(queries, docs, 30)
    monkeypatch.setattr(survivors, "PAIRS", 64)
    monkeypatch.setattr(exact, "TILE", 32)
    monkeypatch.setattr(exact, "_GATHER", 64)
    monkeypatch.setattr("ray_pipeline.retrieval.exact.search._SCORE_BYTES", 1 << 15)
    monkeypatch.setattr("ray_pipeline.retrieval.exact.search._PART_QUERIES", 7)
    assert same_bits(search(queries, docs, 30, kernel="bf16", block_rows=1024), expected)


def test_an_error_on_a_thread_reaches_the_caller() -> None:
    def fail(piece: int) -> None:
        raise ValueError(f"piece {piece}")

    for count in (1, 2):
        with pytest.raises(ValueError, match="piece 0"):
            each(fail, range(2), count)


def test_half_precision_is_widened_exactly() -> None:
    rng = np.random.default_rng(3)
    docs, queries = draw("unit", 300, 32, rng).astype(np.float16), draw("unit", 5, 32, rng).astype(np.float16)
    assert same_bits(search(queries, docs, 20), oracle(queries.astype(np.float32), docs.astype(np.float32), 20))


@pytest.mark.parametrize("kernel", KERNELS)
def test_excluded_documents_do_not_shorten_the_list(kernel: Any) -> None:
    rng = np.random.default_rng(4)
    docs = draw("duplicated", 900, 16, rng)
    queries = docs[:40]
    everything = oracle(queries, docs, 300)
    positives = [set(everything.docs[query, :200].tolist()) for query in range(40)]  # the best 200 of each
    exclude = Exclusion.itself(np.arange(40)) | Exclusion.lists(positives)
    found = search(queries, docs, 30, exclude=exclude, kernel=kernel, block_rows=256)
    assert same_bits(found, oracle(queries, docs, 30, [row | {query} for query, row in enumerate(positives)]))
    assert (found.docs >= 0).all()
    nearly_all = Exclusion.lists([set(range(900)) - {7}] * 40)
    assert search(queries, docs, 3, exclude=nearly_all, kernel=kernel).docs.tolist() == [[7, -1, -1]] * 40


def test_fewer_documents_than_k_are_padded() -> None:
    found = search(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 4)
    assert found.docs.tolist() == [[0, 1, -1, -1], [1, 0, -1, -1]]
    assert found.scores.tolist() == [[1, 0, -np.inf, -np.inf]] * 2
    assert search(np.eye(2, dtype=np.float32), np.empty((0, 2), np.float32), 1).docs.tolist() == [[-1], [-1]]
    assert search(np.empty((0, 2), np.float32), np.eye(2, dtype=np.float32), 1).docs.shape == (0, 1)


def test_named_query_rows_and_a_result_in_the_middle() -> None:
    stream = StreamingSearch(np.ones((1, 1), np.float32), 2, query_rows=np.array([42]))
    stream.add(5, np.array([[1.0], [3.0]], np.float32))
    assert stream.result().docs.tolist() == [[6, 5]]
    stream.add(np.array([2]), np.array([[2.0]], np.float32))
    assert stream.result().docs.tolist() == [[6, 2]] and stream.result().queries.tolist() == [42]


def near_tie() -> tuple[Floats, Floats]:
    """A document whose score is the best by little, made of numbers bf16 rounds down, among rivals of numbers it rounds up."""
    up, down = 1 + 2.0**-8 + 2.0**-16, 1 + 2.0**-8 - 2.0**-16
    query = np.array([[up] * 63 + [down] * 63], np.float32)
    rivals, best = np.array([[up] * 63 + [0] * 63] * 2000, np.float32), np.array([[2.0**-6] + [0] * 62 + [down] * 63], np.float32)
    return query, np.concatenate([rivals[:1000], best, rivals[1000:]])


def test_the_bound_is_what_saves_a_near_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    query, docs = near_tie()
    assert search(query, docs, 1, kernel="bf16").docs.tolist() == [[1000]] == oracle(query, docs, 1).docs.tolist()
    monkeypatch.setattr(survivors, "gap", lambda left, right: torch.zeros_like(left.norms))
    assert search(query, docs, 1, kernel="bf16").docs.tolist() != [[1000]]


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)), kernel=st.sampled_from(KERNELS), dim=st.integers(1, 300), seed=st.integers(0, 99)
)
def test_no_kernel_leaves_its_bound(kinds: tuple[str, str], kernel: Any, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, docs = (torch.from_numpy(draw(kind, 20, dim, rng)) for kind in kinds)
    left, right = product.factor(queries, kernel), product.factor(docs, kernel)
    out = torch.empty(20, 20, dtype=product.input_type(kernel))
    product.multiply(left.rounded, right.rounded, out)
    true = (queries.double() * 2.0**left.exponent) @ (docs.double() * 2.0**right.exponent).T
    room = product.gap(left, right)[:, None] + torch.finfo(out.dtype).eps * out.double().abs() + torch.finfo(out.dtype).tiny
    assert bool(((out.double() - true).abs() <= room).all())


def test_a_kernel_that_drops_bits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(product.keeps_bound(kernel, 64, "cpu") for kernel in KERNELS)
    product._fastest.cache_clear()

    def truncating(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
        if left.dtype == torch.bfloat16:  # sums in bf16
            running = torch.zeros_like(out)
            for column in range(left.shape[1]):
                running += left[:, column, None] * right[:, column]
            out.copy_(running)
        else:  # TF32 keeps 10 bits of the inputs
            out.copy_((left.view(torch.int32) & ~0x1FFF).view(torch.float32) @ (right.view(torch.int32) & ~0x1FFF).view(torch.float32).T)

    monkeypatch.setattr(product, "multiply", truncating)
    for kernel in ("bf16", "fp32"):
        with pytest.raises(SettingsError, match="rounds more than its error bound"):
            product.choose_kernel(kernel, 64, "cpu")
    with pytest.raises(SettingsError, match="no kernel"):
        product.choose_kernel("auto", 64, "cpu")


def test_pairs_left_open_by_the_first_bracket_are_summed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    big, dim = 2.0**24, 3
    docs = np.array([[big, 1.0, 2.0**-40], [big, 1.0, 0.0], [big, 1.0, -(2.0**-40)], [big, 1.0, -(2.0**-60)]], np.float32)
    query = np.ones((1, dim), np.float32)  # halfway between 2^24 and 2^24 + 2: the last term decides, or ties to even
    seen = []
    real = exact._summed_exactly
    monkeypatch.setattr(exact, "_summed_exactly", lambda queries, rows: (seen.append(len(rows)), real(queries, rows))[1])
    found = search(query, docs, 4, kernel="fp32")
    assert sum(seen) == 4 and same_bits(found, oracle(query, docs, 4))
    assert found.docs.tolist() == [[3, 2, 1, 0]] or found.docs[0, 0] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_numbers_are_named(bad: float) -> None:
    good = np.ones((4, 3), np.float32)
    broken = good.copy()
    broken[2, 1] = bad
    with pytest.raises(DataError, match="query row 2"):
        search(broken, good, 1)
    stream = StreamingSearch(good, 1, block_rows=2)
    with pytest.raises(DataError, match="document row 77"):
        stream.add(np.array([5, 6, 77, 8]), broken)


def test_bad_settings_and_shapes() -> None:
    good = np.ones((4, 3), np.float32)
    with pytest.raises(SettingsError, match="k=0"):
        search(good, good, 0)
    with pytest.raises(SettingsError, match="block_rows=0"):
        search(good, good, 1, block_rows=0)
    with pytest.raises(SettingsError, match="kernel='int3'"):
        search(good, good, 1, kernel="int3")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 dimensions, the queries 3"):
        search(good, good[:, :2], 1)
    with pytest.raises(DataError, match="float64"):
        search(good.astype(np.float64), good, 1)
    with pytest.raises(DataError, match="overflows float32"):
        search(good * np.float32(1e20), good * np.float32(1e20), 1)
    with pytest.raises(DataError, match="exclusion is of 1 queries"):
        search(good, good, 1, exclude=Exclusion.itself(np.array([0])))
    with pytest.raises(DataError, match="indptr"):
        Exclusion(np.array([0, 2]), np.array([1]))
    with pytest.raises(DataError, match="document rows must be"):
        StreamingSearch(good, 1).add(-1, good)
    with pytest.raises(DataError, match="came twice"):
        twice = StreamingSearch(good, 2)
        twice.add(0, good[:1])
        twice.add(0, good[:1])
        twice.result()


def test_planned_memory_grows_with_blocks_and_not_with_the_corpus() -> None:
    small, large = planned_bytes(1000, 384, 4096, 100), planned_bytes(1000, 384, 65536, 100)
    assert small < large < small + 65536 * 384 * 4 * 3
