"""Mining against a slow oracle, and each rule on a case small enough to check by eye."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.mining import mine as mining
from ray_pipeline.retrieval.mining.audit import EXAMPLES, Audit
from ray_pipeline.retrieval.mining.filters import REASONS
from ray_pipeline.retrieval.mining.mine import Mined, mine
from ray_pipeline.retrieval.mining.rules import MiningRules
from ray_pipeline.text.normalise import id_hash, text_hash


def replace(rules: MiningRules, **changes: object) -> MiningRules:
    """The rules with some of them changed, checked again."""
    return MiningRules(**{**dict(rules), **changes})


def ids(count: int) -> pa.Array:
    return pa.array([f"q{row}" for row in range(count)])


def one_list(docs: list[int], scores: list[float] | None = None, *, positive: int = 99, positive_score: float = 1.0) -> tuple[Ranking, DocLists]:
    """One query's ranking, with scores falling by 0.1 from 0.9 unless given, and its one positive."""
    values = scores or [0.9 - 0.1 * rank for rank in range(len(docs))]
    ranking = Ranking(np.array([0]), np.array([docs], dtype=np.int64), np.array([values], dtype=np.float32))
    return ranking, DocLists(np.array([0, 1]), np.array([positive]), np.array([positive_score], dtype=np.float32))


TOP = MiningRules(range=(0, 8), negatives=3, sampling="top")


# ---- one rule at a time


def test_range_counts_ranks_in_the_ranking_as_it_stands() -> None:
    ranking, positives = one_list([10, 11, 12, 13, 14, 15], positive=12)
    mined = mine(ranking, replace(TOP, range=(1, 5)), ids(1), positives)
    assert mined.negatives.tolist() == [[11, 13, 14]]
    assert mined.scores[0].tolist() == pytest.approx([0.8, 0.6, 0.5])
    assert {reason: count for reason, count in mined.audit.dropped.items() if count} == {"outside_range": 2, "positive": 1}


def test_padding_is_no_candidate() -> None:
    ranking, positives = one_list([10, 11, -1, -1], [0.9, 0.8, -np.inf, -np.inf])
    mined = mine(ranking, TOP, ids(1), positives)
    assert mined.negatives.tolist() == [[10, 11, PAD_DOC]]
    assert mined.scores[0, 2] == -np.inf
    assert mined.audit.candidates == 2
    assert mined.audit.taken == {2: 1}


def test_qrels_drop_what_is_judged_relevant_and_not_a_positive() -> None:
    ranking, positives = one_list([10, 11, 12], positive=10)
    mined = mine(ranking, TOP, ids(1), positives, relevant=DocLists(np.array([0, 2]), np.array([10, 12])))
    assert mined.negatives.tolist() == [[11, PAD_DOC, PAD_DOC]]
    assert (mined.audit.dropped["positive"], mined.audit.dropped["qrels"]) == (1, 1)


def test_a_planted_false_negative_is_dropped_and_named() -> None:
    corpus = [
        "Adds the denominators",
        "adds  the DENOMINATORS ",
        "\u00a0Adds the denominators\n",
        "Multiplies them",
        "multiplies THEM",
        "What is 1/2?",
    ]
    ranking, positives = one_list([1, 2, 3, 4, 5], positive=0)
    hashes = text_hash(pa.array(corpus))
    mined = mine(ranking, TOP, ids(1), positives, doc_hashes=hashes, query_hashes=text_hash(pa.array(["what is 1/2?"])))
    assert mined.negatives.tolist() == [[3, PAD_DOC, PAD_DOC]]
    assert {reason: count for reason, count in mined.audit.dropped.items() if count} == {"same_text": 2, "query_text": 1, "repeated_text": 1}
    table = pa.table({"doc_id": [f"d{row}" for row in range(6)], "text": corpus})
    assert "| same_text | q0 | d1 | 0 | 0.9000 | 1.0000 | adds the DENOMINATORS |" in mined.audit.to_markdown(table)
    assert mined.audit.to_json(table)["examples"]["query_text"][0]["doc_id"] == "d5"


