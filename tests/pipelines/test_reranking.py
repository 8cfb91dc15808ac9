"""From mined groups to a reranker, its scores, a student of theirs, and a reranked evaluation: on tiny models, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jobs.command_line import settings_from
from jobs.pipeline import PipelineJob
from ray_pipeline.artifacts import Artifact, Workspace, load
from ray_pipeline.config import parse
from ray_pipeline.errors import DataError, ModelError, SettingsError
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.plan import run_steps
from ray_pipeline.pipelines.score import score_groups
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_reranker import begun_with
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.score import ScoreSettings

HERE = ClusterSettings(in_process="always", threads_per_worker=1)
TRAIN = {"epochs": 1, "max_steps": 3, "batch_size": 8, "evaluation": None, "checkpoints": {"keep_best": False}}
STEPS: dict[str, Any] = {
    "mine": {"kind": "mine", "k": 30, "mining": {"range": [0, 20], "negatives": 4}},
    "reranker": {
        "kind": "train_reranker",
        "groups": "mine",
        "training": {
            "train": {**TRAIN, "optimizer": {"lr": 3e-3}, "evaluation": {"query_share": 0.3, "metric": "map@25"}},
            "batches": {"negatives_per_query": 3},
            "candidates": 8,
        },
    },
    "scored": {"kind": "score", "groups": "mine", "reranker": "reranker", "score": {"shard_rows": 100}},
    "student": {
        "kind": "train_embedder",
        "groups": "scored",
        "training": {"train": TRAIN, "objective": {"distill_weight": 1.0}, "batches": {"negatives_per_query": 3}},
    },
    "retrieved": {"kind": "evaluate", "k": 30, "model": "student", "evaluate": {"baseline": "none"}},
    "reranked": {
        "kind": "evaluate",
        "k": 30,
        "model": "student",
        "rerankers": ["reranker"],
        "rerank": {"depth": 8},
        "against": "retrieved",
        "evaluate": {"baseline": "none"},
    },
    "fused": {
        "kind": "evaluate",
        "k": 30,
        "model": "student",
        "rerankers": ["reranker"],
        "rerank": {"depth": 8, "fusion": "rrf", "with_retrieval": True},
        "evaluate": {"baseline": "none"},
    },
}


def job(model: Path, workspace: Path, steps: dict[str, Any]) -> PipelineJob:
    values = settings_from("pipeline", [f"model.name={model}", "model.max_length=40", "model.precision=fp32", "data.rows=300", "experiment=null"])
    reranker = {"name": str(model), "kind": "classifier", "max_length": 80}
    return parse(PipelineJob, {**values, "workspace": str(workspace), "steps": steps, "reranker": reranker})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, Artifact]:
    workspace = tmp_path_factory.mktemp("reranking")
    run = Run(Workspace.at(str(workspace)), HERE)
    return {one.name: one.artifact for one in run_steps(run, job(tiny_model, workspace, STEPS), "a test")}


def test_the_reranker_learns_from_lists_and_is_evaluated_on_candidates(done: dict[str, Artifact]) -> None:
    metrics = done["reranker"].metrics
    assert done["reranker"].stage == "reranker"
    assert [one["step"] for one in metrics["evaluations"]] == [0, 3]
    assert {"eval_loss", "map@25", "recall@25"} <= metrics["evaluations"][0].keys()
    assert set(metrics["parameters"]["trained"]) == {"head", "body", "embed_tokens"}
    assert Reranker(RerankerSettings(name=done["reranker"].location.uri)).settings.kind == "classifier"


def test_scores_stand_beside_their_ids(done: dict[str, Artifact]) -> None:
    """Each equals the model's own score of the two texts; nothing else has changed."""
    before, after = done["mine"].table("groups/").to_pylist(), done["scored"].table("groups/").to_pylist()
    reranker = Reranker(RerankerSettings(name=done["reranker"].location.uri))
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        for side in ("positives", "negatives"):
            assert [{**one, "teacher_score": None} for one in new[side]] == old[side]
        if row % 40 == 0:
            documents = [*new["positives"], *new["negatives"]]
            found = reranker.rank(new["query"], [one["text"] for one in documents])
            np.testing.assert_allclose([one["teacher_score"] for one in documents], found, atol=1e-4)
    assert done["scored"].metrics["pairs"] == sum(len(row["positives"]) + len(row["negatives"]) for row in before)


def test_a_reranked_list_is_the_retrieved_one_in_another_order(done: dict[str, Artifact]) -> None:
    lists = {
        name: Ranking.from_table(load(done[name].manifest["inputs"]["ranking"]["uri"]).table("ranking/"))
        for name in ("retrieved", "reranked", "fused")
    }
    first, second = lists["retrieved"].docs, lists["reranked"].docs
    assert (np.sort(first[:, :8]) == np.sort(second[:, :8])).all()
    assert (first[:, 8:] == second[:, 8:]).all()
    assert (first != second).any()
    assert done["reranked"].metrics["means"]["recall@8"] == done["retrieved"].metrics["means"]["recall@8"]
    assert (lists["fused"].docs != second).any()
    assert locate(done["reranker"].location.uri).name in done["reranked"].file("report.md").read().decode()


