"""What a set of metrics was measured on, as one fingerprint.

Two averages may be compared only when they come from the same queries, the same judgements and the same documents to
choose from. The fingerprint is a SHA-256 over all of these in row order (prepared tables are sorted by id), so any
difference, also one more distractor in the corpus, gives another set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.qrels import Qrels


@dataclass(frozen=True)
class EvaluationSet:
    queries: int
    documents: int
    judgements: int
    fingerprint: str

    @classmethod
    def of(cls, query_ids: Iterable[str], doc_ids: Iterable[str], qrels: Qrels) -> EvaluationSet:
        """The set of `qrels` over these queries and documents, ids in row order."""
        digest = hashlib.sha256(b"evaluation set 1")
        queries, documents = _hash_ids(digest, query_ids), _hash_ids(digest, doc_ids)
        if queries != qrels.queries or documents < qrels.width:
            raise DataError(
                f"judgements of {qrels.queries} queries and documents up to row {qrels.width - 1} "
                f"do not belong to {queries} query ids and {documents} document ids"
            )
        for array in (qrels.indptr, qrels.docs, qrels.grades, np.array([qrels.min_grade])):
            digest.update(array.astype("<i8").data)
        return cls(queries, documents, len(qrels.docs), digest.hexdigest())


def require_same_set(first: EvaluationSet | None, second: EvaluationSet | None) -> EvaluationSet:
    """The one evaluation set of two results; an error when they differ or one of them is not known."""
    if first is None or second is None:
        raise DataError("a result does not say which evaluation set it was measured on; evaluate it again with `evaluation_set`")
    if first.fingerprint != second.fingerprint:
        raise DataError(
            f"different evaluation sets cannot be compared: {_describe(first)} and {_describe(second)}; "
            "evaluate both on the same queries, judgements and documents"
        )
    return first


def _describe(of: EvaluationSet) -> str:
    return f"{of.fingerprint[:12]} ({of.queries:,} queries, {of.documents:,} documents, {of.judgements:,} judgements)"


def _hash_ids(digest: hashlib._Hash, ids: Iterable[str]) -> int:
    """Feed ids to the digest, each behind its length so that ["ab", "c"] and ["a", "bc"] differ; returns how many."""
    count, block = 0, bytearray()
    for text in ids:
        raw = text.encode("utf-8", "surrogatepass")
        block += len(raw).to_bytes(4, "little") + raw
        count += 1
        if len(block) > 1 << 20:
            digest.update(block)
            block.clear()
    digest.update(block + count.to_bytes(8, "little"))
    return count
