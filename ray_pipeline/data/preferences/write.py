"""Preferences as a file: prompt, chosen and rejected as lists of messages, TRL's explicit conversational form.

A pair read from a line that would be written otherwise (two texts, other keys, other spacing) is written as that line. A pair that was changed
has to lose it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ray_pipeline.data.chats.as_parquet import write_as_parquet
from ray_pipeline.data.chats.openai import message_fields
from ray_pipeline.data.chats.table import message_of
from ray_pipeline.data.files import writing


def write_preferences(pairs: pa.Table, path: str) -> None:
    """Pairs as Parquet where the name ends so, else a line each."""
    rows = (row for batch in pairs.to_batches(max_chunksize=1024) for row in batch.to_pylist())
    if path.endswith(".parquet"):
        write_as_parquet(map(preference_line, rows), path)
        return
    with writing(path) as stream:
        for row in rows:
            line = preference_text(row) if row["source"] is None else row["source"]
            stream.write(line.encode("utf-8") + b"\n")


def preference_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A pair's fields. An id that the reader gave is left out: it would give the same again."""
    line: dict[str, Any] = {} if _is_given(row) else {"id": row["pair_id"]}
    line |= {side: [message_fields(message_of(one)) for one in row[side]] for side in ("prompt", "chosen", "rejected")}
    if row["tools"] is not None:
        line["tools"] = json.loads(row["tools"])
    if row["weight"] != 1:
        line["weight"] = float(str(np.float32(row["weight"])))  # as it was written: 0.3, not what 32 bits make of it
    return line


def preference_text(row: Mapping[str, Any]) -> str:
    return json.dumps(preference_line(row), ensure_ascii=False)


def _is_given(row: Mapping[str, Any]) -> bool:
    name, _, number = row["pair_id"].rpartition("#")
    return bool(name == row["set"] and number.isdigit())
