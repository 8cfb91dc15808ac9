"""The recipes of chat models: their smoke variants run from end to end and differ from them only in what they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.command_line import CONFIGS, run_job, settings_from
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.chats.formats import write_chats
from ray_pipeline.data.tool_chats.generate import tool_chats
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.pipelines.policy_steps import DpoStep, SftStep
from tests.chat_models import save_tiny_decoder

SFT = (
    *("hardgen_14k", "hardgen_14k_last_reply", "hardgen_1k", "hardgen_100", "gem_5k", "looptool_1k"),
    *("hardgen_1k_thinking", "hardgen_1k_instruct", "hardgen_14k_lora", "hardgen_14k_lora_last_reply"),
)
CODE = ("starcoder1b_sft", "starcoder1b_sft_top25", "starcoder1b_sft_top1")
PAIRS = ("starcoder1b_dpo", "starcoder1b_dpo_staged", "starcoder1b_sft_dpo", "starcoder1b_sft_dpo_staged", "starcoder1b_sft_dpo_sampled")
ALL = (*SFT, *CODE, *PAIRS)
SETS = {"staged": ("pvf", "qra"), "sampled": ("qsl", "qts", "qfs")}


def sets_of(recipe: str) -> tuple[str, ...]:
    return SETS.get(recipe.rsplit("_", 1)[-1], ("pvf",))


def given(recipe: str, folder: str = "given") -> list[str]:
    """What a user has to give."""
    words = [] if recipe in ("starcoder1b_dpo", "starcoder1b_dpo_staged") else [f"chats.path={folder}/chats.jsonl"]
    return words + ([f"preferences.sets.{name}.path={folder}/{name}.jsonl" for name in sets_of(recipe)] if recipe in PAIRS else [])


def composed(experiment: str) -> dict[str, Any]:
    return settings_from("pipeline", [f"experiment={experiment}", "policy.name=given", *given(experiment.removeprefix("smoke/"))])


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
    return found


def test_every_recipe_has_a_smoke_variant_and_a_place_in_the_table() -> None:
    smoke = {path.stem for path in (CONFIGS / "experiment" / "smoke").glob("*.yaml")}
    page = (CONFIGS.parent / "docs" / "recipes.md").read_text()
    for recipe in ALL:
        assert recipe in smoke
        assert f"`{recipe}`" in page
    for row in ("full1", "full2", "full3", "full4", "full5", "full6", "full7", "full8", "full9", "lora1", "lora2", "lora3"):
        assert f"| {row}" in page or f", {row}" in page, row


@pytest.mark.parametrize("recipe", ALL)
def test_a_smoke_variant_differs_from_its_recipe_only_in_what_it_names(recipe: str) -> None:
    full, smoke = flat(composed(recipe)), flat(composed(f"smoke/{recipe}"))
    named = yaml.safe_load((CONFIGS / "experiment" / "smoke" / f"{recipe}.yaml").read_text())
    named.pop("defaults")
    differing = {key for key in full | smoke if full.get(key) != smoke.get(key)}
    assert {key for key in differing if not key.startswith("cluster.")} <= set(flat(named))
    assert all(key.split(".")[2:4] == ["training", "train"] for key in differing if key.startswith("steps."))  # objectives, masks: the recipe's own


def step(recipe: str, name: str = "sft") -> Any:
    return parse(PipelineJob, composed(recipe)).steps[name]


def test_the_recipes_are_the_rows_of_the_logs() -> None:
    for recipe in SFT:
        one, settings = step(recipe), parse(PipelineJob, composed(recipe))
        assert isinstance(one, SftStep)
        assert one.render.mask.replies == ("last" if recipe.endswith("last_reply") else "all")
        assert one.training.adaptation.kind == ("lora" if "lora" in recipe else "full")
        assert settings.chats is not None
        assert settings.chats.sample == (1000 if "1k" in recipe else 100 if "100" in recipe else None)
        assert one.render.without_reasoning == "fail"
    assert composed("hardgen_1k_thinking")["policy"]["name"] == "given"
    text = (CONFIGS / "experiment" / "hardgen_1k_thinking.yaml").read_text()
    assert "qwen3_4b_thinking" in text
    for recipe in PAIRS:
        dpo = step(recipe, "dpo")
        assert isinstance(dpo, DpoStep)
        assert dpo.policy == ("sft" if "sft" in recipe else "base")
        kind = recipe.rsplit("_", 1)[-1]
        assert dpo.training.mixture.kind == (kind if kind in SETS else "concatenated")
    assert step("starcoder1b_sft_dpo_sampled", "dpo").training.mixture.weights == {"qsl": 0.3, "qts": 0.2, "qfs": 0.5}


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("decoders")
    return {
        "chat": save_tiny_decoder(top / "chat", positions=8192),
        "thinker": save_tiny_decoder(top / "thinker", template_name="qwen3_5_think", positions=8192),
        "code": save_tiny_decoder(top / "code", template_name=None, kind="gpt_bigcode", positions=512),
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each format, with files by the names that `given` writes."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("openai", "verl", "thought", "code")}
    chats = tool_chats(ToolChatSpec(60, most_tools=2, no_call_share=0.0))
    for name in ("openai", "verl"):
        write_chats(chats, str(folders[name] / "chats.jsonl"), name)  # type: ignore[arg-type]
    thoughts = [
        {"messages": [{"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": f"{number}.", "reasoning_content": "I count."}]}
        for number in range(40)
    ]
    write(folders["thought"] / "plain.jsonl", thoughts)
    from ray_pipeline.data.chats.formats import read_chats

    write_chats(read_chats(str(folders["thought"] / "plain.jsonl"), "openai").chats, str(folders["thought"] / "chats.jsonl"), "verl")
    write(folders["code"] / "chats.jsonl", [{"prompt": f"def f{n}():\n", "completion": f"    return {n}\n"} for n in range(40)])
    for name in ("pvf", "qra", "qsl", "qts", "qfs"):
        pairs = [{"prompt": f"def {name}{n}():\n", "chosen": f"    return {n}\n", "rejected": "    pass\n"} for n in range(30)]
        write(folders["code"] / f"{name}.jsonl", pairs)
    return folders


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all recipes: what they have in common is computed once."""
    return tmp_path_factory.mktemp("recipes")


