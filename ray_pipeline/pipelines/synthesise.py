"""Stage `synthesised`: conversations with tools that a model wrote.

shards/NNNNNN.parquet   as they were written
chats.jsonl             each once, in OpenAI's format: what `chats.path` takes
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pydantic import model_validator

from ray_pipeline.artifacts import Artifact, Attempt, File
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.chats.formats import write_chats
from ray_pipeline.data.chats.selection import distinct
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.synthesis.settings import DialogueSettings, EndpointSettings
from ray_pipeline.synthesis.shards import FORMAT, MakeDialogueShard, nothing
from ray_pipeline.synthesis.tools import read_tools

ALGORITHM: Final = 1


class SynthesisSettings(Settings):
    """What is written, and by whom."""

    tools: str = source(..., "file of function schemas: a JSON list, or one a line; any URI that pyarrow.fs opens")
    endpoint: EndpointSettings = section(..., "who writes")
    dialogue: DialogueSettings = section(DialogueSettings(), "what a conversation is made of")
    conversations: int = identity(1000, "how many are begun; those that are of no use are left out, and counted", ge=1)
    seed: int = identity(0, "decides, with its number, which tools a conversation offers")
    shard_rows: int = identity(32, "conversations a shard: the unit of work, of retry and of progress", ge=1)
    most_cost: float | None = identity(None, "end with an error once a shard's conversations cost more on average; prices are endpoint.*_price", gt=0)

    @model_validator(mode="after")
    def _prices_for_a_cost(self) -> SynthesisSettings:
        if self.most_cost is not None and not (self.endpoint.prompt_price or self.endpoint.completion_price):
            raise ValueError(f"most_cost={self.most_cost} is never reached without prices; set endpoint.prompt_price and endpoint.completion_price")
        return self


def synthesise(run: Run, settings: SynthesisSettings) -> Artifact:
    """The conversations; a killed run goes on with the shards that are missing."""
    stage = Stage("synthesised", ALGORITHM, {"synthesis": settings}, {"tools": raw_input(settings.tools, "tools")})
    tools = read_tools(settings.tools)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        shards = shards_of(settings.conversations, settings.shard_rows)
        todo: list[dict[str, Any]] = [dict(shard) for shard in shards if shard["shard"] not in finished]
        place = attempt.location.uri, attempt.prefix
        make = MakeDialogueShard(tools, settings.endpoint, settings.dialogue, settings.seed, settings.most_cost, *place)
        records = collect_shards(attempt, "shards/", finished, len(shards), run_shards(todo, nothing, make, run.cluster))
        table = pa.concat_tables([attempt_table(attempt, record) for record in records])
        once = distinct(table)
        if not len(once):
            raise DataError(f"{settings.endpoint.url}: no conversation is of use: {summed(records)}")
        with tempfile.TemporaryDirectory(prefix="ray_pipeline-synthesis-") as folder:
            write_chats(once, f"{folder}/chats.jsonl", FORMAT)  # type: ignore[arg-type]
            attempt.write("chats.jsonl", (Path(folder) / "chats.jsonl").read_bytes(), len(once))
        cost = sum(float(record["cost"]) for record in records)
        return Outcome(len(once), {**summed(records), "repeated": len(table) - len(once), "cost": cost})

    return run.ensure(stage, build)


def attempt_table(attempt: Attempt, record: Mapping[str, Any]) -> pa.Table:
    """What a shard has written."""
    import pyarrow.parquet as pq

    place = attempt.location / File(**record["file"]).path
    return pq.read_table(pa.BufferReader(place.read()))
