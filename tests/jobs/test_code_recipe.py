"""experiment=code_efficiency: its smoke variant writes, judges, times, pairs, trains and compares; what it was made of can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.command_line import run_job, settings_from
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from tests.chat_models import save_tiny_decoder
from tests.jobs.test_chat_recipes import flat

GIVEN = ["problems.path=learn.jsonl", "held_out.path=measure.jsonl"]


def composed(experiment: str, *words: str) -> dict[str, Any]:
    return settings_from("pipeline", [f"experiment={experiment}", *words])


def test_a_smoke_variant_differs_from_its_recipe_only_in_size_and_problems() -> None:
    full, smoke = flat(composed("code_efficiency", *GIVEN)), flat(composed("smoke/code_efficiency"))
    differing = {key for key in full | smoke if full.get(key) != smoke.get(key)}
    sizes = {
        "samples",
        "max_tokens",
        "max_length",
        "eager",
        "kv_cache_gb",
        "most_rounds",
        "least_ms",
        "max_steps",
        "batch_size",
        "precision",
        "eval_share",
    }
    assert {key for key in differing if key.split(".")[0] == "steps"} == {key for key in differing if key.split(".")[-1] in sizes and "steps" in key}
    assert {key.split(".")[0] for key in differing} <= {"steps", "policy", "problems", "held_out", "cluster"}


def test_what_is_compared_is_the_policy_that_learned_from_the_pairs() -> None:
    steps = parse(PipelineJob, composed("code_efficiency", *GIVEN)).steps
    assert list(steps)[:6] == ["written", "written_judged", "written_timed", "pairs", "sft", "dpo"]
    assert steps["tuned_programs"].policy == "dpo"  # type: ignore[union-attr]
    assert steps["dpo"].policy == "sft"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["~policy"], "steps.written: a policy writes, and this pipeline has none; set policy.name"),
        (["held_out=null"], "steps.reference_programs: this pipeline has no held_out; give them"),
        (["steps.dpo.sets=[optimize]"], "steps.dpo.sets: 'optimize' is none of the sets that are made; they are optimise"),
        (["steps.sft.imitate=top1"], "steps.sft.imitate: 'top1' is none of the sets that are made; they are top25"),
        (["steps.sft.imitate=null"], "pairs (a step) and imitate (a set of its pairs.imitate) go together"),
        (["steps.dpo.sets=[]"], "pairs (a step) and sets (names of its pairs.sets) go together"),
        (["steps.base_judged.solutions=pairs"], "that step gives pairs, and solutions is needed here"),
        (["+steps.pairs.pairs.sets.mine.strategy=codedpo"], "pairs.sets.mine.strategy=codedpo needs tests that a model wrote; give outcomes"),
        (["steps.compared.baseline=base_modle"], "did you mean 'base_model'?"),
    ],
)
def test_a_mistake_is_refused_before_anything_starts(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["experiment=code_efficiency", *GIVEN, f"workspace={tmp_path / 'w'}"]
    assert run_job("pipeline", PipelineJob, pipeline, [*given, *words]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("code")


def of_stage(workspace: Path, stage: str) -> list[Artifact]:
    return [one for one in Workspace.at(str(workspace)).artifacts() if one.stage == stage]


def test_the_smoke_variant_runs(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_decoder(workspace / "tiny", template_name=None, positions=1024, head_dim=32)
    words = ["experiment=smoke/code_efficiency", f"policy.name={model}", f"workspace={workspace}", "log=warning"]
    place = ["cluster.in_process=always", "cluster.threads_per_worker=1"]
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place]) == 0
    said = capsys.readouterr().out
    assert "== dpo (dpo): " in said and "== compared (compare_code): " in said
    assert "| base_model |" in said and "against base_model" in said
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place, "--dry-run"]) == 0
    assert "every stage is there" in capsys.readouterr().out


def test_the_tuned_policy_wrote_what_is_compared(workspace: Path) -> None:
    """After the run above: from the comparison back to the model that learned from the pairs."""
    (compared,) = of_stage(workspace, "code_comparison")
    assert list(compared.manifest["inputs"]) == ["reference", "base_model", "tuned_model"]
    (dpo,) = [one for one in of_stage(workspace, "policy") if one.manifest["identity"]["task"] == "dpo"]
    (sft,) = [one for one in of_stage(workspace, "policy") if one.manifest["identity"]["task"] == "sft"]
    assert dpo.manifest["inputs"]["model"]["uri"] == sft.location.uri
    wrote = {one.manifest["inputs"]["model"]["uri"] for one in of_stage(workspace, "generations")}
    assert dpo.location.uri in wrote and len(wrote) == 2
    (pairs,) = of_stage(workspace, "code_pairs")
    assert pairs.metrics["preferences/optimise"]["pairs"] > 0 and pairs.metrics["imitate/top25"]["answers"] > 0
    assert compared.metrics["without_time"] == ["base_model", "tuned_model"]  # a model that knows nothing writes nothing that is right
