"""Generated conversations with tool calls, as a table.

A row has its own random stream, seeded by (seed, row number), and its kind is the one that is furthest behind its share. So a row depends on
the spec's other values and on its own number, and fewer rows are a prefix of more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.domains import DOMAINS
from ray_pipeline.data.tool_chats.kinds import KINDS
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.data.tool_chats.toolbox import Toolbox
from ray_pipeline.schemas import CHATS


def tool_chats(spec: ToolChatSpec) -> pa.Table:
    """`spec.rows` conversations, columns as in CHATS."""
    toolbox = Toolbox(tuple(DOMAINS.values())[: spec.domains], spec.most_tools)
    rows = [_row(toolbox, kind, spec.seed, number) for number, kind in enumerate(kinds(spec))]
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, CHATS, strict=True)], schema=CHATS)


def kinds(spec: ToolChatSpec) -> Iterator[str]:
    """The kind of each row."""
    shares = {"parallel": spec.parallel_share, "multi-turn": spec.multi_turn_share, "no call": spec.no_call_share}
    shares["single"] = max(0.0, 1 - sum(shares.values()))
    done = dict.fromkeys(shares, 0)
    for number in range(1, spec.rows + 1):
        kind = max(shares, key=lambda one: shares[one] * number - done[one])
        done[kind] += 1
        yield kind


def _row(toolbox: Toolbox, kind: str, seed: int, number: int) -> tuple[Any, ...]:
    draw = Draw(f"tool chats:{seed}:{number}")
    talk = KINDS[kind](toolbox, draw)
    tools = toolbox.tools(talk.offered, talk.withheld, draw)
    return f"t{number:06d}", [asdict(message) for message in talk.messages], tools, None, None
