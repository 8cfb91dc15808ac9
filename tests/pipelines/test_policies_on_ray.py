"""Policies trained, and references and prompts computed, by Ray's workers: the same artifacts as in one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_chats import GeneratedToolChats, prepare_chats
from ray_pipeline.pipelines.prepare_preferences import PreferenceData, prepare_preferences
from ray_pipeline.pipelines.reference import reference_of
from ray_pipeline.pipelines.render import RenderSettings
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings, render_pairs
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import fine_tune
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.sft.settings import SftTraining
from tests.chat_models import save_tiny_decoder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PolicySettings:
    return PolicySettings(name=str(save_tiny_decoder(tmp_path_factory.mktemp("tiny_chat"), positions=4096)))


def test_two_workers_fine_tune(model: PolicySettings, tmp_path: Path, ray_session: ClusterSettings) -> None:
    data = parse(GeneratedToolChats, {"kind": "tool_calls", "rows": 40, "domains": 1, "most_tools": 2, "eval_share": 0.2})
    train = {"max_steps": 2, "batch_size": 8, "distributed": {"workers": 2}}
    training = parse(SftTraining, {"train": train, "micro": {"token_budget": 1024}})
    run = Run(Workspace.at(str(tmp_path)), ray_session.model_copy(update={"in_process": "never"}))
    made = fine_tune(run, prepare_chats(run, data), model, parse(RenderSettings, {"max_length": 4096}), training)
    assert made.metrics["steps"] == 2
    assert made.metrics["after"]["eval_loss"] < made.metrics["before"]["eval_loss"]


def test_a_reference_is_the_same_wherever_it_is_computed(model: PolicySettings, tmp_path: Path, ray_session: ClusterSettings) -> None:
    rows = [{"prompt": f"{number}?", "chosen": f"{number}.", "rejected": "no."} for number in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for name, cluster in (("here", ClusterSettings(in_process="always")), ("ray", ray_session.model_copy(update={"in_process": "never"}))):
        run = Run(Workspace.at(str(tmp_path / name)), cluster)
        pairs = prepare_preferences(run, parse(PreferenceData, {"sets": {"one": {"path": str(tmp_path / "pairs.jsonl")}}, "eval_share": 0.2}))
        found.append(reference_of(run, render_pairs(run, pairs, model, RenderPairsSettings()), model, parse(DpoTraining, {})))
    assert found[0].fingerprint == found[1].fingerprint
    for here, there in zip(found[0].files(), found[1].files(), strict=True):
        assert here.sha256 == there.sha256