def test_what_is_done_is_found_done_in_other_shards_of_time(done: dict[str, Artifact], tiny_model: Path) -> None:
    workspace = Path(done["mine"].location.uri).parents[1]
    run = Run(Workspace.at(str(workspace)), HERE)
    again = {one.name: one.artifact for one in run_steps(run, job(tiny_model, workspace, STEPS), "a test")}
    assert {stage.status for stage in run.done} == {"already done"}
    assert {name: one.fingerprint for name, one in again.items()} == {name: one.fingerprint for name, one in done.items()}


def test_a_killed_scoring_goes_on_by_shards(done: dict[str, Artifact], tiny_model: Path, tmp_path: Path) -> None:
    """The attempt holds two of its shards; the next run scores the others, to the same bytes."""
    reranker = RerankerSettings(name=done["reranker"].location.uri)
    settings = ScoreSettings(shard_rows=40)

    class Cut(Exception):
        pass

    import ray_pipeline.pipelines.score as stage

    whole = score_groups(Run(Workspace.at(str(tmp_path / "whole")), HERE), done["mine"], reranker, settings)
    plain = stage.run_shards

    def cut(*given: Any) -> Any:
        for number, record in enumerate(plain(*given)):
            if number == 2:
                raise Cut
            yield record

    run = Run(Workspace.at(str(tmp_path / "cut")), HERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "run_shards", cut)
        with pytest.raises(Cut):
            score_groups(run, done["mine"], reranker, settings)
    found = score_groups(run, done["mine"], reranker, settings)
    assert [stage.status for stage in run.done] == ["resumed"]
    assert found.table("groups/").equals(whole.table("groups/"))
    assert found.part_fingerprint("groups/") == whole.part_fingerprint("groups/")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reranked": {**STEPS["reranked"], "rerankers": ["mine"]}}, "that step gives groups, and reranker is needed here"),
        ({"reranked": {**STEPS["reranked"], "rerankers": ["reranker", "reranker"]}}, "say how they become one"),
        ({"fused": {**STEPS["fused"], "rerank": {"fusion": "rrf"}}}, "with one scoring changes nothing"),
        ({"scored": {**STEPS["scored"], "groups": "student"}}, "there is no such step|that step comes later"),
        ({"again": {**STEPS["reranker"], "begins_with": "reranker"}}, "that step gives reranker, and model is needed here"),
        ({"again": {**STEPS["reranker"], "begins_with": "student", "reranker": "reranker"}}, "drop begins_with or reranker"),
    ],
)
def test_steps_that_do_not_fit_are_refused_before_anything_runs(tiny_model: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        job(tiny_model, tmp_path, {**STEPS, **changes})
    assert not list(tmp_path.iterdir())


def test_distilling_from_groups_that_no_teacher_scored_is_refused(done: dict[str, Artifact], tiny_model: Path) -> None:
    workspace = Path(done["mine"].location.uri).parents[1]
    steps = {"mine": STEPS["mine"], "student": {**STEPS["student"], "groups": "mine"}}
    with pytest.raises(DataError, match=r"of no query did the teacher score two documents .*python -m jobs\.score"):
        list(run_steps(Run(Workspace.at(str(workspace)), HERE), job(tiny_model, workspace, steps), "a test"))


def test_a_classifier_begins_with_the_embedder_that_was_trained(done: dict[str, Artifact], tiny_model: Path) -> None:
    workspace = Path(done["mine"].location.uri).parents[1]
    training = {"train": {**TRAIN, "optimizer": {"lr": 1e-12}}, "batches": {"negatives_per_query": 3}}
    steps = {**STEPS, "again": {"kind": "train_reranker", "groups": "mine", "begins_with": "student", "training": training}}
    run = Run(Workspace.at(str(workspace)), HERE)
    made = {one.name: one.artifact for one in run_steps(run, job(tiny_model, workspace, steps), "a test")}
    name = "encoder.layer.0.output.dense.weight"
    again = load_file(made["again"].file("model/model.safetensors").uri)[f"bert.{name}"]
    student = load_file(made["student"].file("model/model.safetensors").uri)[name]
    base = load_file(tiny_model / "model.safetensors")[name]
    assert torch.allclose(again, student, atol=1e-9)
    assert not torch.allclose(base, student, atol=1e-9)
    scored = [one for one in run.done if one.stage == "reranker" and one.status == "computed"]
    assert len(scored) == 1


def test_only_a_classifier_begins_with_an_embedder(done: dict[str, Artifact], tiny_model: Path) -> None:
    base = job(tiny_model, Path("unused"), STEPS).reranker
    assert base is not None
    with pytest.raises(SettingsError, match=r"reranker\.kind is auto; set it to classifier"):
        begun_with(done["student"], base.model_copy(update={"kind": "auto"}))
    with pytest.raises(ModelError, match="is an embedder, and a reranker is needed here"):
        Reranker(base.model_copy(update={"kind": "auto", "name": done["student"].location.uri}))
    with pytest.raises(ModelError, match="head"):
        Reranker(base.model_copy(update={"name": done["student"].location.uri}))
