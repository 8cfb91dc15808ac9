"""Streams rows of generated misconception data.

Rows come in blocks of `BLOCK_ROWS`. A block has its own random stream, seeded by (seed, block number), so a row
depends on the spec's seed and shares and on its own number: `batch_rows` only cuts the stream, and fewer rows are a
prefix of more.

In a block, the next question goes to the part (train, unlabelled, seen eval, unseen eval) that is furthest behind its
share. Its first label comes from a shuffled round over all labels of that part, so a few thousand rows already cover
nearly every label. One to three wrong answers to a question make one to three rows, in one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.labels import Label, all_labels
from ray_pipeline.data.misconceptions.question import Question, draw_question, faulty_reasoning, word_question
from ray_pipeline.data.misconceptions.rules import RULES
from ray_pipeline.data.misconceptions.spec import GeneratorSpec, unseen_labels
from ray_pipeline.errors import SettingsError

BLOCK_ROWS: Final = 2048
UNSEEN_EVAL_SHARE: Final = 0.3  # of the eval rows, where there are unseen labels
WRONG_ANSWERS: Final = (1, 2, 2, 3)  # wrong answers a question, where the numbers allow as many

ROWS: Final = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("row_id", "question_id", "template_id", "subject", "construct", "question", "correct_answer", "wrong_answer")
        ),
        *(pa.field(name, pa.string()) for name in ("label_id", "misconception", "reasoning", "split")),
        pa.field("unseen", pa.bool_(), nullable=False),
    ]
)

Row = tuple[str | bool | None, ...]


@dataclass(frozen=True)
class Part:
    """A part of the rows, the labels that open its questions and those that may join them."""

    split: str | None
    share: float
    openers: tuple[Label, ...]
    joiners: frozenset[Label]
    unseen: bool = False


def parts_of(spec: GeneratorSpec) -> tuple[Part, ...]:
    """The parts that rows of `spec` go to, those of no share left out."""
    unseen = unseen_labels(spec)
    known = tuple(label for label in all_labels() if label not in unseen)
    labelled = 1 - spec.unlabelled_share
    evaluated = labelled * spec.eval_share
    surprise = evaluated * UNSEEN_EVAL_SHARE if unseen else 0.0
    parts = (
        Part("train", labelled - evaluated, known, frozenset(known)),
        Part(None, spec.unlabelled_share, known, frozenset(known)),
        Part("eval", evaluated - surprise, known, frozenset(known)),
        # A seen label may not join an unseen one's question: the two eval parts keep their shares exactly.
        Part("eval", surprise, tuple(sorted(unseen)), unseen, unseen=True),
    )
    return tuple(part for part in parts if part.share > 0)


def _joining(part: Part, opener: Label, question: Question, draw: Draw) -> list[Label]:
    """The opener and up to two other labels of its part that the question's numbers show as clearly."""
    others = [Label(opener.rule, v) for v in question.wrong if v != opener.variant]
    others = [label for label in others if label in part.joiners]
    return [opener, *draw.some(others, min(draw.pick(WRONG_ANSWERS) - 1, len(others)))]


def _question_rows(part: Part, opener: Label, question_id: str, first_row: int, draw: Draw) -> list[Row]:
    rule = RULES[opener.rule]
    question = draw_question(rule, opener.variant, draw)
    templates, kind = (rule.held_out, "held-out") if part.split == "eval" else (rule.asks, "ask")
    template = draw.pick(range(len(templates)))
    text = word_question(question, templates[template], draw)
    rows: list[Row] = []
    for number, label in enumerate(_joining(part, opener, question, draw), start=first_row):
        named = (label.label_id, label.text, faulty_reasoning(question, label.variant, draw)) if part.split else (None, None, None)
        rows.append(
            (
                f"m{number:07d}",
                question_id,
                f"{rule.key}.{kind}-{template + 1}",
                rule.subject,
                rule.construct,
                text,
                question.correct,
                question.wrong[label.variant],
                *named,
                part.split,
                part.unseen,
            )
        )
    return rows


def _block(parts: tuple[Part, ...], seed: int, block: int) -> list[Row]:
    draw = Draw(f"rows:{seed}:{block}")
    done = [0] * len(parts)
    rounds: list[list[Label]] = [[] for _ in parts]
    rows: list[Row] = []
    for question in range(BLOCK_ROWS):
        behind = [part.share * (len(rows) + 1) - count for part, count in zip(parts, done, strict=True)]
        turn = behind.index(max(behind))
        if not rounds[turn]:
            rounds[turn] = list(draw.some(parts[turn].openers, len(parts[turn].openers)))
        first_row = block * BLOCK_ROWS + len(rows) + 1
        made = _question_rows(parts[turn], rounds[turn].pop(), f"q{block:05d}.{question:04d}", first_row, draw)
        done[turn] += len(made)
        rows += made
        if len(rows) >= BLOCK_ROWS:
            break
    return rows[:BLOCK_ROWS]


def generate(spec: GeneratorSpec, batch_rows: int = 8192) -> Iterator[pa.RecordBatch]:
    """The rows of `spec` in batches of `batch_rows` (the last one shorter), columns as in `ROWS`."""
    if batch_rows < 1:
        raise SettingsError(f"batch_rows: must be at least 1, not {batch_rows}")
    return _batches(spec, batch_rows)


def _batches(spec: GeneratorSpec, batch_rows: int) -> Iterator[pa.RecordBatch]:
    parts = parts_of(spec)
    waiting: list[Row] = []
    left = spec.rows
    for block in range(-(-spec.rows // BLOCK_ROWS)):
        rows = _block(parts, spec.seed, block)[:left]
        left -= len(rows)
        waiting += rows
        while len(waiting) >= batch_rows or (waiting and not left):
            yield _batch(waiting[:batch_rows])
            del waiting[:batch_rows]


def _batch(rows: list[Row]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, ROWS, strict=True)], schema=ROWS)
