"""The stream of generated rows: determinism, splits, shares, laziness, refusals."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.data.misconceptions import ROWS, GeneratorSpec, corpus_labels, generate
from ray_pipeline.data.misconceptions.generate import BLOCK_ROWS, parts_of
from ray_pipeline.data.misconceptions.labels import all_labels
from ray_pipeline.data.misconceptions.spec import unseen_labels, unseen_limit
from ray_pipeline.errors import SettingsError

GOLDEN = "2d2b430820c24015d34cf24f01e3988d33053bc9cec544638f1f1554aa44708b"


def rows_of(spec: GeneratorSpec, batch_rows: int = 8192) -> pa.Table:
    return pa.Table.from_batches(list(generate(spec, batch_rows)), ROWS)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return rows_of(GeneratorSpec(rows=6000, seed=0))


@pytest.fixture(scope="module")
def rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.to_pylist()


def test_first_hundred_rows_are_the_golden_ones(table: pa.Table) -> None:
    text = "\n".join("\t".join(str(row[name]) for name in ROWS.names) for row in table.slice(0, 100).to_pylist())
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN


def test_rows_do_not_depend_on_batch_rows_or_on_how_many_follow(table: pa.Table) -> None:
    assert rows_of(GeneratorSpec(rows=2500, seed=0), 7).equals(table.slice(0, 2500))
    assert rows_of(GeneratorSpec(rows=2500, seed=0), BLOCK_ROWS + 1).equals(table.slice(0, 2500))


def test_batches_are_full_but_the_last() -> None:
    assert [batch.num_rows for batch in generate(GeneratorSpec(rows=2050, seed=0), 1000)] == [1000, 1000, 50]
    assert [batch.num_rows for batch in generate(GeneratorSpec(rows=3, seed=0), 1000)] == [3]


def test_another_seed_gives_other_rows(table: pa.Table) -> None:
    other = rows_of(GeneratorSpec(rows=200, seed=1))
    assert other.column("question").to_pylist() != table.slice(0, 200).column("question").to_pylist()


def test_a_wrong_answer_is_wrong_and_its_reasoning_ends_in_it(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["wrong_answer"] != row["correct_answer"], row
        assert row["reasoning"] is None or row["wrong_answer"] in row["reasoning"], row


def test_row_ids_are_unique_and_wrong_answers_differ_within_a_question(rows: list[dict[str, Any]]) -> None:
    assert len({row["row_id"] for row in rows}) == len(rows)
    assert rows[0]["row_id"] == "m0000001"
    answers = Counter((row["question_id"], row["wrong_answer"]) for row in rows)
    assert max(answers.values()) == 1
    assert {1, 2, 3} == set(Counter(row["question_id"] for row in rows).values())


def test_no_question_and_no_template_is_on_both_sides(rows: list[dict[str, Any]]) -> None:
    sides = defaultdict(set)
    template_sides = defaultdict(set)
    text_sides = defaultdict(set)
    for row in rows:
        sides[row["question_id"]].add(row["split"])
        template_sides[row["template_id"]].add(row["split"] == "eval")
        text_sides[row["question"]].add(row["split"] == "eval")
    for groups in (sides, template_sides, text_sides):
        assert {len(found) for found in groups.values()} == {1}


def test_unseen_labels_are_in_eval_alone_and_flagged(rows: list[dict[str, Any]]) -> None:
    unseen = {label.label_id for label in unseen_labels(GeneratorSpec(rows=1, seed=0))}
    assert len(unseen) == 80
    assert {row["label_id"] for row in rows if row["unseen"]} == unseen
    for row in rows:
        assert row["unseen"] == (row["label_id"] in unseen)
        assert not row["unseen"] or row["split"] == "eval"


def test_unlabelled_rows_are_made_like_training_rows(rows: list[dict[str, Any]]) -> None:
    spec = GeneratorSpec(rows=1, seed=0)
    unseen = unseen_labels(spec)
    for part in parts_of(spec):
        if part.split != "eval":
            assert not unseen & (part.joiners | set(part.openers)), "an unseen label is behind rows outside the eval part"
    for row in rows:
        assert (".held-out-" if row["split"] == "eval" else ".ask-") in row["template_id"]


def test_shares_are_kept(rows: list[dict[str, Any]]) -> None:
    share = Counter((row["split"], row["unseen"]) for row in rows)
    assert share[None, False] / len(rows) == pytest.approx(0.2, abs=0.005)
    assert (share["eval", False] + share["eval", True]) / (0.8 * len(rows)) == pytest.approx(0.15, abs=0.005)
    assert share["eval", True] / (share["eval", False] + share["eval", True]) == pytest.approx(0.3, abs=0.01)


def test_only_labelled_rows_say_why(rows: list[dict[str, Any]]) -> None:
    texts = dict(zip(*(corpus_labels().column(name).to_pylist() for name in ("doc_id", "text")), strict=True))
    for row in rows:
        if row["split"] is None:
            assert row["label_id"] is row["misconception"] is row["reasoning"] is None
        else:
            assert texts[row["label_id"]] == row["misconception"]
            assert row["reasoning"]


def test_a_small_set_covers_most_labels() -> None:
    small = rows_of(GeneratorSpec(rows=2000, seed=5)).to_pylist()
    trained = {row["label_id"] for row in small if row["split"] == "train"}
    unseen = {row["label_id"] for row in small if row["unseen"]}
    assert len(trained) >= 0.95 * (len(all_labels()) - 80)
    assert len(unseen) >= 60


def test_a_label_is_found_by_its_arithmetic_not_by_its_question(rows: list[dict[str, Any]]) -> None:
    labels = defaultdict(set)
    for row in rows:
        if row["label_id"]:
            labels[row["construct"]].add(row["label_id"])
    assert sum(len(found) for found in labels.values()) / len(labels) > 6


def test_parts_can_be_switched_off() -> None:
    plain = rows_of(GeneratorSpec(rows=300, seed=0, unlabelled_share=0, unseen_labels=0, eval_share=0))
    assert set(plain.column("split").to_pylist()) == {"train"}
    seen_only = rows_of(GeneratorSpec(rows=300, seed=0, unseen_labels=0))
    assert not any(seen_only.column("unseen").to_pylist())


def test_a_million_rows_are_made_as_they_are_asked_for() -> None:
    stream = generate(GeneratorSpec(rows=1_000_000, seed=0), 1000)
    started = time.perf_counter()
    first = next(stream)
    assert first.num_rows == 1000
    assert time.perf_counter() - started < 5, "the first batch waits for more than its own block"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": 0}, "rows: must be at least 1"),
        ({"seed": -1}, "seed: must be 0 or more"),
        ({"unlabelled_share": 1.0}, "unlabelled_share: must be a share"),
        ({"eval_share": -0.1}, "eval_share: must be a share"),
        ({"eval_share": float("nan")}, "eval_share: must be a share"),
        ({"unseen_labels": -1}, "unseen_labels: must be from 0"),
        ({"unseen_labels": unseen_limit() + 1}, "unseen_labels: must be from 0"),
        ({"eval_share": 0.0}, "need an eval part"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        GeneratorSpec(**{"rows": 10, "seed": 0, **wrong})


def test_a_batch_of_no_rows_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="batch_rows"):
        generate(GeneratorSpec(rows=10, seed=0), 0)
