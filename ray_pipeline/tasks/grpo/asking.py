"""What is asked of a policy, and in what: prompts of conversations, or tasks in an environment; refused where the engine could not hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.tasks.task import tasks_of
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, policy_tokenizer, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.drawing import Acts, Answers, Drawing
from ray_pipeline.rollout.environments.registry import opened
from ray_pipeline.rollout.prompts import prompts_of
from ray_pipeline.rollout.rewards.judge import Judge
from ray_pipeline.rollout.turns import Turns
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.text.chat.rendering import MaskSettings


def drawing_of(
    inputs: Mapping[str, str], model: PolicySettings, form: Form, training: GrpoTraining, held: ExitStack, say: Callable[[str], None]
) -> Drawing:
    """`inputs`: URIs of `chats`, or of `tasks`; `held` ends what is started: a user's own reward or environment is told of before any engine is."""
    folder = locate(model.name, model.revision).folder
    renderer, tokenizer = renderer_of(folder, model, MaskSettings(), form), policy_tokenizer(folder, model)
    judge = held.enter_context(Judge(training.reward))
    if training.environment is None:
        rows = Rows.of(load(inputs["chats"], "chats"), "train/").table()
        prompts = prompts_of(rows.to_pylist(), renderer, training.draw.replies)
        lengths = _fitting({one.prompt_id: len(one.ids) for one in prompts}, training, "conversation", say)
        return Answers([one for one in prompts if one.prompt_id in lengths], training.draw, judge, tokenizer.decode)
    tasks = list(tasks_of(_rows(load(inputs["tasks"], "tasks"))))
    lengths = _fitting({one.task_id: len(renderer.prompt(one.conversation())) for one in tasks}, training, "task", say)
    tasks = [one for one in tasks if one.task_id in lengths]
    environments = opened(training.environment)
    held.callback(environments.close)
    turns = Turns(renderer, tokenizer.decode, training.draw.sampling(), training.environment.replies)
    return Acts(tasks, turns, environments, judge)


def _rows(tasks: Artifact) -> Any:
    return Rows.of(tasks, "train/").table()


def _fitting(given: Mapping[str, int], training: GrpoTraining, kind: str, say: Callable[[str], None]) -> dict[str, int]:
    """The lengths of prompts that are wanted by name; refused where one is longer with its answer than the engine holds."""
    least, top = training.draw.least_prompt, training.draw.most_prompt
    lengths = {name: length for name, length in given.items() if length >= least and (top is None or length <= top)}
    if len(lengths) < len(given):
        say(f"{len(given) - len(lengths):,} of {len(given):,} prompts are left out for their length (draw.least_prompt, draw.most_prompt)")
    if not lengths:
        tallest = max(given.values(), default=0)
        raise SettingsError(f"draw.least_prompt={least} and draw.most_prompt={top} leave out every {kind}; the longest has {tallest:,} tokens")
    name, longest = max(lengths.items(), key=lambda one: one[1])
    most = training.engine.max_length
    if most is not None and longest + training.draw.max_tokens > most:
        raise SettingsError(
            f"{kind} {name}: its prompt has {longest:,} tokens, which with draw.max_tokens={training.draw.max_tokens} are more than "
            f"engine.max_length={most:,}; raise that, or leave out longer {kind}s (draw.most_prompt)"
        )
    return lengths
