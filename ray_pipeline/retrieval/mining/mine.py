"""Hard negatives from a ranking: filter, then sample, and say what was dropped and why.

For each query: (1) the range's slice of its ranking; (2) the filters of `filters.py`, in their order, each candidate
counted under the first that drops it; (3) sampling without replacement among the survivors; (4) for a query with too few
survivors the shortage rule, which never lets an unfiltered document in. Filtering before sampling is what makes the number
of negatives and their distribution those that were asked for; sampling first leaves holes that tend to be filled at random.

Everything is arithmetic on blocks of [Q, W] candidates. A query's negatives depend on its own row, its id and the seed:
not on the other queries, their order or the size of a block.

`widen`: a short query's range becomes all ranks up to `rules.depth`. Beyond hi first, then below lo, always the nearest to the
range; what survives inside the range is kept whatever the widening finds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.mining import sampling
from ray_pipeline.retrieval.mining.audit import Audit, Example
from ray_pipeline.retrieval.mining.candidates import Candidates, judge
from ray_pipeline.retrieval.mining.filters import lowest_scores
from ray_pipeline.retrieval.mining.rules import MiningRules
from ray_pipeline.retrieval.mining.tally import KEPT, tally
from ray_pipeline.text.normalise import id_hash

_BLOCK_CANDIDATES: Final = 1 << 19  # bounds the temporaries to some tens of megabytes, and keeps them near the caches
_NAMED: Final = 5  # ids in an error message

Ids: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Mined:
    """The chosen negatives of each query, best ranked first; short rows are padded with doc -1 and score -inf."""

    queries: NDArray[np.int64]  # [Q] query rows
    negatives: NDArray[np.int64]  # [Q, n] document rows
    scores: NDArray[np.float32]  # [Q, n]
    audit: Audit


def mine(
    ranking: Ranking,
    rules: MiningRules,
    query_ids: Ids,
    positives: DocLists,
    *,
    relevant: DocLists | None = None,
    doc_hashes: NDArray[np.uint64] | None = None,
    query_hashes: NDArray[np.uint64] | None = None,
    teacher_scores: NDArray[np.float32] | None = None,
) -> Mined:
    """The negatives of every query of the ranking.

    `query_ids`, `positives`, `relevant` and `query_hashes` are indexed by query row, `doc_hashes` by document row, and
    `teacher_scores` stand beside `ranking.scores`. `relevant` is all that the qrels judge relevant: a document judged irrelevant (grade 0) may be
    mined. `doc_hashes` (of `text_hash`) switch on exclusion by text, with `query_hashes` that of the query's own text too.
    The ranking should be `rules.depth` deep; a shallower one has fewer candidates.
    """
    _check(ranking, rules, query_ids, positives, teacher_scores)
    if query_hashes is not None and doc_hashes is None:
        raise ValueError("query_hashes need doc_hashes to be compared with")
    count, depth = ranking.docs.shape
    negatives = np.full((count, rules.negatives), PAD_DOC, dtype=np.int64)
    scores = np.full((count, rules.negatives), -np.inf, dtype=np.float32)
    audit = Audit(rules.negatives)
    known_positives = np.unique(positives.docs)
    step = max(1, _BLOCK_CANDIDATES // max(1, depth))
    for start in range(0, count, step):
        at = slice(start, start + step)
        queries = ranking.queries[at]
        block = Candidates(
            ranks=np.arange(depth),
            docs=ranking.docs[at],
            scores=ranking.scores[at],
            teacher=None if teacher_scores is None else teacher_scores[at],
            queries=queries,
            keys=id_hash(query_ids.take(pa.array(queries))),
            positives=positives.take(queries),
            relevant=None if relevant is None else relevant.take(queries),
            text_hashes=None if query_hashes is None else query_hashes[queries],
            known_positives=known_positives,
        )
        negatives[at], scores[at], block_audit = _mine_block(block, rules, query_ids, doc_hashes)
        audit += block_audit
    if rules.shortage == "fail" and audit.short:
        fewest = ", ".join(f"{query.query_id} ({query.taken})" for query in audit.shortest)
        remedy = "raise mining.range, relax a margin or a bound, or choose mining.shortage=widen or fewer"
        raise DataError(f"mining.shortage=fail: {audit.summary()}. Fewest: {fewest}. To go on, {remedy}")
    return Mined(ranking.queries, negatives, scores, audit)


_Rows = tuple[NDArray[np.int64], NDArray[np.float32], Audit]  # negatives [Q, n], scores [Q, n], audit


def _mine_block(block: Candidates, rules: MiningRules, query_ids: Ids, doc_hashes: NDArray[np.uint64] | None) -> _Rows:
    in_range = block.columns(slice(*rules.range))
    verdicts = judge(in_range, rules, doc_hashes)
    outside = _held(block) - _held(in_range)
    short = (verdicts == KEPT).sum(axis=1) < rules.negatives
    if rules.shortage != "widen" or not short.any():
        return _settle(in_range, verdicts, outside, _sample(in_range, verdicts == KEPT, rules), rules, query_ids)

    negatives = np.empty((len(short), rules.negatives), dtype=np.int64)
    scores = np.empty((len(short), rules.negatives), dtype=np.float32)
    enough, few = np.flatnonzero(~short), np.flatnonzero(short)
    narrow = in_range.rows(enough)
    chosen = _sample(narrow, verdicts[enough] == KEPT, rules)
    negatives[enough], scores[enough], narrow_audit = _settle(narrow, verdicts[enough], outside[enough], chosen, rules, query_ids)
    wide = block.rows(few).columns(_outwards(min(len(block.ranks), rules.depth), rules))
    verdicts = judge(wide, rules, doc_hashes)
    chosen = sampling.first(verdicts == KEPT, rules.negatives)
    negatives[few], scores[few], wide_audit = _settle(wide, verdicts, _held(block)[few] - _held(wide), chosen, rules, query_ids)
    return negatives, scores, replace(narrow_audit + wide_audit, widened=len(few))


def _held(block: Candidates) -> NDArray[np.int64]:
    """[Q] how many candidates each row holds."""
    held: NDArray[np.int64] = (block.docs != PAD_DOC).sum(axis=1)
    return held


def _outwards(depth: int, rules: MiningRules) -> NDArray[np.int64]:
    """All ranks up to `depth` in the order `widen` prefers: the range, on beyond it, then from its lower end back to rank 0."""
    low = min(rules.range[0], depth)
    return np.concatenate([np.arange(low, depth), np.arange(low)[::-1]])


def _sample(block: Candidates, alive: NDArray[np.bool_], rules: MiningRules) -> NDArray[np.bool_]:
    """[Q, W] which survivors are taken: all where there are no more than asked for."""
    if rules.sampling == "top":
        return sampling.first(alive, rules.negatives)
    keys = sampling.candidate_keys(sampling.query_keys(block.keys, rules.seed), block.docs)
    if rules.sampling == "random":
        return sampling.smallest(sampling.uniform_order(keys), alive, rules.negatives)
    return sampling.smallest(sampling.softmax_order(keys, block.scores, rules.temperature), alive, rules.negatives)


def _settle(
    block: Candidates,
    verdicts: NDArray[np.uint8],
    outside: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    rules: MiningRules,
    query_ids: Ids,
) -> _Rows:
    """The chosen candidates packed to the left in order of rank, and the audit of how it came to them."""
    in_order = np.argsort(block.ranks)
    rows, columns = np.nonzero(chosen[:, in_order])
    columns = in_order[columns]
    taken = chosen.sum(axis=1)
    slots = np.arange(len(rows)) - np.repeat(np.cumsum(taken) - taken, taken)
    negatives = np.full((len(taken), rules.negatives), PAD_DOC, dtype=np.int64)
    scores = np.full((len(taken), rules.negatives), -np.inf, dtype=np.float32)
    negatives[rows, slots] = block.docs[rows, columns]
    scores[rows, slots] = block.scores[rows, columns]
    anchors = None if block.positives.scores is None else lowest_scores(block.positives)

    def query_id(row: int) -> str:
        return str(query_ids[int(block.queries[row])].as_py())

    def example(row: int, column: int) -> Example:
        return Example(
            key=int(block.keys[row]),
            query_id=query_id(row),
            doc=int(block.docs[row, column]),
            rank=int(block.ranks[column]),
            score=float(block.scores[row, column]),
            positive_score=None if anchors is None else float(anchors[row]),
        )

    return negatives, scores, tally(verdicts, outside, taken, rules.negatives, block.keys, example, query_id)


def _check(ranking: Ranking, rules: MiningRules, query_ids: Ids, positives: DocLists, teacher_scores: NDArray[np.float32] | None) -> None:
    def named(rows: NDArray[np.int64]) -> str:
        ids = [str(query_ids[int(row)].as_py()) for row in rows[:_NAMED]]
        return ", ".join(ids) + (f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else "")

    query_count = min(len(query_ids), len(positives.counts))
    beyond = ranking.queries[(ranking.queries < 0) | (ranking.queries >= query_count)]
    if len(beyond):
        raise DataError(f"the ranking has query row {beyond[0]}; ids and lists of positives are given for {query_count} queries")
    bare = ranking.queries[positives.counts[ranking.queries] == 0]
    if len(bare):
        raise DataError(f"{len(bare):,} queries have no positive: {named(bare)}; leave them out of the ranking")
    unordered = ranking.queries[np.isnan(ranking.scores).any(axis=1)]
    if len(unordered):
        raise DataError(f"{len(unordered):,} queries have NaN scores in the ranking: {named(unordered)}; look at their vectors")
    if rules.needs_positive_scores:
        if positives.scores is None:
            raise SettingsError("a margin needs the positives' scores: compute them with positive_scores or scores_in_ranking")
        unscored = np.intersect1d(positives.rows()[np.isnan(positives.scores)], ranking.queries)
        if len(unscored):
            remedy = "a margin needs every one: score from vectors, or search deeper"
            raise DataError(f"{len(unscored):,} queries have a positive without a score: {named(unscored)}; {remedy}")
    if rules.teacher_max is not None and teacher_scores is None:
        raise SettingsError(f"mining.teacher_max={rules.teacher_max} needs the teacher's scores beside the ranking")
    if teacher_scores is not None and teacher_scores.shape != ranking.scores.shape:
        raise DataError(f"teacher scores are {teacher_scores.shape}, the ranking is {ranking.scores.shape}")