def test_the_text_of_a_relevant_document_is_excluded_too() -> None:
    ranking, positives = one_list([1, 2, 3], positive=0)
    hashes = np.array([5, 6, 7, 6], dtype=np.uint64)  # document 3 reads like document 1, which the qrels know
    mined = mine(ranking, TOP, ids(1), positives, relevant=DocLists(np.array([0, 1]), np.array([1])), doc_hashes=hashes)
    assert mined.negatives.tolist() == [[2, PAD_DOC, PAD_DOC]]


def test_margins_measure_from_the_lowest_positive() -> None:
    ranking, _ = one_list([1, 2, 3, 4], [0.75, 0.5, 0.25, 0.125])
    positives = DocLists(np.array([0, 2]), np.array([8, 9]), np.array([1.0, 0.5], dtype=np.float32))
    assert mine(ranking, replace(TOP, margin_absolute=0.25), ids(1), positives).negatives.tolist() == [[3, 4, -1]]
    assert mine(ranking, replace(TOP, margin_relative=0.75), ids(1), positives).negatives.tolist() == [[4, -1, -1]]


def test_relative_margin_of_a_negative_positive_score() -> None:
    ranking, positives = one_list([1, 2, 3], [-0.195, -0.205, -0.215], positive_score=-0.2)
    mined = mine(ranking, replace(TOP, margin_relative=0.05), ids(1), positives)
    assert mined.negatives.tolist() == [[3, -1, -1]]  # the bound is -0.21
    assert mined.audit.dropped["margin_relative"] == 2


def test_score_bounds_and_teacher() -> None:
    ranking, positives = one_list([1, 2, 3, 4], [0.75, 0.5, 0.25, 0.125])
    mined = mine(ranking, replace(TOP, max_score=0.5, min_score=0.25), ids(1), positives)
    assert mined.negatives.tolist() == [[2, 3, -1]]
    teacher = np.array([[0.1, 0.9, np.nan, 0.2]], dtype=np.float32)
    mined = mine(ranking, replace(TOP, teacher_max=0.5), ids(1), positives, teacher_scores=teacher)
    assert mined.negatives.tolist() == [[1, 4, -1]]
    assert mined.audit.dropped["teacher"] == 2


def test_documents_without_an_example_can_be_left_alone() -> None:
    docs = np.array([[10, 11, 12, 13], [12, 13, 10, 11]], dtype=np.int64)
    ranking = Ranking(np.array([0, 2]), docs, np.array([[0.9, 0.8, 0.7, 0.6]] * 2, dtype=np.float32))
    # query 1 is not in the ranking, and is an example of document 13 all the same; document 11 has none
    positives = DocLists(np.array([0, 1, 2, 3]), np.array([10, 13, 12]))
    mined = mine(ranking, replace(TOP, only_positives=True), ids(3), positives)
    assert mined.negatives.tolist() == [[12, 13, -1], [13, 10, -1]]
    assert mined.audit.dropped["never_positive"] == 2
    assert mine(ranking, TOP, ids(3), positives).audit.dropped["never_positive"] == 0


def test_a_candidate_counts_under_the_first_filter_that_drops_it() -> None:
    ranking, positives = one_list([1, 2], [0.9, 0.8], positive=1)
    rules = replace(TOP, margin_absolute=0.5, margin_relative=0.5, max_score=0.1)
    dropped = mine(ranking, rules, ids(1), positives).audit.dropped
    assert (dropped["positive"], dropped["margin_absolute"], dropped["margin_relative"], dropped["max_score"]) == (1, 1, 0, 0)


# ---- shortage


def test_fewer_takes_what_is_there() -> None:
    ranking, positives = one_list([1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.2, 0.1])
    mined = mine(ranking, replace(TOP, range=(0, 4), max_score=0.5), ids(1), positives)
    assert mined.negatives.tolist() == [[4, -1, -1]]
    assert (mined.audit.short, mined.audit.missing) == (1, 2)


