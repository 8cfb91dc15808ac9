"""Stage `preferences`: sets of preferences read, checked and divided.

    train/NNNNNN.parquet, eval/NNNNNN.parquet   pairs, each with the name of its set

What is held out is decided by the prompt: two pairs of one prompt stand on one side, whatever sets they are in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import pyarrow as pa
from pydantic import model_validator

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.preferences.read import read_preferences
from ray_pipeline.data.splits import split_by_group
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.prepare_chats import FILE_ROWS
from ray_pipeline.pipelines.stage import Outcome, Run, Stage

ALGORITHM: Final = 1


class PreferenceSet(Settings):
    """One set of pairs."""

    path: str = source(..., "file or folder of pairs (prompt, chosen, rejected); any URI that pyarrow.fs opens")


class PreferenceData(Settings):
    """All that is trained on."""

    sets: dict[str, PreferenceSet] = section(..., "the sets by their names, which a mixture refers to")
    malformed: Literal["fail", "drop"] = identity("fail", "what becomes of rows that are no pair; dropped ones are counted")
    equal: Literal["fail", "drop"] = identity("fail", "what becomes of pairs whose answers are the same; dropped ones are counted")
    swap: bool = identity(False, "the control: the rejected answer is preferred; what was preferred must not be learned from it")
    eval_share: float = identity(0.1, "share of the prompts to hold out", ge=0, lt=1)
    split_seed: int = identity(0, "decides, with each prompt, its side")

    @model_validator(mode="after")
    def _some(self) -> PreferenceData:
        if not self.sets:
            raise ValueError("sets is empty; give one at least: preferences.sets.NAME.path=...")
        return self


def prepare_preferences(run: Run, data: PreferenceData) -> Artifact:
    """The pairs, read at most once."""
    inputs = {f"sets.{name}": raw_input(one.path, f"preferences.sets.{name}.path") for name, one in data.sets.items()}
    stage = Stage("preferences", ALGORITHM, {"data": data}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        read = {name: read_preferences(one.path, name, malformed=data.malformed, equal=data.equal) for name, one in data.sets.items()}
        pairs = pa.concat_tables([found.pairs for found in read.values()])
        if data.swap:
            pairs = pairs.rename_columns({"chosen": "rejected", "rejected": "chosen"}).select(pairs.column_names)
            pairs = pairs.set_column(pairs.column_names.index("source"), "source", pa.nulls(len(pairs), pa.string()))
        held_out = split_by_group(_prompts(pairs), data.eval_share, data.split_seed).astype(bool) if data.eval_share else [False] * len(pairs)
        sides = {"train": pairs.filter(pa.array([not one for one in held_out])), "eval": pairs.filter(pa.array(held_out, pa.bool_()))}
        if not len(sides["train"]):
            raise DataError("no pair is left to train on; the settings of preferences leave all of them out")
        for split, table in sides.items():
            for number, start in enumerate(range(0, len(table), FILE_ROWS)):
                attempt.write_table(f"{split}/{number:06d}.parquet", table.slice(start, FILE_ROWS))
        counts = {
            name: {"pairs": len(found.pairs), "equal": found.equal, "malformed": len(found.malformed), "said": list(found.malformed[:20])}
            for name, found in read.items()
        }
        return Outcome(len(sides["train"]), {"sets": counts, **{split: len(table) for split, table in sides.items()}})

    return run.ensure(stage, build)


def _prompts(pairs: pa.Table) -> list[str]:
    """What is asked, as a hash."""
    rows = pairs.select(["prompt", "tools"]).to_pylist()
    return [hashlib.sha256(json.dumps(row, sort_keys=True, ensure_ascii=False).encode()).hexdigest() for row in rows]