@pytest.mark.parametrize("recipe", ALL)
def test_a_smoke_variant_runs(
    recipe: str, decoders: dict[str, Path], data: dict[str, Path], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thinking = recipe == "hardgen_1k_thinking"
    kind = "thought" if thinking else "verl" if recipe == "hardgen_1k_instruct" else "openai" if recipe in SFT else "code"
    model = decoders["thinker" if thinking else "chat" if recipe in SFT else "code"]
    words = [f"experiment=smoke/{recipe}", f"policy.name={model}", *given(recipe, str(data[kind]))]
    place = ["cluster.in_process=always", "cluster.threads_per_worker=1", f"workspace={workspace}", "log=warning"]
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place]) == 0
    out = capsys.readouterr().out
    assert "== dpo (dpo): " in out or recipe not in PAIRS
    assert "finished: all 2 steps are done" in out
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place, "--dry-run"]) == 0
    assert "every stage is there" in capsys.readouterr().out


def test_what_was_trained_before_is_the_reference(workspace: Path) -> None:
    """After the recipes above: a policy that learned from preferences began from the one that was fine-tuned."""
    policies: list[Artifact] = [one for one in Workspace.at(str(workspace)).artifacts() if one.stage == "policy"]
    by_task = {task: [one for one in policies if one.manifest["identity"]["task"] == task] for task in ("sft", "dpo")}
    begun = [one for one in by_task["dpo"] if one.manifest["inputs"]["model"]["kind"] == "artifact"]
    fine_tuned = {one.location.uri for one in by_task["sft"]}
    assert len(begun) == 3
    assert all(one.manifest["inputs"]["model"]["uri"] in fine_tuned for one in begun)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment=hardgen_14k"], "chats.path"),
        (["experiment=starcoder1b_dpo"], "preferences.sets"),
        (["experiment=starcoder1b_sft_dpo", "chats.path=x", "preferences.sets.pvf.path=y", "steps.dpo.policy=stf"], "did you mean 'sft'?"),
        (["experiment=hardgen_14k", "chats.path=x", "~policy"], "trains a policy, and this pipeline has none"),
        (["experiment=hardgen_14k", "chats.path=x", "steps.sft.chats={smaple: 3}"], "smaple: no such setting; did you mean 'sample'?"),
    ],
)
def test_a_mistake_is_refused_before_anything_starts(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("pipeline", PipelineJob, pipeline, [*words, f"workspace={tmp_path / 'w'}"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
