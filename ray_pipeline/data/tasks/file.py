"""Tasks from a file of one's own: JSON Lines, a task a line.

    {"task_id": "t1", "messages": [{"role": "user", "content": "..."}], "tools": [...], "facts": {...}}

Messages and tools are written as OpenAI's. `tools` and `facts` may be left out; without `task_id` a task is named by its line. A field of another
name is refused: `fact` would be no fact at all.
"""

from __future__ import annotations

from typing import Any, Final

from ray_pipeline.data.chats.openai import messages_of, tools_of
from ray_pipeline.data.lines import json_rows
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import faults

_FIELDS: Final = ("task_id", "messages", "tools", "facts")


def read_tasks(path: str) -> list[Task]:
    """The tasks of a file, in their order."""
    lines: dict[str, int] = {}
    found = []
    for row in json_rows(path):
        task = _task(row)
        if task.task_id in lines:
            raise row.error(f"task_id {task.task_id!r} is in line {lines[task.task_id]} already", "leave one of the two lines")
        lines[task.task_id] = row.line
        found.append(task)
    if not found:
        raise DataError(f"{path}: the file holds no task; a task is a line with an object of JSON")
    return found


def _task(row: Row) -> Task:
    unknown = [name for name in row.fields if name not in _FIELDS]
    if unknown:
        raise row.error(f"field {unknown[0]!r} is none of {', '.join(_FIELDS)}", "put what the environment has to know into facts")
    row.require("messages")
    task = Task(
        row.optional_identifier("task_id") or f"#{row.line}", messages_of(row, row.fields["messages"], "messages"), tools_of(row), _facts(row)
    )
    wrong = faults(task.conversation())
    if wrong:
        raise row.error("; ".join(wrong[:3]))
    if task.messages[-1].role == "assistant":
        raise row.error("the last message is the assistant's", "end with what it has to reply to")
    return task


def _facts(row: Row) -> dict[str, Any]:
    value = row.fields.get("facts")
    if value is not None and not isinstance(value, dict):
        raise row.error(f"field 'facts' is {kind_of(value)}, not an object")
    return value or {}
