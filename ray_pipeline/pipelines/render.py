"""Stage `tokens`: conversations as a model's tokens, with what of them is learned.

    train/NNNNNN.parquet, eval/NNNNNN.parquet   chat_id, ids, and a truth value for each id

All that could make a training teach something else than its data is looked for here, before any training: tokens that are not the
template's own, replies too long, conversations of which nothing would be learned, replies without reasoning in a model that thinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from ray_pipeline.artifacts import Artifact, Attempt, Input
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.token_rows import token_table
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.progress import Progress
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import MaskSettings, Rendered, Renderer

ALGORITHM: Final = 1
BLOCK: Final = 1024  # conversations of one file
SPLITS: Final = ("train", "eval")
"""Sides of the data that are rendered."""


class RenderSettings(Settings):
    """How conversations become rows of tokens."""

    form: Form = identity("chat", "chat: in the model's template; plain: a prompt and its continuation, as they stand (base models)")
    mask: MaskSettings = section(MaskSettings(), "what of a conversation is learned")
    max_length: int = identity(2048, "tokens of a conversation at most", ge=2)
    too_long: Literal["fail", "drop", "truncate"] = identity("fail", "what becomes of longer ones; dropped and truncated ones are counted")
    least_tokens: int = identity(0, "leave out shorter conversations", ge=0)
    empty_mask: Literal["fail", "drop"] = identity("fail", "what becomes of conversations of which nothing would be learned")
    without_reasoning: Literal["fail", "train"] = identity(
        "fail", "replies without reasoning in the template of a model that always thinks: training on them teaches it not to think"
    )
    checked: int = identity(1000, "how many conversations, from the first on, are compared with the template's own tokens", ge=0)
    checked_share: float = identity(0.05, "which share of the rest is", ge=0, le=1)


def policy_inputs(model: PolicySettings) -> dict[str, Input]:
    """The model that is spoken to, and a chat template of its own."""
    found = {"model": locate(model.name, model.revision).as_input()}
    return found if model.template is None else {**found, "template": raw_input(model.template, "policy.template")}


def render_chats(run: Run, chats: Artifact, model: PolicySettings, settings: RenderSettings) -> Artifact:
    """The tokens of all splits."""
    stage = Stage("tokens", ALGORITHM, {"render": settings}, {"chats": chats.as_input(), **policy_inputs(model)}, {"options": model.template_options})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        made = _Rendering(renderer_of(locate(model.name, model.revision).folder, model, settings.mask, settings.form), settings)
        rows = {split: made.write(attempt, chats, split) for split in SPLITS if chats.files(f"{split}/")}
        if not rows.get("train"):
            raise DataError(f"{chats.location.uri}: no conversation is left to train on: {made.counts}")
        return Outcome(rows["train"], {**made.counts, "rows": rows, "lengths": made.lengths()})

    return run.ensure(stage, build)


class _Rendering:
    """Renders split after split, and counts what became of their conversations."""

    def __init__(self, renderer: Renderer, settings: RenderSettings) -> None:
        self.renderer, self.settings = renderer, settings
        self.counts = dict.fromkeys(("too_long", "too_short", "empty_mask", "without_reasoning", "straddling", "checked", "learned", "tokens"), 0)
        self._lengths: list[int] = []
        self._draws = np.random.default_rng(0)  # which of the rest is checked

    def write(self, attempt: Attempt, chats: Artifact, split: str) -> int:
        """The split's rows, file by file; how many there are."""
        table = Rows.of(chats, f"{split}/")
        progress, rows = Progress(f"tokens {split}", len(table), "conversations"), 0
        for number, (start, block) in enumerate(table.blocks(BLOCK)):
            names, kept = [], []
            for row, conversation in enumerate(_conversations(block), start):
                rendered = self._rendered(conversation, row, f"{split}, conversation {block.column('chat_id')[row - start].as_py()}")
                if rendered is not None:
                    names.append(block.column("chat_id")[row - start].as_py())
                    kept.append(rendered)
            if kept:
                attempt.write_table(f"{split}/{number:06d}.parquet", token_table(names, kept))
            rows += len(kept)
            progress.advance(len(block), tokens=sum(len(one.ids) for one in kept))
        return rows

    def lengths(self) -> dict[str, float]:
        """Of all conversations before any was left out."""
        found = np.array(self._lengths)
        return {"mean": float(found.mean()), "std": float(found.std()), "median": float(np.median(found)), "longest": float(found.max())}

    def _rendered(self, conversation: Conversation, row: int, where: str) -> Rendered | None:
        """The row, or nothing where it is left out."""
        settings, counts = self.settings, self.counts
        try:
            rendered = self.renderer.render(conversation)
        except DataError as problem:
            raise DataError(f"{where}: {problem}") from problem
        if row < settings.checked or self._draws.random() < settings.checked_share:
            self.renderer.check(conversation, rendered, where)
            counts["checked"] += 1
        self._lengths.append(len(rendered.ids))
        counts["straddling"] += rendered.straddling
        self._check_reasoning(conversation, where)
        if len(rendered.ids) < settings.least_tokens:
            counts["too_short"] += 1
            return None
        if len(rendered.ids) > settings.max_length:
            counts["too_long"] += 1
            if settings.too_long == "fail":
                raise DataError(
                    f"{where}: {len(rendered.ids):,} tokens, and max_length is {settings.max_length:,}; raise it, or set too_long to drop or truncate"
                )
            if settings.too_long == "drop":
                return None
            rendered = Rendered(rendered.text, rendered.ids[: settings.max_length], rendered.learned[: settings.max_length])
        learned = int(rendered.learned[1:].sum())
        if not learned:
            counts["empty_mask"] += 1
            if settings.empty_mask == "fail":
                raise DataError(f"{where}: nothing of it would be learned; set empty_mask=drop, or look at it with --show-batch")
            return None
        counts["learned"] += learned
        counts["tokens"] += len(rendered.ids)
        return rendered

    def _check_reasoning(self, conversation: Conversation, where: str) -> None:
        if not self.renderer.supplied.strip():
            return
        replies = [message for message in conversation.messages if message.role == "assistant"]
        asked = replies[-1:] if self.settings.mask.replies == "last" else replies
        if all(message.reasoning for message in asked):
            return
        self.counts["without_reasoning"] += 1
        if self.settings.without_reasoning == "fail":
            raise SettingsError(
                f"{where}: a reply has no reasoning, and this model's template begins every reply with {self.renderer.supplied.strip()!r}: "
                "training on it teaches the model not to think. Give the replies reasoning_content, train an Instruct model, "
                "or say that this is meant: render.without_reasoning=train"
            )


def _conversations(block: pa.Table) -> Iterator[Conversation]:
    return map(conversation_of, block.to_pylist())