def test_widen_goes_beyond_the_range_and_then_below_it_with_the_same_filters() -> None:
    rules = MiningRules(range=(3, 5), negatives=2, sampling="top", shortage="widen", widen_to=8)
    assert rules.depth == 8
    docs = [20, 21, 22, 23, 24, 25, 26, 27]
    ranking, positives = one_list(docs, positive=23)
    assert mine(ranking, rules, ids(1), positives).negatives.tolist() == [[24, 25]]
    ranking, positives = one_list(docs[:5], positive=23)
    assert mine(ranking, rules, ids(1), positives).negatives.tolist() == [[22, 24]]  # nothing beyond: the nearest below
    relevant = DocLists(np.array([0, 3]), np.array([24, 25, 22]))
    mined = mine(one_list(docs[:6])[0], rules, ids(1), positives, relevant=relevant)
    assert mined.negatives.tolist() == [[20, 21]]
    assert (mined.audit.widened, mined.audit.dropped["outside_range"], mined.audit.dropped["qrels"]) == (1, 0, 3)


def test_widen_stops_at_its_depth_however_deep_the_ranking() -> None:
    rules = MiningRules(range=(0, 2), negatives=2, sampling="top", shortage="widen", widen_to=4)
    ranking, positives = one_list([20, 21, 22, 23, 24, 25])
    relevant = DocLists(np.array([0, 3]), np.array([21, 22, 23]))
    mined = mine(ranking, rules, ids(1), positives, relevant=relevant)
    assert mined.negatives.tolist() == [[20, PAD_DOC]]
    assert (mined.audit.candidates, mined.audit.dropped["outside_range"]) == (6, 2)


def test_widen_leaves_queries_with_enough_alone() -> None:
    rules = MiningRules(range=(1, 6), negatives=3, sampling="random", seed=3)
    generator = np.random.default_rng(0)
    docs = np.stack([generator.permutation(50)[:12] for _ in range(40)])
    ranking = Ranking(np.arange(40), docs, np.tile(np.linspace(1, 0, 12, dtype=np.float32), (40, 1)))
    positives = DocLists(np.arange(41), docs[:, 0].copy(), np.ones(40, dtype=np.float32))
    relevant = DocLists.from_pairs(np.repeat(np.arange(0, 40, 2), 3), docs[::2, 1:4].ravel(), 40)  # every second is short by one
    narrow = mine(ranking, rules, ids(40), positives, relevant=relevant)
    wide = mine(ranking, replace(rules, shortage="widen", widen_to=12), ids(40), positives, relevant=relevant)
    assert np.array_equal(narrow.negatives[1::2], wide.negatives[1::2])
    assert np.array_equal(wide.negatives[::2], docs[::2, 4:7])
    assert (narrow.audit.short, wide.audit.short, wide.audit.widened) == (20, 0, 20)


def test_fail_names_the_queries_and_the_reasons() -> None:
    ranking, positives = one_list([1, 2, 99])
    with pytest.raises(DataError, match=r"1 of 1 queries have fewer than 3 negatives \(1 missing, 0 have none\).*positive 1.*Fewest: q0 \(2\)"):
        mine(ranking, replace(TOP, shortage="fail"), ids(1), positives)
    ranking, positives = one_list([1, 2, 3, 99])
    assert mine(ranking, replace(TOP, shortage="fail"), ids(1), positives).negatives.tolist() == [[1, 2, 3]]


# ---- sampling


def plain(queries: int, width: int) -> tuple[Ranking, DocLists]:
    scores = np.tile(np.linspace(1, 0, width, dtype=np.float32), (queries, 1))
    ranking = Ranking(np.arange(queries), np.tile(np.arange(width), (queries, 1)), scores)
    return ranking, DocLists(np.arange(queries + 1), np.full(queries, width))


