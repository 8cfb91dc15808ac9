"""A task, and tasks as an Arrow table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from ray_pipeline.data.chats.table import message_of
from ray_pipeline.schemas import TASKS
from ray_pipeline.text.chat.conversation import Conversation, Message


@dataclass(frozen=True)
class Task:
    """What is asked. `tools`: a JSON list of function schemas; `facts`: plain JSON that its environment reads, and the policy never sees."""

    task_id: str
    messages: tuple[Message, ...]
    tools: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def conversation(self) -> Conversation:
        """As a policy is asked."""
        return Conversation(self.messages, self.tools, self.task_id)


def tasks_table(tasks: Iterable[Task]) -> pa.Table:
    """Columns as in TASKS."""
    rows = [
        {"task_id": one.task_id, "messages": [asdict(message) for message in one.messages], "tools": one.tools, "facts": json.dumps(one.facts)}
        for one in tasks
    ]
    return pa.Table.from_pylist(rows, schema=TASKS)


def tasks_of(table: pa.Table) -> Iterator[Task]:
    """The tasks of such a table, in their order."""
    for row in table.to_pylist():
        yield Task(row["task_id"], tuple(message_of(one) for one in row["messages"]), row["tools"], json.loads(row["facts"]))
