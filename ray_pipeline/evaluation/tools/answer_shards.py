"""BFCL's entries answered by a policy, shard by shard: each entry is a rollout with an environment of its own, whatever it is of.

A shard is a stretch of a category's entries in one run. The worker holds an engine and the jail of the simulators.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.bfcl.categories import Category
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.environments.bfcl import STEPS, Bfcl, BfclEnvironments
from ray_pipeline.rollout.environments.bfcl_single import BfclSingle
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.rollout.turns import Decode, Played, Turns
from ray_pipeline.schemas import TOOL_ANSWERS
from ray_pipeline.storage import Location
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import ChatRenderer, MaskSettings, Renderer
from ray_pipeline.text.chat.template import ChatTemplate

if TYPE_CHECKING:
    from ray_pipeline.rollout.writer import Writer


@functools.lru_cache(maxsize=2)
def entries(category: Category) -> list[Task]:
    """Read once a process, not once a shard."""
    return bfcl_tasks(category)


def as_it_is(shard: dict[str, Any]) -> dict[str, Any]:
    """The entries lie with the worker, in an installed package: there is nothing to prepare."""
    return shard


@dataclass(frozen=True)
class MakeToolShard:
    """Makes the worker on whatever device it is given. `sampling.seed` is that of the run."""

    model: PolicySettings
    engine: EngineSettings
    sampling: SamplingSettings
    environment: EnvironmentSettings
    artifact: str
    prefix: str
    adapter: str | None = None

    def __call__(self, device: str) -> ToolShard:
        from ray_pipeline.rollout.adapter import locate_adapter
        from ray_pipeline.rollout.engine import engine_of  # vLLM: only where text is generated

        source = locate(self.model.name, self.model.revision)
        renderer, decode = spoken_to(self.model)
        environments = BfclEnvironments(self.environment)
        worn = None if self.adapter is None else locate_adapter(self.adapter, source)
        engine = engine_of(self.model, self.engine, device, None if worn is None else worn.room)
        engine.put_on(worn)
        return ToolShard(self, engine, environments, renderer, decode)


def spoken_to(model: PolicySettings) -> tuple[ChatRenderer, Decode]:
    """What makes conversations into the model's tokens, and these into text; refused where its template cannot show tools."""
    source = locate(model.name, model.revision)
    tokenizer = policy_tokenizer(source.folder, model)
    if not tokenizer.chat_template:
        raise ModelError(f"{source.folder}: the tokenizer has no chat template, which tools are shown by; give one (policy.template=FILE.jinja)")
    return ChatRenderer(tokenizer, ChatTemplate(tokenizer, model.template_options), MaskSettings()), tokenizer.decode


class ToolShard:
    """Holds engine and simulators; turns entries into verdicts and their record."""

    def __init__(self, plan: MakeToolShard, engine: Writer, environments: BfclEnvironments, renderer: Renderer, decode: Decode) -> None:
        self.plan, self.engine, self.environments, self.renderer, self.decode = plan, engine, environments, renderer, decode

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        tasks = entries(payload["category"])[payload["start"] : payload["stop"]]
        kept = _Kept(self.environments)
        turns = Turns(self.renderer, self.decode, self.plan.sampling, _most_replies(tasks))
        table = answers(tasks, turns(self.engine, tasks, kept, int(payload["first"])), kept)
        counts = {
            "answers": len(table),
            **{name: sum(table.column(name).to_pylist()) for name in ("right", "faulty", "truncated", "calls", "tokens")},
        }
        extra = {"counts": counts, "started": started, "ended": time.time()}
        place = Location.of(self.plan.artifact)
        return write_shard(place, self.plan.prefix, payload["shard"], parquet_bytes(table), len(table), extra)


class _Kept:
    """Environments that are remembered by their task: what was wrong is asked of them afterwards."""

    def __init__(self, environments: BfclEnvironments) -> None:
        self._environments = environments
        self.begun: dict[str, Bfcl | BfclSingle] = {}

    def begin(self, task: Task) -> Bfcl | BfclSingle:
        self.begun[task.task_id] = self._environments.begin(task)
        return self.begun[task.task_id]

    def close(self) -> None:
        """Nothing is held here."""


def answers(tasks: Sequence[Task], rollouts: Sequence[Played], kept: _Kept) -> pa.Table:
    """A row an entry. A rollout whose simulators failed is wrong."""
    rows = []
    for task, played in zip(tasks, rollouts, strict=True):
        standing = played.standing
        right = standing is not None and standing.worth == 1.0
        why = played.fault if standing is None else kept.begun[task.task_id].why
        rows.append(
            {
                "category": task.facts["category"],
                "task_id": task.task_id,
                "replies": list(played.replies),
                "right": right,
                "why": why,
                "calls": 0 if standing is None else standing.calls,
                "failed": 0 if standing is None else standing.failed,
                "truncated": played.truncated,
                "faulty": standing is None,
                "tokens": sum(played.written),
            }
        )
    return pa.Table.from_pylist(rows, schema=TOOL_ANSWERS)


def require_tools_shown(renderer: Renderer, task: Task) -> None:
    """A template may drop what it does not know: a policy that never saw the tools would be measured for nothing."""
    asked = task.conversation()
    if renderer.prompt(asked) == renderer.prompt(Conversation(asked.messages, None, asked.chat_id)):
        raise ModelError(
            "the model's chat template shows no tools, so it cannot be asked to call them; give one that does (policy.template=FILE.jinja)"
        )


def _most_replies(tasks: Sequence[Task]) -> int:
    """What BFCL allows: each turn so many steps, and the reply that ends it."""
    return max(len(task.facts["users"]) + 1 if "users" in task.facts else 1 for task in tasks) * (STEPS + 1)
