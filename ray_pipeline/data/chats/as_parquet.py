"""Lines of conversations as a Parquet file.

Traps. Arrow takes the columns from the first row alone, so every row is given every key. And it would give each tool's schema the keys of all
others, as nulls which a model would read: tools are JSON text there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from ray_pipeline.data.tables import write_rows


def write_as_parquet(lines: Iterable[dict[str, Any]], path: str) -> None:
    rows = [_with_tools_as_text(line) for line in lines]
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    write_rows(table.to_batches(), table.schema, path)


def _with_tools_as_text(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "tools": json.dumps(line["tools"], ensure_ascii=False)} if isinstance(line.get("tools"), list) else line
