"""Stages `tool_run` and `tool_evaluation`: a policy asked BFCL's entries, run after run, and what the runs say together.

tool_run          answers/NNNNNN.parquet   a row an entry: its replies, whether it is right, why not
tool_evaluation   report.md, runs.csv, report.json, verdicts.parquet: of all runs

Each run is an artifact of its own, known by its number: more runs later compute those that are missing, and a killed run goes on with its shards.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pydantic import model_validator

from ray_pipeline.artifacts import Artifact, Attempt, load
from ray_pipeline.config import Settings, identity, placement, section, source
from ray_pipeline.data.bfcl.categories import Category
from ray_pipeline.data.bfcl.package import package_version
from ray_pipeline.errors import SettingsError
from ray_pipeline.evaluation.tools.answer_shards import MakeToolShard, as_it_is, entries, require_tools_shown, spoken_to
from ray_pipeline.evaluation.tools.runs import ToolModel, differences, verdicts_of
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.render import policy_inputs
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.reports.tool_runs import tool_csv, tool_json, tool_page, tool_table
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.rollout.adapter import locate_adapter
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.rollout.writer import draw_seed
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.schemas import TOOL_VERDICTS

ALGORITHM: Final = 1
logger = logging.getLogger(__name__)


class ToolRunSettings(Settings):
    """One run."""

    categories: tuple[Category, ...] = identity(("multi_turn_base",), "BFCL's categories, each reported on its own", min_length=1)
    entries: int | None = identity(None, "the first so many entries of each category; null: all, which is what figures are compared by", ge=1)
    adapter: str | None = source(None, "an adapter on the model: a folder in peft's layout, or the artifact of a training that made one")
    sampling: SamplingSettings = section(SamplingSettings(), "how replies are drawn; max_tokens is of one reply, and each run has a seed of its own")
    engine: EngineSettings = section(EngineSettings(), "how vLLM holds the model; several turns need room (max_length)")
    seconds: float = identity(10.0, "what the simulators may take for an answer", gt=0)
    sandbox: SandboxSettings = section(SandboxSettings(), "what the simulators are held by")
    shard_rows: int = identity(100, "entries a shard, whose rollouts are drawn together: the unit of work, of retry and of progress", ge=1)


class EvaluateToolsSettings(ToolRunSettings):
    """Several runs, and what is said of them."""

    runs: int = identity(5, "how often all entries are asked; more later compute those that are missing", ge=1)
    title: str | None = placement(None, "what the model is called in tables; null: the end of policy.name")
    note: str = placement("", "what the table says of the model")
    compare: str | None = source(None, "another evaluation of tools, to hold this one against: an artifact of jobs.evaluate_tools")

    @model_validator(mode="after")
    def _runs_differ(self) -> EvaluateToolsSettings:
        if self.sampling.samples != 1:
            raise ValueError(f"sampling.samples={self.sampling.samples}: a run has one answer to each entry; set runs")
        if self.runs > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"runs={self.runs} at sampling.temperature=0 are one run so often; raise the temperature (BFCL's is 0.001), or take runs=1"
            )
        if len(set(self.categories)) < len(self.categories):
            raise ValueError(f"categories={list(self.categories)}: one of them stands there twice")
        return self

    def one_run(self) -> ToolRunSettings:
        return ToolRunSettings(**{name: getattr(self, name) for name in ToolRunSettings.model_fields})


def evaluate_tools(run: Run, model: PolicySettings, settings: EvaluateToolsSettings) -> Artifact:
    """The runs together; those that are there are not made again."""
    reference = None if settings.compare is None else load(settings.compare, "tool_evaluation")
    name = settings.title or Path(model.name.rstrip("/")).name
    runs: list[Artifact] = []
    for number in range(settings.runs):
        runs.append(tool_run(run, model, settings.one_run(), number))
        logger.info("%s", tool_table([_model(name, settings, runs)]))
    inputs = {f"run{number}": one.as_input() for number, one in enumerate(runs)}
    if reference is not None:
        inputs["compare"] = reference.as_input()
    stage = Stage("tool_evaluation", ALGORITHM, {}, inputs, {"name": name, "note": settings.note})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        found = _model(name, settings, runs)
        held = [] if reference is None else [tool_model(reference)]
        compared = [one for other in held for one in differences(found, other)]
        attempt.write("report.md", tool_page([found, *held], compared).encode())
        attempt.write("runs.csv", tool_csv([found, *held]).encode())
        attempt.write("report.json", tool_json([found, *held], compared).encode())
        attempt.write_table("verdicts.parquet", _table(found))
        said = {"table": tool_table([found, *held]), "differences": [one.sentence() for one in compared]}
        about = {"name": name, "note": settings.note, "asked": found.asked, "faults": found.faults}
        means = {category: one.mean for category, one in found.verdicts.items()}
        return Outcome(sum(len(one.entries) for one in found.verdicts.values()), {**about, "means": means, **said})

    return run.ensure(stage, build)


def tool_run(run: Run, model: PolicySettings, settings: ToolRunSettings, number: int) -> Artifact:
    """One run over all categories. `number`: decides its draws."""
    inputs = policy_inputs(model)
    if settings.adapter is not None:
        inputs["adapter"] = locate_adapter(settings.adapter, locate(model.name, model.revision)).as_input()
    stage = Stage("tool_run", ALGORITHM, {"model": model, "evaluate": settings}, inputs, {"run": number, "bfcl": package_version()})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        require_tools_shown(spoken_to(model)[0], entries(settings.categories[0])[0])  # before an engine starts
        shards = _shards(settings)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        sampling = settings.sampling.model_copy(update={"seed": draw_seed(settings.sampling.seed, number)})
        environment = EnvironmentSettings(kind="bfcl", seconds=settings.seconds, sandbox=settings.sandbox)
        make = MakeToolShard(model, settings.engine, sampling, environment, attempt.location.uri, attempt.prefix, settings.adapter)
        records = collect_shards(attempt, "answers/", finished, len(shards), run_shards(todo, as_it_is, make, run.cluster))
        return Outcome(sum(record["counts"]["answers"] for record in records), summed(records), placed_workers(records))

    return run.ensure(stage, build)


def _shards(settings: ToolRunSettings) -> list[dict[str, Any]]:
    """Stretches of categories; `first`: the place of its first entry among all that are asked."""
    found: list[dict[str, Any]] = []
    before = 0
    for category in settings.categories:
        count = len(entries(category)[: settings.entries])
        for one in shards_of(count, settings.shard_rows):
            stretch = {"category": category, "start": one["start"], "stop": one["stop"], "first": before + one["start"]}
            found.append({"shard": len(found), **stretch})
        before += count
    return found


def _model(name: str, settings: EvaluateToolsSettings, runs: Sequence[Artifact]) -> ToolModel:
    rows = [one.table("answers/").select(["category", "task_id", "right"]).to_pylist() for one in runs]
    return ToolModel(name, verdicts_of(rows), settings.runs, settings.note, sum(one.metrics["faulty"] for one in runs))


def _table(model: ToolModel) -> pa.Table:
    rows = [
        {"category": category, "task_id": entry, "right": right}
        for category, one in model.verdicts.items()
        for entry, right in zip(one.entries, one.right.tolist(), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=TOOL_VERDICTS)


def tool_model(evaluation: Artifact) -> ToolModel:
    """What such an artifact says of its model."""
    rows = evaluation.table("verdicts.parquet").to_pylist()
    count = len(rows[0]["right"])
    if any(len(row["right"]) != count for row in rows):
        raise SettingsError(f"{evaluation.location.uri}: its entries have not all as many runs; evaluate again")
    found = verdicts_of([[{**row, "right": row["right"][number]} for row in rows] for number in range(count)])
    about = evaluation.metrics
    return ToolModel(about["name"], found, about["asked"], about["note"], about["faults"])
