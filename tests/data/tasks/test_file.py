"""Tasks from a file: what is read, and where a faulty line is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.data.tasks.file import read_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Message

ASKED = [{"role": "user", "content": "Guess."}]
TOOLS = [{"type": "function", "function": {"name": "guess", "parameters": {}}}]


def written(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_tasks_are_read_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", {"task_id": "a", "messages": ASKED, "tools": TOOLS, "facts": {"secret": 5}}, {"messages": ASKED})
    first, second = read_tasks(path)
    assert first == Task("a", (Message("user", "Guess."),), json.dumps(TOOLS), {"secret": 5})
    assert second == Task("#2", (Message("user", "Guess."),))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": ASKED, "fact": {}}, "field 'fact' is none of task_id, messages, tools, facts"),
        ({"task_id": "b"}, "field 'messages' is missing"),
        ({"messages": []}, "there are no messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "the role 'robot' is none of"),
        ({"messages": [*ASKED, {"role": "assistant", "content": "5"}]}, "the last message is the assistant's"),
        ({"messages": ASKED, "facts": [5]}, "field 'facts' is a list, not an object"),
        ({"messages": ASKED, "tools": "x"}, "tools are not JSON"),
        ({"task_id": "a", "messages": ASKED}, "task_id 'a' is in line 1 already"),
    ],
)
def test_a_faulty_line_is_named(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", {"task_id": "a", "messages": ASKED}, row)
    with pytest.raises(DataError, match=f"t.jsonl:2: .*{said}"):
        read_tasks(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no task"):
        read_tasks(written(tmp_path / "t.jsonl"))
