"""Answers to the prompts of a data set of conversations, shard by shard.

A shard is a stretch of a split's conversations. One side of the work makes their prompts into tokens: all before the last reply. The other, which
holds an engine, writes.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ray_pipeline.artifacts import load, parquet_bytes, write_shard
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.schemas import GENERATIONS
from ray_pipeline.storage import Location
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import MaskSettings, Renderer
from ray_pipeline.text.tokens import end_to_end

if TYPE_CHECKING:
    from ray_pipeline.rollout.engine import Engine
    from ray_pipeline.rollout.writer import Answer


def asked(conversation: Conversation) -> Conversation:
    """The conversation up to its last reply; all of it where it ends with somebody else."""
    messages = conversation.messages
    last = messages[:-1] if messages[-1].role == "assistant" else messages
    if not last:
        raise DataError("there is nothing before the reply; a conversation to be answered begins with somebody else")
    return Conversation(last, conversation.tools, conversation.chat_id)


@dataclass(frozen=True)
class MakePrompts:
    """Reads the conversations of a shard and turns what is to be answered into tokens."""

    chats: str  # URI of the artifact
    split: str
    model: PolicySettings
    form: Form

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        table = Rows.of(load(self.chats, "chats"), f"{self.split}/").slice(shard["start"], shard["stop"])
        renderer, prompts = _renderer(self.model, self.form), []
        for row in table.to_pylist():
            try:
                prompts.append(renderer.prompt(asked(conversation_of(row))))
            except DataError as problem:
                raise DataError(f"{self.split}, conversation {row['chat_id']}: {problem}") from problem
        tokens = end_to_end(prompts)
        return {"start": shard["start"], "ids": tokens.ids, "offsets": tokens.offsets, "keys": json.dumps(table.column("chat_id").to_pylist())}


def _renderer(model: PolicySettings, form: Form) -> Renderer:
    return _cached_renderer(model.model_dump_json(), form)


@functools.lru_cache(maxsize=2)
def _cached_renderer(settings: str, form: Form) -> Renderer:
    """Loaded once a process, not once a shard; settings as JSON, which can be a key."""
    model = PolicySettings.model_validate_json(settings)
    return renderer_of(locate(model.name, model.revision).folder, model, MaskSettings(), form)


@dataclass(frozen=True)
class MakeGenerateShard:
    """Makes the worker on whatever device it is given."""

    model: PolicySettings
    engine: EngineSettings
    sampling: SamplingSettings
    artifact: str
    prefix: str
    adapter: str | None = None

    def __call__(self, device: str) -> GenerateShard:
        from ray_pipeline.rollout.adapter import locate_adapter
        from ray_pipeline.rollout.engine import engine_of  # vLLM: only where text is generated

        worn = None if self.adapter is None else locate_adapter(self.adapter, locate(self.model.name, self.model.revision))
        engine = engine_of(self.model, self.engine, device, None if worn is None else worn.room)
        engine.put_on(worn)
        return GenerateShard(self, engine)


class GenerateShard:
    """Holds the engine; turns prompts into answers and their record."""

    def __init__(self, plan: MakeGenerateShard, engine: Engine) -> None:
        self.plan, self.engine = plan, engine

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        ids, offsets = np.asarray(payload["ids"]), np.asarray(payload["offsets"])
        prompts = [ids[begin:end].tolist() for begin, end in itertools.pairwise(offsets)]
        answers = self.engine.generate(prompts, self.plan.sampling, int(payload["start"]))
        keys = json.loads(payload["keys"])
        table = generations(keys, prompts, answers)
        drawn = sum(len(one.ids) for each in answers for one in each)
        cut = sum(not one.finished for each in answers for one in each)
        counts = {"prompts": len(keys), "answers": len(table), "tokens": drawn, "cut_off": cut}
        extra = {"counts": counts, "started": started, "ended": time.time()}
        place = Location.of(self.plan.artifact)
        return write_shard(place, self.plan.prefix, payload["shard"], parquet_bytes(table), len(table), extra)


def generations(keys: list[str], prompts: list[list[int]], answers: list[list[Answer]]) -> pa.Table:
    """A row an answer."""
    rows = [
        {
            "chat_id": key,
            "sample": number,
            "prompt_ids": prompt,
            "ids": list(one.ids),
            "text": one.text,
            "logprobs": None if one.logprobs is None else list(one.logprobs),
            "finished": one.finished,
        }
        for key, prompt, each in zip(keys, prompts, answers, strict=True)
        for number, one in enumerate(each)
    ]
    return pa.Table.from_pylist(rows, schema=GENERATIONS)
