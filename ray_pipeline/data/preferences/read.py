"""Preferences from files: `prompt`, `chosen`, `rejected`, each a text or a list of messages; an `id`, `tools` and a `weight` where there are any.

Without a prompt, `chosen` and `rejected` are whole conversations, and what they begin with alike is the prompt: TRL's implicit form.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

import pyarrow as pa

from ray_pipeline.data.chats.completions import turns
from ray_pipeline.data.chats.openai import tools_of
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.data.preferences.write import preference_text
from ray_pipeline.data.row import Row
from ray_pipeline.data.tables import rows_with_text
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import PREFERENCES, conform
from ray_pipeline.text.chat.conversation import Conversation, Message, faults

Wrong = Literal["fail", "drop"]


@dataclass(frozen=True)
class ReadPreferences:
    """What a file holds. `equal`: pairs whose answers are the same; `malformed`: each with its place and what is wrong."""

    pairs: pa.Table
    equal: int
    malformed: tuple[str, ...]


def read_preferences(path: str, name: str, *, malformed: Wrong = "fail", equal: Wrong = "fail") -> ReadPreferences:
    """The pairs of a file or folder, as the set `name`."""
    builder, refused, same = TableBuilder(PREFERENCES), [], 0
    seen: set[str] = set()
    for row, text in rows_with_text(path):
        try:
            prompt, chosen, rejected, tools = _parsed(row)
            pair_id = row.optional_identifier("id") or f"{name}#{row.line}"
            if pair_id in seen:
                raise row.error(f"the id {pair_id!r} is there already; an id names one pair")
            weight = _weight(row)
        except DataError as problem:
            if malformed == "fail":
                raise
            refused.append(str(problem))
            continue
        if chosen == rejected:
            if equal == "fail":
                raise row.error("chosen and rejected are the same, which teaches nothing; take it out, or set equal=drop")
            same += 1
            continue
        seen.add(pair_id)
        values = (pair_id, name, *([asdict(message) for message in side] for side in (prompt, chosen, rejected)), tools, weight)
        anew = preference_text(dict(zip(PREFERENCES.names, values, strict=False)))
        builder.add(row, *values, None if text in (None, anew) else text)
    return ReadPreferences(conform(builder.finish(), PREFERENCES, path), same, tuple(refused))


Turns = tuple[Message, ...]


def _parsed(row: Row) -> tuple[Turns, Turns, Turns, str | None]:
    tools = tools_of(row)
    if row.fields.get("prompt") is not None:
        prompt, chosen, rejected = turns(row, "prompt", "user"), turns(row, "chosen", "assistant"), turns(row, "rejected", "assistant")
    else:
        one, other = turns(row, "chosen", "assistant"), turns(row, "rejected", "assistant")
        alike = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        alike = min(alike, len(one) - 1, len(other) - 1)  # equal answers are found by the caller
        prompt, chosen, rejected = one[:alike], one[alike:], other[alike:]
        if not prompt:
            raise row.error("there is no prompt, and chosen and rejected begin with different messages; give the prompt they answer to")
    for name, side in (("chosen", chosen), ("rejected", rejected)):
        if not side or side[-1].role != "assistant":
            raise row.error(f"{name} does not end with an assistant's message; it is what an assistant answers")
        wrong = faults(Conversation((*prompt, *side), tools))
        if wrong:
            raise row.error(f"{name}: {'; '.join(wrong[:3])}")
    return prompt, chosen, rejected, tools


def _weight(row: Row) -> float:
    value = row.fields.get("weight")
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise row.error(f"weight is {json.dumps(value, default=str)}, not a number above 0")
    return float(value)