def written_out(query_id: str, docs: range, seed: int) -> list[int]:
    """SplitMix64 in Python integers: the 64-bit number of each document for this query."""
    full, golden = 2**64 - 1, 0x9E3779B97F4A7C15

    def mix(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & full
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & full
        return z ^ (z >> 31)

    key = mix(int(id_hash(pa.array([query_id]))[0]) ^ mix(seed + golden))
    return [mix((key + doc * golden) & full) for doc in docs]


def test_sampling_is_the_written_out_generator() -> None:
    ranking, positives = plain(3, 40)
    rules = MiningRules(range=(0, 40), negatives=5, seed=7)
    for sampling in ("random", "softmax"):
        mined = mine(ranking, replace(rules, sampling=sampling, temperature=0.2), ids(3), positives)
        for row in range(3):
            numbers = written_out(f"q{row}", range(40), seed=7)
            uniform = [((number >> 11) + 0.5) / 2**53 for number in numbers]
            gumbel = [-(float(score) / 0.2 - math.log(-math.log(u))) for score, u in zip(ranking.scores[row], uniform, strict=True)]
            keys = numbers if sampling == "random" else gumbel
            assert mined.negatives[row].tolist() == sorted(sorted(range(40), key=keys.__getitem__)[:5])


def test_sampling_golden() -> None:
    ranking, positives = plain(2, 40)
    rules = MiningRules(range=(0, 40), negatives=5, seed=7)
    assert mine(ranking, rules, ids(2), positives).negatives.tolist() == [[1, 2, 11, 13, 16], [8, 10, 11, 18, 24]]
    assert mine(ranking, replace(rules, sampling="softmax"), ids(2), positives).negatives.tolist() == [[0, 2, 3, 5, 20], [0, 1, 2, 3, 4]]


def test_random_is_uniform() -> None:
    ranking, positives = plain(6_000, 20)
    mined = mine(ranking, MiningRules(range=(0, 20), negatives=5), ids(6_000), positives)
    counts = np.bincount(mined.negatives.ravel(), minlength=20)
    assert counts.sum() == 30_000
    assert np.abs(counts - 1_500).max() < 5 * math.sqrt(6_000 * 0.25 * 0.75)
    pairs = np.array([np.isin([3, 4], row).all() for row in mined.negatives]).mean()
    assert pairs == pytest.approx(5 * 4 / (20 * 19), abs=0.015)  # without replacement, and neighbours are not tied together


def test_softmax_follows_its_weights() -> None:
    scores = np.log(np.array([8, 4, 2, 1, 1], dtype=np.float64)).astype(np.float32)
    count = 8_000
    ranking = Ranking(np.arange(count), np.tile(np.arange(5), (count, 1)), np.tile(scores, (count, 1)))
    positives = DocLists(np.arange(count + 1), np.full(count, 9))
    rules = MiningRules(range=(0, 5), negatives=1, sampling="softmax", temperature=1.0)
    drawn = np.bincount(mine(ranking, rules, ids(count), positives).negatives.ravel(), minlength=5) / count
    assert drawn.tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16], abs=0.025)
    cold = mine(ranking, replace(rules, temperature=0.001, negatives=2), ids(count), positives)
    assert (cold.negatives == [0, 1]).all()


def test_the_seed_and_the_query_id_decide() -> None:
    ranking, positives = plain(30, 100)
    rules = MiningRules(range=(0, 100), negatives=10)
    first = mine(ranking, rules, ids(30), positives).negatives
    assert np.array_equal(first, mine(ranking, rules, ids(30), positives).negatives)
    assert not np.array_equal(first, mine(ranking, replace(rules, seed=1), ids(30), positives).negatives)
    assert len(np.unique(first, axis=0)) == 30  # equal rankings, different ids
    renamed = mine(ranking, rules, pa.array([f"q{29 - row}" for row in range(30)]), positives).negatives
    assert np.array_equal(first, renamed[::-1])


# ---- against an oracle that goes query by query


