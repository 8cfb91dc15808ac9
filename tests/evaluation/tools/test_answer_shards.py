"""Entries answered shard by shard, by policies whose every reply is known: ground truth is right, mistakes are not, and templates must show tools."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.artifacts import Workspace, read_parquet
from ray_pipeline.data.bfcl.categories import Category
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import ModelError
from ray_pipeline.evaluation.tools.answer_shards import MakeToolShard, ToolShard, require_tools_shown
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.rollout.environments.bfcl import BfclEnvironments, right_calls
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.rollout.writer import Answer, Request, Writer
from ray_pipeline.text.chat.rendering import ChatRenderer, MaskSettings
from ray_pipeline.text.chat.template import ChatTemplate
from tests.chat_models import byte_tokenizer, with_template
from tests.metrics.test_function_match_peer import right_calls as right_single

TOKENIZER = with_template(byte_tokenizer(), "qwen3_instruct_2507")
RENDERER = ChatRenderer(TOKENIZER, ChatTemplate(TOKENIZER, {}), MaskSettings())
TOGETHER = {"multi_turn_base": 3, "multi_turn_miss_func": 2, "simple_python": 5, "multiple": 5, "parallel": 5, "irrelevance": 5}


class KnownPolicy(Writer):
    """Replies to a user with the calls that are right there, spoilt if asked for, and to results of tools with a word."""

    def __init__(self, tasks: Sequence[Task], spoilt: bool) -> None:
        self._spoilt = spoilt
        self._right = {said: calls for task in tasks for said, calls in _by_what_is_said(task)}

    @property
    def room(self) -> int:
        return 1_000_000

    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        return [[self._reply(TOKENIZER.decode(one.ids))] for one in requests]

    def _reply(self, prompt: str) -> Answer:
        users = [one for one in re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", prompt, re.DOTALL) if not one.startswith("<tool_response>")]
        told = prompt.rpartition("<|im_start|>user\n")[2].startswith("<tool_response>")
        calls = [] if told else self._right["\n".join(users)]
        if self._spoilt:
            calls = [("no_such_function", {})] if not told and not calls else []
        text = "".join(f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>" for name, arguments in calls) or "done"
        ids = TOKENIZER(f"{text}<|im_end|>", add_special_tokens=False)["input_ids"]
        return Answer(tuple(ids), text, None, True)

    def rest(self) -> None: ...

    def wake(self) -> None: ...

    def let_go(self) -> None:
        raise NotImplementedError

    def take_weights(self, file: Path, version: int) -> None:
        raise NotImplementedError

    def each(self) -> Sequence[Writer]:
        return [self]

    def close(self) -> None:
        """Nothing is held."""


def _by_what_is_said(task: Task) -> list[tuple[str, Any]]:
    """After all that a user has said so far, the calls that are right."""
    said, found = [task.messages[-1].content or ""], []
    if "truth" not in task.facts:
        shown = {name: tool for tool, name in task.facts["names"].items()}
        single = [] if task.facts["possible"] is None else right_single(task.facts["possible"])
        return [(said[0], [(shown[name], arguments) for one in single for name, arguments in one.items()])]
    for turn, later in zip(right_calls(task), [*task.facts["users"], []], strict=True):
        found.append(("\n".join(said), turn))
        said += [one["content"] for one in later]
    return found


def shard(tmp_path: Path, environments: BfclEnvironments, category: Category, stop: int, spoilt: bool) -> list[dict[str, Any]]:
    attempt = Workspace.at(str(tmp_path)).begin("tool_run", "abc")
    plan = MakeToolShard(
        PolicySettings(name="known"), EngineSettings(), SamplingSettings(), EnvironmentSettings(kind="bfcl"), attempt.location.uri, attempt.prefix
    )
    policy = KnownPolicy(bfcl_tasks(category)[:stop], spoilt)
    worker = ToolShard(plan, policy, environments, RENDERER, TOKENIZER.decode)
    record = worker({"shard": 0, "category": category, "start": 0, "stop": stop, "first": 0})
    rows = read_parquet(attempt.location / record["file"]["path"]).to_pylist()
    assert record["counts"]["right"] == sum(row["right"] for row in rows)
    assert record["counts"]["answers"] == stop
    return list(rows)


@pytest.fixture(scope="module")
def environments() -> Any:
    found = BfclEnvironments(EnvironmentSettings(kind="bfcl"))
    yield found
    found.close()


@pytest.mark.parametrize("category", TOGETHER)
def test_ground_truth_is_right_and_a_policy_wrong_on_purpose_is_not(category: Category, environments: BfclEnvironments, tmp_path: Path) -> None:
    rows = shard(tmp_path / "right", environments, category, TOGETHER[category], spoilt=False)
    assert [row["why"] for row in rows] == [None] * len(rows)
    assert all(row["right"] and not row["faulty"] and not row["truncated"] for row in rows)
    wrong = shard(tmp_path / "wrong", environments, category, TOGETHER[category], spoilt=True)
    assert not any(row["right"] for row in wrong)
    assert all(row["why"] and not row["faulty"] for row in wrong)


def test_a_hang_is_counted_and_wrong(tmp_path: Path) -> None:
    environments = BfclEnvironments(EnvironmentSettings(kind="bfcl", seconds=0.001))
    rows = shard(tmp_path, environments, "multi_turn_base", 1, spoilt=False)
    environments.close()
    assert [(row["right"], row["faulty"], "timeout" in row["why"]) for row in rows] == [(False, True, True)]


def test_a_template_that_shows_no_tools_is_refused() -> None:
    task = bfcl_tasks("simple_python")[0]
    require_tools_shown(RENDERER, task)
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    with pytest.raises(ModelError, match="shows no tools"):
        require_tools_shown(ChatRenderer(tokenizer, ChatTemplate(tokenizer, {}), MaskSettings()), task)
