"""The recipes of reinforcement learning: rows of the logs, twins that differ in one setting, and one smoke variant from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.command_line import CONFIGS, run_job
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.chats.formats import write_chats
from ray_pipeline.data.tool_chats.generate import tool_chats
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.objectives.advantage import EgpoAdvantage, GrpoAdvantage
from ray_pipeline.pipelines.policy_steps import GrpoStep
from tests.chat_models import save_tiny_decoder
from tests.jobs.test_chat_recipes import composed, flat

ROWS = {
    "verl1": "hardgen_grpo",
    "verl2": "hardgen_grpo_lora",
    "verl3": "gem_grpo",
    "verl4": "hardgen_grpo",
    "verl5": "gem_2k_grpo",
    "verl6": "looptool_grpo",
    "verl7": "hardgen_grpo_thinking",
    "verl8": "hardgen_egpo",
    "verl9": "hardgen_1k_grpo",
}
RECIPES = sorted(set(ROWS.values()))


def step(recipe: str) -> GrpoStep:
    found = parse(PipelineJob, composed(recipe)).steps["grpo"]
    assert isinstance(found, GrpoStep)
    return found


def test_every_row_of_the_logs_has_its_recipe_with_a_smoke_variant() -> None:
    page = (CONFIGS.parent / "docs" / "recipes.md").read_text()
    for row, recipe in ROWS.items():
        line = next(line for line in page.splitlines() if line.startswith("|") and row in line.split("|")[1])
        assert f"`{recipe}`" in line
        assert (CONFIGS / "experiment" / "smoke" / f"{recipe}.yaml").exists()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_smoke_variant_differs_from_its_recipe_only_in_what_it_names(recipe: str) -> None:
    full, smoke = flat(composed(recipe)), flat(composed(f"smoke/{recipe}"))
    named = yaml.safe_load((CONFIGS / "experiment" / "smoke" / f"{recipe}.yaml").read_text())
    named.pop("defaults")
    differing = {key for key in full | smoke if full.get(key) != smoke.get(key)}
    assert {key for key in differing if not key.startswith("cluster.")} <= set(flat(named))
    assert not any("advantage" in key or ".loss" in key or "adaptation" in key for key in differing)


def test_the_recipes_are_what_the_logs_say() -> None:
    for recipe in RECIPES:
        training = step(recipe).training
        thinking = recipe in ("hardgen_grpo_thinking", "hardgen_egpo")
        assert isinstance(training.advantage, EgpoAdvantage if recipe == "hardgen_egpo" else GrpoAdvantage)
        assert training.reward.parts["calls"].kind == ("strict" if thinking else "exact")
        assert training.adaptation.kind == ("lora" if "lora" in recipe else "full")
        chats = parse(PipelineJob, composed(recipe)).chats
        assert chats is not None
        assert chats.sample == (1000 if thinking or recipe in ("hardgen_1k_grpo", "looptool_grpo") else None)
        assert ("qwen3_4b_thinking" in (CONFIGS / "experiment" / f"{recipe}.yaml").read_text()) == (recipe == "hardgen_grpo_thinking")


def test_the_twins_differ_in_the_advantage_alone() -> None:
    """verl7 and verl8: whatever one learns better than the other, it is that."""
    grpo, egpo = flat(composed("hardgen_grpo_thinking")), flat(composed("hardgen_egpo"))
    assert {key for key in grpo | egpo if grpo.get(key) != egpo.get(key)} == {"steps.grpo.training.advantage.kind"}


def test_a_smoke_variant_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The most particular one: a thinking model's template, EGPO, verl's rows; with a real engine."""
    save_tiny_decoder(tmp_path / "model", template_name="qwen3_5_think", positions=8192, head_dim=32)
    write_chats(tool_chats(ToolChatSpec(24, most_tools=1, multi_turn_share=0.0)), str(tmp_path / "chats.jsonl"), "verl")
    words: list[Any] = ["experiment=smoke/hardgen_egpo", f"policy.name={tmp_path / 'model'}", f"chats.path={tmp_path / 'chats.jsonl'}"]
    place = ["cluster.in_process=always", "cluster.threads_per_worker=1", f"workspace={tmp_path / 'w'}", "log=warning"]
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place]) == 0
    assert "== grpo (grpo): " in capsys.readouterr().out
    (made,) = [one for one in Workspace.at(str(tmp_path / "w")).artifacts() if one.stage == "policy"]
    rollouts = made.table("rollouts/")
    assert set(rollouts.column("version").to_pylist()) == {0, 1}
    assert run_job("pipeline", PipelineJob, pipeline, [*words, *place, "--dry-run"]) == 0
    assert "every stage is there" in capsys.readouterr().out
