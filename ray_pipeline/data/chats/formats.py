"""The formats that conversations are read from and written in, without losing a byte.

A row is kept as a conversation; where writing that anew would not give the line that was read (other keys, other spacing, arguments as
objects), the line is kept beside it, and is what the same format writes again. A conversation that was changed has to lose it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa

from ray_pipeline.data.chats.alpaca import alpaca_line, parse_alpaca
from ray_pipeline.data.chats.as_parquet import write_as_parquet
from ray_pipeline.data.chats.completions import completion_line, parse_completion
from ray_pipeline.data.chats.openai import openai_line, parse_openai
from ray_pipeline.data.chats.sharegpt import parse_sharegpt, sharegpt_line
from ray_pipeline.data.chats.table import conversation_of, values_of
from ray_pipeline.data.chats.verl import parse_verl, verl_line
from ray_pipeline.data.files import writing
from ray_pipeline.data.located import TableBuilder, place_of
from ray_pipeline.data.row import Row
from ray_pipeline.data.tables import rows_with_text
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CHATS, conform
from ray_pipeline.text.chat.conversation import Conversation, faults


@dataclass(frozen=True)
class ChatFormat:
    """How a row becomes a conversation, and a conversation a row."""

    parse: Callable[[Row], Conversation]
    line: Callable[[Conversation], dict[str, Any]]


FORMATS: Final = {
    "openai": ChatFormat(parse_openai, openai_line),
    "sharegpt": ChatFormat(parse_sharegpt, sharegpt_line),
    "alpaca": ChatFormat(parse_alpaca, alpaca_line),
    "completions": ChatFormat(parse_completion, completion_line),
    "verl": ChatFormat(parse_verl, verl_line),
}
FormatName = Literal["openai", "sharegpt", "alpaca", "completions", "verl"]


@dataclass(frozen=True)
class ReadChats:
    """What a file holds. `malformed`: rows that are no conversation, each with its place and what is wrong."""

    chats: pa.Table
    malformed: tuple[str, ...]


def read_chats(path: str, format_name: FormatName, malformed: Literal["fail", "drop"] = "fail") -> ReadChats:
    """The conversations of a file or folder. A malformed one ends the reading, or is left out and told."""
    chosen, builder, refused = FORMATS[format_name], TableBuilder(CHATS), []
    for row, text in rows_with_text(path):
        try:
            conversation = chosen.parse(row)
            wrong = faults(conversation)
            if (conversation.chat_id or "").startswith("#"):
                wrong.append(f"the id {conversation.chat_id!r} begins as the names of rows without one do; give it another")
            if wrong:
                raise row.error("; ".join(wrong[:3]))
        except DataError as problem:
            if malformed == "fail":
                raise
            refused.append(str(problem))
            continue
        builder.add(row, *values_of(conversation, row.line, _kept(chosen, conversation, text), format_name))
    table = builder.finish()
    _check_ids(table, path)
    return ReadChats(conform(table, CHATS, path), tuple(refused))


def write_chats(chats: pa.Table, path: str, format_name: FormatName) -> None:
    """Conversations as a file: Parquet where the name ends so, else a line each."""
    if path.endswith(".parquet"):
        write_as_parquet((_line(row, format_name) for row in chats.to_pylist()), path)
        return
    with writing(path) as stream:
        for line in _lines(chats, format_name):
            stream.write(line.encode("utf-8") + b"\n")


def _lines(chats: pa.Table, format_name: FormatName) -> Iterator[str]:
    for batch in chats.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            if row["source"] is not None and row["format"] == format_name:
                yield row["source"]
            else:
                yield _text(_line(row, format_name))


def _line(row: dict[str, Any], format_name: FormatName) -> dict[str, Any]:
    try:
        return FORMATS[format_name].line(conversation_of(row))
    except DataError as problem:
        raise DataError(f"conversation {row['chat_id']}: {problem}") from problem


def _kept(chosen: ChatFormat, conversation: Conversation, text: str | None) -> str | None:
    """The line, if writing the conversation anew would give another."""
    if text is None:
        return None
    try:
        return None if _text(chosen.line(conversation)) == text else text
    except DataError:  # this format would not write it so: then the line itself is the only way back
        return text


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False)


def _check_ids(table: pa.Table, path: str) -> None:
    seen: dict[str, int] = {}
    for number, name in enumerate(table.column("chat_id").to_pylist()):
        if name in seen:
            first = place_of(table, seen[name], path)
            raise DataError(f"{place_of(table, number, path)}: the id {name!r} stands in {first} too; an id names one conversation")
        seen[name] = number
