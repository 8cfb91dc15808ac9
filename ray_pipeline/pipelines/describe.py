"""Stage `description`: what a data set of conversations holds, before anybody trains on it.

    report.md               the page
    conversations.parquet   a row a conversation: split, turns, replies, calls, tokens, learned tokens

Nothing is refused here: what a training would refuse is listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.chats.selection import turns
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.prepare_chats import ChatFiles, ChatSource, prepare_chats
from ray_pipeline.pipelines.render import BLOCK, SPLITS, policy_inputs
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.progress import Progress
from ray_pipeline.reports.chats import chats_page, cut_at, length_figures
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import MaskSettings, Renderer

ALGORITHM: Final = 1
_LISTED: Final = 20  # of what is wrong


class DescribeSettings(Settings):
    """What is counted."""

    form: Form = identity("chat", "chat: in the model's template; plain: a prompt and its continuation")
    mask: MaskSettings = section(MaskSettings(), "what would be learned")
    limits: tuple[int, ...] = identity((512, 1024, 2048, 4096, 8192, 16384), "lengths to cut at, for what would be lost")


def describe(run: Run, data: ChatSource, model: PolicySettings, settings: DescribeSettings) -> Artifact:
    """The description; malformed and overlapping conversations are counted, whatever `data` says of them."""
    chats = prepare_chats(run, data.model_copy(update={"malformed": "drop", "overlap": "drop"}) if isinstance(data, ChatFiles) else data)
    inputs = {"chats": chats.as_input(), **policy_inputs(model)}
    stage = Stage("description", ALGORITHM, {"describe": settings}, inputs, {"options": model.template_options})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        renderer = renderer_of(locate(model.name, model.revision).folder, model, settings.mask, settings.form)
        table, not_rendered = _conversations(chats, renderer)
        facts = _facts(chats, table, not_rendered, settings)
        attempt.write_table("conversations.parquet", table)
        attempt.write("report.md", chats_page(facts, _lengths(table)).encode())
        return Outcome(len(table), facts)

    return run.ensure(stage, build)


def _conversations(chats: Artifact, renderer: Renderer) -> tuple[pa.Table, list[str]]:
    """A row each, and what could not be rendered."""
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for split in SPLITS:
        if not chats.files(f"{split}/"):
            continue
        table = Rows.of(chats, f"{split}/")
        progress = Progress(f"describe {split}", len(table), "conversations")
        for _, block in table.blocks(BLOCK):
            for row, spoken in zip(block.to_pylist(), turns(block).tolist(), strict=True):
                conversation = conversation_of(row)
                found = {"chat_id": row["chat_id"], "split": split, "turns": spoken, **_counted(conversation)}
                try:
                    rendered = renderer.render(conversation)
                    renderer.check(conversation, rendered, row["chat_id"])
                    found |= {"tokens": len(rendered.ids), "learned": int(rendered.learned[1:].sum()), "straddling": rendered.straddling}
                except DataError as problem:
                    wrong.append(f"{split}, {row['chat_id']}: {problem}")
                    found |= {"tokens": None, "learned": None, "straddling": None}
                rows.append(found)
            progress.advance(len(block))
    return pa.Table.from_pylist(rows), wrong


def _counted(conversation: Conversation) -> dict[str, int]:
    replies = [message for message in conversation.messages if message.role == "assistant"]
    return {
        "messages": len(conversation.messages),
        "replies": len(replies),
        "calls": sum(len(message.tool_calls or ()) for message in replies),
        "replies_with_reasoning": sum(bool(message.reasoning) for message in replies),
        "offers_tools": int(conversation.tools is not None),
    }


def _called(chats: Artifact) -> dict[str, int]:
    """How often each tool is called, the most called first."""
    found: Counter[str] = Counter()
    for split in SPLITS:
        if chats.files(f"{split}/"):
            for messages in Rows.of(chats, f"{split}/").table(["messages"]).column("messages").to_pylist():
                found.update(call["name"] for message in messages for call in message["tool_calls"] or ())
    return dict(found.most_common())


def _lengths(table: pa.Table) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Tokens of each split's conversations, of those that could be rendered."""
    rows = table.select(["split", "tokens"]).to_pylist()
    return {
        split: np.array([row["tokens"] for row in rows if row["split"] == split and row["tokens"] is not None], dtype=np.int64) for split in SPLITS
    }


def _facts(chats: Artifact, table: pa.Table, not_rendered: list[str], settings: DescribeSettings) -> dict[str, Any]:
    made, lengths = chats.metrics, _lengths(table)
    counts = {name: made.get(name, 0) for name in ("read", "malformed", "repeated", "of_other_turns", "overlap", "train", "eval")}
    for name in ("turns", "messages", "replies", "calls", "replies_with_reasoning", "offers_tools", "learned", "straddling"):
        counts[name] = sum(value or 0 for value in table.column(name).to_pylist())
    counts["nothing_learned"] = sum(value == 0 for value in table.column("learned").to_pylist())
    counts["not_rendered"] = len(not_rendered)
    held = {split: found for split, found in lengths.items() if len(found)}
    return {
        "counts": counts,
        "lengths": {split: length_figures(found) for split, found in held.items()},
        "cut": {split: cut_at(found, settings.limits) for split, found in held.items()},
        "called": _called(chats),
        "malformed": made["said"],
        "not_rendered": not_rendered[:_LISTED],
    }