def oracle(case: dict, row: int) -> tuple[list[int], dict[str, int]]:
    """The survivors of one query in the order they are preferred, and what was dropped; sampling `top`."""
    rules: MiningRules = case["rules"]
    ranking: Ranking = case["ranking"]
    query = int(ranking.queries[row])
    listed = [case[name].docs[case[name].indptr[query] : case[name].indptr[query + 1]].tolist() for name in ("positives", "relevant")]
    anchor = float(case["positives"].scores[case["positives"].indptr[query] : case["positives"].indptr[query + 1]].min())
    texts = case["doc_hashes"]
    known_texts = {int(texts[doc]) for docs in listed for doc in docs}
    low, high = rules.range
    depth = sum(ranking.docs[row] >= 0)

    def reason(rank: int, seen: set[int]) -> str | None:
        doc, score = int(ranking.docs[row, rank]), float(ranking.scores[row, rank])
        tests = {
            "positive": doc in listed[0],
            "qrels": doc in listed[1],
            "same_text": int(texts[doc]) in known_texts,
            "query_text": texts[doc] == case["query_hashes"][query],
            "never_positive": rules.only_positives and doc not in case["positives"].docs,
            "margin_absolute": rules.margin_absolute is not None and score > anchor - rules.margin_absolute,
            "margin_relative": rules.margin_relative is not None and score > anchor - abs(anchor) * rules.margin_relative,
            "min_score": rules.min_score is not None and score < rules.min_score,
            "max_score": rules.max_score is not None and score > rules.max_score,
            "teacher": rules.teacher_max is not None and not case["teacher"][row, rank] <= rules.teacher_max,
            "repeated_text": int(texts[doc]) in seen,
        }
        return next((name for name, drops in tests.items() if drops), None)

    def walk(ranks: list[int]) -> tuple[list[int], dict[str, int]]:
        survivors: list[int] = []
        seen: set[int] = set()
        dropped = dict.fromkeys(REASONS, 0)
        for rank in ranks:
            why = reason(rank, seen)
            if why is None:
                survivors.append(rank)
                seen.add(int(texts[ranking.docs[row, rank]]))
            else:
                dropped[why] += 1
        dropped["outside_range"] = depth - len(ranks)
        return survivors, dropped

    inside = list(range(min(low, depth), min(high, depth)))
    survivors, dropped = walk(inside)
    if rules.shortage == "widen" and len(survivors) < rules.negatives:
        survivors, dropped = walk(inside + list(range(high, min(depth, rules.depth))) + list(range(min(low, depth)))[::-1])
    return survivors, dropped


GRID = st.integers(-8, 8).map(lambda step: step / 8)  # exact in float32, so bounds are met exactly


@st.composite
def cases(draw: st.DrawFn) -> dict:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    query_count, doc_count = draw(st.integers(1, 6)), draw(st.integers(4, 14))
    width = draw(st.integers(1, doc_count))
    queries = generator.permutation(query_count)[: draw(st.integers(1, query_count))]
    docs = np.stack([generator.permutation(doc_count)[:width] for _ in queries])
    scores = -np.sort(-generator.integers(-8, 9, docs.shape) / 8, axis=1).astype(np.float32)
    filled = np.arange(width) < generator.integers(0, width + 1, len(queries))[:, None]
    low = draw(st.integers(0, 3))
    high = low + draw(st.integers(1, 8))
    counts = generator.integers(1, 4, query_count)
    relevant_counts = generator.integers(0, 3, query_count)
    bound = st.none() | GRID
    margin = st.none() | st.sampled_from([0.0, 0.25, 0.5])
    low_score = draw(bound)
    return {
        "ranking": Ranking(queries, np.where(filled, docs, PAD_DOC), np.where(filled, scores, -np.inf).astype(np.float32)),
        "positives": DocLists(
            np.concatenate([[0], np.cumsum(counts)]),
            generator.integers(0, doc_count, counts.sum()),
            (generator.integers(-8, 9, counts.sum()) / 8).astype(np.float32),
        ),
        "relevant": DocLists(np.concatenate([[0], np.cumsum(relevant_counts)]), generator.integers(0, doc_count, relevant_counts.sum())),
        "doc_hashes": generator.integers(1, doc_count * draw(st.integers(1, 6)), doc_count).astype(np.uint64),
        "query_hashes": generator.integers(1, doc_count, query_count).astype(np.uint64),
        "teacher": np.where(generator.random(docs.shape) < 0.1, np.nan, generator.random(docs.shape)).astype(np.float32),
        "rules": MiningRules(
            range=(low, high),
            negatives=draw(st.integers(1, high - low)),
            sampling="top",
            margin_absolute=draw(margin),
            margin_relative=draw(margin),
            min_score=low_score,
            max_score=None if low_score is not None else draw(bound),
            teacher_max=draw(st.none() | st.just(0.5)),
            only_positives=draw(st.booleans()),
            shortage=draw(st.sampled_from(["fewer", "widen"])),
        ),
        "ids": ids(query_count),
    }


