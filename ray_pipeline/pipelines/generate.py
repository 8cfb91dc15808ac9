"""Stage `generations`: what a policy answers to the conversations of a data set.

NNNNNN.parquet   a row an answer: prompt and answer in tokens, text, whether it ended by itself
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.render import policy_inputs
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.rollout.adapter import locate_adapter
from ray_pipeline.rollout.generate_shards import MakeGenerateShard, MakePrompts
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings

ALGORITHM: Final = 1


class AnswerSettings(Settings):
    """How a policy answers."""

    form: Form = identity("chat", "chat: in the model's template; plain: a prompt is continued as it stands (base models)")
    sampling: SamplingSettings = section(SamplingSettings(), "what is drawn for each prompt")
    engine: EngineSettings = section(EngineSettings(), "how vLLM holds the model")
    shard_rows: int = identity(256, "conversations a shard: the unit of work, of retry and of progress", ge=1)


class GenerateSettings(AnswerSettings):
    """What is asked for."""

    split: Literal["train", "eval"] = identity("eval", "whose conversations; each is answered up to its last reply")
    adapter: str | None = source(None, "an adapter on the model: a folder in peft's layout, or the artifact of a training that made one")


def generate(run: Run, chats: Artifact, model: PolicySettings, settings: GenerateSettings) -> Artifact:
    """The answers; a killed run goes on with the shards that are missing."""
    part = f"{settings.split}/"
    if not chats.files(part):
        raise DataError(f"{chats.location.uri}: no conversations in split {settings.split!r}; set split, or chats.eval_share")
    rows = len(Rows.of(chats, part))
    inputs = {"chats": chats.as_input(), **policy_inputs(model)}
    if settings.adapter is not None:
        inputs["adapter"] = locate_adapter(settings.adapter, locate(model.name, model.revision)).as_input()
    stage = Stage("generations", ALGORITHM, {"model": model, "generate": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        shards = shards_of(rows, settings.shard_rows)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        prompts = MakePrompts(chats.location.uri, settings.split, model, settings.form)
        make = MakeGenerateShard(model, settings.engine, settings.sampling, attempt.location.uri, attempt.prefix, settings.adapter)
        records = collect_shards(attempt, "generations/", finished, len(shards), run_shards(todo, prompts, make, run.cluster))
        return Outcome(sum(record["counts"]["answers"] for record in records), summed(records), placed_workers(records))

    return run.ensure(stage, build)
