"""One Arrow schema for each thing that crosses a boundary.

Ids are strings in files and dense int64 rows inside: row r of a prepared corpus is its r-th document *in doc_id
order*, so "score descending, then doc id descending" (trec_eval's order) is an integer comparison everywhere.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ray_pipeline.errors import DataError


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


CORPUS: Final = pa.schema([_required("doc_id", pa.string()), _required("text", pa.string()), pa.field("title", pa.string())])

QUERIES: Final = pa.schema(
    [
        _required("query_id", pa.string()),
        _required("text", pa.string()),
        pa.field("group_id", pa.string()),  # what a split keeps together: a question, a paper
        pa.field("reasoning", pa.string()),  # a chain of thought, where the data has one
        pa.field("split", pa.string()),  # "train", "eval" or null (in no split, e.g. unlabelled)
    ]
)

QRELS: Final = pa.schema([_required("query_id", pa.string()), _required("doc_id", pa.string()), _required("grade", pa.int32())])

STATEMENTS: Final = pa.schema(
    [_required("id", pa.string()), _required("paper_id", pa.string()), pa.field("kind", pa.string()), _required("text", pa.string())]
)

RANKING: Final = pa.schema(
    [
        _required("query", pa.int64()),
        _required("docs", pa.list_(pa.int64())),
        _required("scores", pa.list_(pa.float32())),
        pa.field("teacher_scores", pa.list_(pa.float32())),
    ]
)

_SCORED_TEXT: Final = pa.struct(
    [
        _required("id", pa.string()),
        _required("text", pa.string()),
        pa.field("score", pa.float32()),  # of the search that found it
        pa.field("teacher_score", pa.float32()),  # of a reranker: what a student may be taught
    ]
)

GROUPS: Final = pa.schema(
    [
        pa.field("query_id", pa.string()),
        _required("query", pa.string()),
        _required("positives", pa.list_(_SCORED_TEXT)),
        _required("negatives", pa.list_(_SCORED_TEXT)),
        pa.field("prompt", pa.string()),
    ]
)


PSEUDO_LABELS: Final = pa.schema(
    [
        _required("query_id", pa.string()),
        _required("doc_id", pa.string()),
        _required("score", pa.float32()),
        pa.field("gap", pa.float32()),  # to the second document; null where the ranking holds one
    ]
)

_TOOL_CALL: Final = pa.struct([_required("name", pa.string()), _required("arguments", pa.string()), pa.field("call_id", pa.string())])

_MESSAGE: Final = pa.struct(
    [
        _required("role", pa.string()),
        pa.field("content", pa.string()),
        pa.field("reasoning", pa.string()),
        pa.field("tool_calls", pa.list_(_TOOL_CALL)),
        pa.field("name", pa.string()),
        pa.field("call_id", pa.string()),
    ]
)

CHATS: Final = pa.schema(
    [
        _required("chat_id", pa.string()),  # "#12" where the data names none: the row it was read from
        _required("messages", pa.list_(_MESSAGE)),
        pa.field("tools", pa.string()),  # JSON
        pa.field("source", pa.string()),  # the line as it stood, where writing it anew in `format` gives another
        pa.field("format", pa.string()),
    ]
)

TASKS: Final = pa.schema(
    [
        _required("task_id", pa.string()),
        _required("messages", pa.list_(_MESSAGE)),
        pa.field("tools", pa.string()),  # JSON
        _required("facts", pa.string()),  # JSON that the task's environment reads
    ]
)

PREFERENCES: Final = pa.schema(
    [
        _required("pair_id", pa.string()),
        _required("set", pa.string()),  # which of the sets that are mixed
        _required("prompt", pa.list_(_MESSAGE)),
        _required("chosen", pa.list_(_MESSAGE)),
        _required("rejected", pa.list_(_MESSAGE)),
        pa.field("tools", pa.string()),  # JSON
        _required("weight", pa.float32()),
        pa.field("source", pa.string()),  # the line as it stood, where writing the pair anew gives another
    ]
)

PAIR_TOKENS: Final = pa.schema(
    [
        _required("pair_id", pa.string()),
        _required("set", pa.string()),
        _required("weight", pa.float32()),
        *(
            _required(f"{side}_{name}", pa.list_(kind))
            for side in ("chosen", "rejected")
            for name, kind in (("ids", pa.int32()), ("learned", pa.bool_()))
        ),
    ]
)

GENERATIONS: Final = pa.schema(
    [
        _required("chat_id", pa.string()),  # of the conversation whose last reply was asked for
        _required("sample", pa.int32()),
        _required("prompt_ids", pa.list_(pa.int32())),
        _required("ids", pa.list_(pa.int32())),  # what was drawn, the token that ends it included where the engine gives it
        _required("text", pa.string()),
        pa.field("logprobs", pa.list_(pa.float32())),  # of each of `ids`
        _required("finished", pa.bool_()),  # false: cut off at max_tokens
    ]
)

ROLLOUTS: Final = pa.schema(
    [
        _required("prompt_id", pa.string()),
        _required("sample", pa.int32()),
        _required("prompt_ids", pa.list_(pa.int32())),
        _required("ids", pa.list_(pa.int32())),
        _required("logprobs", pa.list_(pa.float32())),  # of each of `ids` that the policy wrote, as the engine drew it
        _required("text", pa.string()),
        _required("reward", pa.float64()),
        _required("parts", pa.string()),  # JSON: each part's value by name
        pa.field("failed", pa.string()),  # why it has no reward
        _required("truncated", pa.bool_()),
        _required("version", pa.int32()),  # of the weights that drew it
        pa.field("written", pa.list_(pa.bool_())),  # which of `ids` the policy wrote; null: all of them
        pa.field("turns", pa.int32()),  # replies that the policy wrote; null: a rollout of a single one
        pa.field("calls", pa.int32()),  # that it made and an environment answered
        pa.field("failed_calls", pa.int32()),  # of them, those that the environment answered with an error
        pa.field("thought", pa.list_(pa.bool_())),  # which of what the policy wrote is chain of thought; null: nothing
    ]
)

REFERENCE: Final = pa.schema(
    [_required("pair_id", pa.string()), _required("chosen", pa.float64()), _required("rejected", pa.float64())]  # sums of log-likelihoods
)

TOKENS: Final = pa.schema(
    [
        _required("chat_id", pa.string()),
        _required("ids", pa.list_(pa.int32())),
        _required("learned", pa.list_(pa.bool_())),  # of each id
    ]
)


def vectors_schema(dim: int, dtype: str) -> pa.Schema:
    """The schema of a vectors shard: ids beside fixed-size vectors of `dtype` ("float32" or "float16")."""
    kind = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    return pa.schema([_required("id", pa.string()), _required("vector", pa.list_(kind, dim))])


def conform(table: pa.Table, schema: pa.Schema, where: object) -> pa.Table:
    """`table` with exactly the columns of `schema`; absent nullable columns become null. `where` names the source."""
    columns = []
    for field in schema:
        if table.column_names.count(field.name) > 1:
            raise DataError(f"{where}: column {field.name!r} is there {table.column_names.count(field.name)} times; keep one")
        if field.name not in table.column_names:
            if not field.nullable:
                raise DataError(f"{where}: column {field.name!r} is missing; the columns are {', '.join(table.column_names) or 'none'}")
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        if not field.nullable and column.null_count:
            row = column.is_null().index(True).as_py()
            raise DataError(f"{where}: column {field.name!r} is null in row {row}; {column.null_count} rows have no value there")
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as problem:
            raise DataError(f"{where}: column {field.name!r} is {column.type}, not {field.type}: {problem}") from problem
    return pa.table(columns, schema=schema)


SOLUTIONS: Final = pa.schema(
    [
        _required("task_id", pa.string()),
        _required("sample", pa.int32()),
        _required("text", pa.string()),  # a whole program
        pa.field("source", pa.string()),  # who wrote it, where that is known
    ]
)

VERDICTS: Final = pa.schema(
    [
        *SOLUTIONS,
        _required("passed", pa.bool_()),
        _required("passed_base", pa.bool_()),
        _required("reason", pa.string()),
        _required("detail", pa.string()),
        _required("seconds", pa.float64()),
        _required("cpu", pa.float64()),
        _required("level", pa.string()),  # of the sandbox
        _required("live", pa.bool_()),  # its tests shared its process
    ]
)

TIMINGS: Final = pa.schema(
    [
        *SOLUTIONS,
        _required("reason", pa.string()),  # "timed", or why there is no time
        _required("detail", pa.string()),
        pa.field("seconds", pa.float64()),  # of computing: the median over rounds
        pa.field("spread", pa.float64()),  # interquartile range over median, of single runs
        _required("steady", pa.bool_()),
        _required("repeats", pa.int32()),
        _required("runs", pa.list_(pa.float64())),  # one a round; programs of a problem took turns, so rounds pair up
        pa.field("instructions", pa.float64()),  # the median over rounds, where they are counted
    ]
)

WRITTEN_TESTS: Final = pa.schema(
    [
        _required("task_id", pa.string()),
        _required("text", pa.string()),  # one assert statement
    ]
)

OUTCOMES: Final = pa.schema(
    [
        _required("task_id", pa.string()),
        _required("sample", pa.int32()),
        _required("passes", pa.list_(pa.bool_())),  # each of the problem's written tests, in their order
    ]
)

TOOL_ANSWERS: Final = pa.schema(
    [
        _required("category", pa.string()),
        _required("task_id", pa.string()),
        _required("replies", pa.list_(pa.string())),  # of all turns, as they were written
        _required("right", pa.bool_()),
        pa.field("why", pa.string()),  # it is not, in words
        _required("calls", pa.int32()),
        _required("failed", pa.int32()),  # calls that ended in an error
        _required("truncated", pa.bool_()),  # the last reply was cut off, or there was no room for another
        _required("faulty", pa.bool_()),  # the environment failed; `why` says how
        _required("tokens", pa.int32()),  # that were drawn
    ]
)

TOOL_VERDICTS: Final = pa.schema(
    [
        _required("category", pa.string()),
        _required("task_id", pa.string()),
        _required("right", pa.list_(pa.bool_())),  # run by run
    ]
)