def run(case: dict, rows: np.ndarray | None = None, **changes: object) -> Mined:
    ranking = case["ranking"]
    at = np.arange(len(ranking.queries)) if rows is None else rows
    return mine(
        Ranking(ranking.queries[at], ranking.docs[at], ranking.scores[at]),
        replace(case["rules"], **changes),
        case["ids"],
        case["positives"],
        relevant=case["relevant"],
        doc_hashes=case["doc_hashes"],
        query_hashes=case["query_hashes"],
        teacher_scores=case["teacher"][at],
    )


@settings(deadline=None, max_examples=300)
@given(cases())
def test_equals_the_oracle(case: dict) -> None:
    mined = run(case)
    rules, ranking, total = case["rules"], case["ranking"], dict.fromkeys(REASONS, 0)
    survivor_counts = []
    for row in range(len(ranking.queries)):
        survivors, dropped = oracle(case, row)
        ranks = sorted(survivors[: rules.negatives])
        padding = rules.negatives - len(ranks)
        assert mined.negatives[row].tolist() == ranking.docs[row, ranks].tolist() + [PAD_DOC] * padding
        assert mined.scores[row].tolist() == ranking.scores[row, ranks].tolist() + [-np.inf] * padding
        total = {reason: total[reason] + dropped[reason] for reason in REASONS}
        survivor_counts.append(len(survivors))
    audit = mined.audit
    assert audit.dropped == total
    assert audit.survivors == {count: survivor_counts.count(count) for count in set(survivor_counts)}
    assert audit.short == sum(count < rules.negatives for count in survivor_counts)
    assert audit.candidates == sum(audit.dropped.values()) + sum(survivor_counts)


@settings(deadline=None, max_examples=100)
@given(cases(), st.sampled_from(["top", "random", "softmax"]), st.randoms(use_true_random=False))
def test_order_and_shards_change_nothing(case: dict, sampling: str, shuffler) -> None:
    whole = run(case, sampling=sampling)
    rows = list(range(len(whole.queries)))
    shuffler.shuffle(rows)
    cut = shuffler.randint(0, len(rows))
    parts = [run(case, np.array(part, dtype=np.int64), sampling=sampling) for part in (rows[:cut], rows[cut:])]
    assert np.array_equal(np.concatenate([part.negatives for part in parts]), whole.negatives[rows])
    assert np.array_equal(np.concatenate([part.scores for part in parts]), whole.scores[rows])
    assert parts[0].audit + parts[1].audit == whole.audit == parts[1].audit + parts[0].audit


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    docs = np.stack([generator.permutation(500)[:60] for _ in range(200)])
    ranking = Ranking(np.arange(200), docs, -np.sort(-generator.random((200, 60)), axis=1).astype(np.float32))
    positives = DocLists(np.arange(201), generator.integers(0, 500, 200), generator.random(200).astype(np.float32))
    hashes = generator.integers(1, 300, 500).astype(np.uint64)
    rules = MiningRules(range=(2, 40), margin_relative=0.1, shortage="widen", widen_to=60)
    whole = mine(ranking, rules, ids(200), positives, doc_hashes=hashes)
    monkeypatch.setattr(mining, "_BLOCK_CANDIDATES", 7 * 60)
    blocks = mine(ranking, rules, ids(200), positives, doc_hashes=hashes)
    assert np.array_equal(whole.negatives, blocks.negatives)
    assert whole.audit == blocks.audit
    assert 0 < whole.audit.widened < 200


# ---- the audit


def test_audit_survives_json_and_adds_up() -> None:
    generator = np.random.default_rng(1)
    docs = np.stack([generator.permutation(50)[:20] for _ in range(60)])
    ranking = Ranking(np.arange(60), docs, -np.sort(-generator.random((60, 20)), axis=1).astype(np.float32))
    positives = DocLists(np.arange(61), docs[:, 3].copy(), np.full(60, 0.5, dtype=np.float32))
    rules = MiningRules(range=(2, 16), negatives=6, margin_absolute=0.05)
    audit = mine(ranking, rules, ids(60), positives).audit
    assert Audit.from_json(json.loads(json.dumps(audit.to_json()))) == audit
    assert audit + Audit(6) == audit
    assert sum(audit.dropped_of_short.values()) < sum(audit.dropped.values())
    assert audit.dropped_of_short["margin_absolute"] > audit.short * 4  # why they are short
    examples = audit.examples["positive"]
    assert len(examples) == EXAMPLES
    smallest = np.argsort(id_hash(ids(60)))[:EXAMPLES]
    assert [example.query_id for example in examples] == [f"q{row}" for row in smallest]
    assert all(example.rank == 3 and example.doc == docs[int(example.query_id[1:]), 3] and example.positive_score == 0.5 for example in examples)
    report = audit.to_markdown()
    assert f"| dropped: positive | 60 | {60 / 1200:.2%} |" in report
    assert f"{audit.short} of 60 queries have fewer than 6 negatives" in report
    with pytest.raises(ValueError, match="do not add up"):
        audit + Audit(7)


