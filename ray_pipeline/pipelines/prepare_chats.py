"""Stage `chats`: conversations read from files or generated, checked, chosen and divided.

    train/NNNNNN.parquet   what is trained on
    eval/NNNNNN.parquet    what is held out, where anything is

In this order: malformed conversations are refused or dropped, repeated ones dropped, those of other lengths in turns left out; a share is held
out by what the conversations say; of the rest a sample is taken. So the samples of one seed are nested (the 100 lie within the 1,000), and all
are held against the same conversations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.chats.formats import FormatName, ReadChats, read_chats
from ray_pipeline.data.chats.selection import distinct, divided, sampled, shared, with_turns
from ray_pipeline.data.problems.chats import problem_chats
from ray_pipeline.data.tasks.bank.generate import tool_task_chats
from ray_pipeline.data.tool_chats.generate import tool_chats
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.bank_settings import BankChoice
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.problems import ProblemData, ProblemFile, read_or_made
from ray_pipeline.pipelines.stage import Outcome, Run, Stage

ALGORITHM: Final = 1
FILE_ROWS: Final = 1 << 14


class ChatChoice(Settings):
    """Which conversations, whatever they come from."""

    distinct: bool = identity(True, "keep one of conversations that say the same")
    least_turns: int = identity(1, "leave out those whose user speaks less often", ge=0)
    most_turns: int | None = identity(None, "leave out those whose user speaks more often", ge=1)
    eval_share: float = identity(0.05, "share of the conversations to hold out", ge=0, lt=1)
    split_seed: int = identity(0, "decides, with what a conversation says, its side")
    sample: int | None = identity(None, "train on so many; smaller samples of a seed lie within larger ones", ge=1)
    sample_seed: int = identity(0, "decides, with what a conversation says, whether it is in the sample")


class ChatFiles(ChatChoice):
    kind: Literal["files"] = identity("files", "read from files")
    format: FormatName = identity("openai", "how the files are laid out")
    path: str = source(..., "file or folder; any URI that pyarrow.fs opens")
    eval_path: str | None = source(None, "what is held out, where it is a file of its own; eval_share is 0 then")
    malformed: Literal["fail", "drop"] = identity("fail", "what becomes of rows that are no conversation; dropped ones are counted")
    overlap: Literal["fail", "drop"] = identity("fail", "what becomes of conversations of path that stand in eval_path too; dropped ones are counted")

    @model_validator(mode="after")
    def _one_eval(self) -> ChatFiles:
        if self.eval_path is not None and self.eval_share:
            raise ValueError(f"eval_path and eval_share={self.eval_share} both say what is held out; set eval_share=0")
        return self


class GeneratedToolChats(ChatChoice):
    kind: Literal["tool_calls"] = identity("tool_calls", "generated: requests, the tools there are, and the calls that answer")
    rows: int = identity(4000, "how many conversations", ge=1)
    seed: int = identity(0, "the same seed gives the same conversations", ge=0)
    domains: int | None = identity(None, "take the functions of the first so many domains only; null: of all", ge=1)
    most_tools: int = identity(4, "tools that a conversation offers at most", ge=1)
    parallel_share: float = identity(0.2, "share of requests that ask for several calls at once", ge=0, le=1)
    multi_turn_share: float = identity(0.2, "share of conversations with a further request", ge=0, le=1)
    no_call_share: float = identity(0.15, "share of requests that are answered without a call", ge=0, le=1)

    def spec(self) -> ToolChatSpec:
        return ToolChatSpec(**{field.name: getattr(self, field.name) for field in fields(ToolChatSpec)})


class ProblemChats(ChatChoice):
    kind: Literal["problems"] = identity("problems", "programming problems, each a conversation that asks for its solution and bears its id")
    problems: ProblemData = section(..., "the problems")
    instruction: str = identity("{prompt}", "what is asked; {prompt} stands for the problem's own text, {entry_point} for its function's name")

    @model_validator(mode="after")
    def _asks(self) -> ProblemChats:
        if "{prompt}" not in self.instruction:
            raise ValueError("instruction has no {prompt}, so every problem would be asked alike")
        return self


class BankChats(BankChoice, ChatChoice):
    kind: Literal["bank"] = identity("bank", "generated: a bank's tasks as the reference does them, to imitate before learning from rollouts")


ChatSource = ChatFiles | GeneratedToolChats | ProblemChats | BankChats
ChatData = Annotated[ChatSource, Field(discriminator="kind")]


def prepare_chats(run: Run, data: ChatSource) -> Artifact:
    """The conversations, read or generated at most once."""
    files = {"path": data.path, "eval_path": data.eval_path} if isinstance(data, ChatFiles) else {}
    if isinstance(data, ProblemChats) and isinstance(data.problems, ProblemFile):
        files = {"problems.path": data.problems.path}
    inputs = {name: raw_input(path, f"chats.{name}") for name, path in files.items() if path is not None}
    stage = Stage("chats", ALGORITHM, {"data": data}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        sides, counts = _sides(data)
        for split, chats in sides.items():
            for number, start in enumerate(range(0, len(chats), FILE_ROWS)):
                attempt.write_table(f"{split}/{number:06d}.parquet", chats.slice(start, FILE_ROWS))
        return Outcome(len(sides["train"]), {**counts, "train": len(sides["train"]), "eval": len(sides["eval"])})

    return run.ensure(stage, build)


def _sides(data: ChatSource) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """What trains and what is held out, and what became of the rest."""
    read = _read(data)
    chats, counts = _chosen(read.chats, data)
    if not len(chats):
        raise DataError("no conversation is left to train on; the settings of chats leave all of them out")
    held_out = chats.slice(0, 0)
    if data.eval_share:
        chats, held_out = divided(chats, data.eval_share, data.split_seed)
    elif isinstance(data, ChatFiles) and data.eval_path is not None:
        held_out, _ = _chosen(read_chats(data.eval_path, data.format, data.malformed).chats, data)
        both = shared(chats, held_out)
        if both.any() and data.overlap == "fail":
            raise DataError(f"{data.path}: {int(both.sum()):,} conversations stand in {data.eval_path} too; take them out, or set chats.overlap=drop")
        chats, counts["overlap"] = chats.filter(pa.array(~both)), int(both.sum())
    if data.sample is not None:
        chats = sampled(chats, data.sample, data.sample_seed)
    told = {"read": len(read.chats), "malformed": len(read.malformed), "said": list(read.malformed[:20]), **counts}
    return {"train": chats, "eval": held_out}, told


def _read(data: ChatSource) -> ReadChats:
    if isinstance(data, ProblemChats):
        return ReadChats(problem_chats(read_or_made(data.problems), data.instruction), ())
    if isinstance(data, ChatFiles):
        return read_chats(data.path, data.format, data.malformed)
    if isinstance(data, BankChats):
        return ReadChats(tool_task_chats(data.spec()), ())
    return ReadChats(tool_chats(data.spec()), ())


def _chosen(chats: pa.Table, data: ChatChoice) -> tuple[pa.Table, dict[str, int]]:
    once = distinct(chats) if data.distinct else chats
    kept = with_turns(once, data.least_turns, data.most_turns)
    return kept, {"repeated": len(chats) - len(once), "of_other_turns": len(once) - len(kept)}
