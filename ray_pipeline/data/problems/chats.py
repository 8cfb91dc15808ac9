"""Programming problems as conversations: one message that asks for a solution, under the problem's id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import pyarrow as pa

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.schemas import CHATS
from ray_pipeline.text.chat.conversation import Message


def problem_chats(problems: Iterable[Problem], instruction: str) -> pa.Table:
    """CHATS: `{prompt}` in the instruction is the problem's own text, `{entry_point}` its function's name."""
    rows = [
        {
            "chat_id": one.task_id,
            "messages": [asdict(Message("user", _asked(instruction, one)))],
            "tools": None,
            "source": None,
            "format": None,
        }
        for one in problems
    ]
    return pa.Table.from_pylist(rows, schema=CHATS)


def _asked(instruction: str, problem: Problem) -> str:
    """The name first: a prompt may spell `{entry_point}` itself, a name is no place for braces."""
    return instruction.replace("{entry_point}", problem.entry_point).replace("{prompt}", problem.prompt)