# ---- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"range": (5, 5)}, "range"),
        ({"range": (-1, 5)}, "range"),
        ({"negatives": 0}, "negatives\\n.*greater than or equal to 1"),
        ({"range": (2, 10), "negatives": 9}, "negatives=9 do not fit"),
        ({"sampling": "best"}, "sampling\\n.*'top', 'random' or 'softmax'"),
        ({"shortage": "drop"}, "shortage\\n.*'fewer', 'widen' or 'fail'"),
        ({"temperature": 0.0}, "temperature"),
        ({"margin_relative": -0.05}, "margin_relative\\n.*greater than or equal to 0"),
        ({"margin_absolute": math.nan}, "margin_absolute"),
        ({"min_score": 0.5, "max_score": 0.4}, "min_score=0.5 is above max_score=0.4"),
        ({"teacher_max": math.inf}, "teacher_max"),
        ({"widen_to": 200}, "widen_to=200"),
    ],
)
def test_impossible_rules_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MiningRules(**change)


def test_depth() -> None:
    assert MiningRules().depth == 200
    assert MiningRules(shortage="widen").depth == 400
    assert MiningRules(shortage="widen", widen_to=1_000).depth == 1_000


def test_missing_facts_are_refused() -> None:
    ranking, positives = one_list([1, 2, 3])
    bare = DocLists(positives.indptr, positives.docs)
    assert mine(ranking, TOP, ids(1), bare).negatives.tolist() == [[1, 2, 3]]
    with pytest.raises(SettingsError, match="positive_scores or scores_in_ranking"):
        mine(ranking, replace(TOP, margin_relative=0.05), ids(1), bare)
    with pytest.raises(SettingsError, match="teacher_max"):
        mine(ranking, replace(TOP, teacher_max=0.5), ids(1), positives)
    unscored = DocLists(positives.indptr, positives.docs, np.array([np.nan], dtype=np.float32))
    with pytest.raises(DataError, match="positive without a score: q0"):
        mine(ranking, replace(TOP, margin_absolute=0.05), ids(1), unscored)
    with pytest.raises(DataError, match="no positive: q0"):
        mine(ranking, TOP, ids(1), DocLists(np.array([0, 0]), np.array([], dtype=np.int64)))
    with pytest.raises(DataError, match="query row 0"):
        mine(ranking, TOP, ids(0), positives)
    with pytest.raises(DataError, match="NaN scores in the ranking: q0"):
        mine(one_list([1, 2], [np.nan, 0.1])[0], TOP, ids(1), positives)
    with pytest.raises(DataError, match="teacher scores are"):
        mine(ranking, TOP, ids(1), positives, teacher_scores=np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="need doc_hashes"):
        mine(ranking, TOP, ids(1), positives, query_hashes=np.zeros(1, dtype=np.uint64))


def test_an_empty_ranking_mines_nothing() -> None:
    empty = Ranking(np.arange(0), np.empty((0, 5), dtype=np.int64), np.empty((0, 5), dtype=np.float32))
    mined = mine(empty, TOP, ids(0), DocLists(np.array([0]), np.array([], dtype=np.int64)))
    assert mined.negatives.shape == (0, 3)
    assert mined.audit.queries == 0
    narrow = Ranking(np.array([0]), np.empty((1, 0), dtype=np.int64), np.empty((1, 0), dtype=np.float32))
    assert mine(narrow, TOP, ids(1), one_list([1])[1]).audit.taken == {0: 1}
