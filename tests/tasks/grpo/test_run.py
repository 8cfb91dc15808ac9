"""A reinforcement learning from end to end, with a real engine: what pays is learned, every rollout is kept, a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_chats import ChatFiles, prepare_chats
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import reinforce
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.engine_draws import Asked, EngineDraws
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.task import GrpoTask
from tests.chat_models import save_tiny_decoder

REWARD = "def letters(sample):\n    said = sample['reply']\n    return sum(one.isascii() and one.isalpha() for one in said) / max(1, len(said))\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny decoder, questions to it, and a reward: the share of letters."""
    top = tmp_path_factory.mktemp("grpo")
    save_tiny_decoder(top / "model", positions=256, head_dim=32)
    rows = [{"messages": [{"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": "no"}]} for number in range(8)]
    (top / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (top / "reward.py").write_text(REWARD)
    return top


def trained(folder: Path, workspace: str = "w", steps: int = 12, **given: Any) -> Artifact:
    run = Run(Workspace.at(str(folder / workspace)), ClusterSettings(in_process="always", threads_per_worker=1))
    chats = prepare_chats(run, ChatFiles(path=str(folder / "chats.jsonl"), eval_share=0.0))
    train = {"max_steps": steps, "epochs": None, "batch_size": 4, "evaluation": None, "guard": None, "optimizer": {"lr": 2e-2}}
    values = {
        "train": {**train, "schedule": {"kind": "constant"}, "checkpoints": {"keep_best": False, "every_steps": 1}},
        "draw": {"rollouts": 8, "max_tokens": 12},
        "reward": {"parts": {"letters": {"kind": "own", "function": f"{folder}/reward.py:letters"}}},
        "engine": {"max_length": 256, "eager": True, "kv_cache_gb": 1},
        "parity": {"every": 4},
    }
    return reinforce(run, chats, PolicySettings(name=str(folder / "model")), "chat", parse(GrpoTraining, {**values, **given}))


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def drawn(folder: Path) -> Artifact:
    """A run that was stopped at its sixth draw, and went on."""
    with pytest.MonkeyPatch.context() as short:
        whole = EngineDraws.ask

        def stops(self: EngineDraws, rows: Any, number: int) -> Asked:
            if number == 5:
                raise Stopped
            return whole(self, rows, number)

        short.setattr(EngineDraws, "ask", stops)
        with pytest.raises(Stopped):
            trained(folder)
    return trained(folder)


def test_what_pays_is_learned_every_rollout_is_kept_and_a_stopped_run_goes_on(drawn: Artifact) -> None:
    made = drawn
    rollouts = made.table("rollouts/").to_pylist()
    assert len(rollouts) == 12 * 4 * 8
    by_version = [[row for row in rollouts if row["version"] == version] for version in range(12)]
    for first, second in zip(by_version[::2], by_version[1::2], strict=True):  # an epoch is two draws: each prompt once in it
        assert sorted({row["prompt_id"] for row in (*first, *second)}) == [f"#{number}" for number in range(1, 9)]
    assert all(json.loads(row["parts"]) == {"letters": row["reward"]} and row["failed"] is None for row in rollouts)
    means = [sum(row["reward"] for row in each) / len(each) for each in by_version]
    assert sum(means[-3:]) / 3 > sum(means[:3]) / 3 + 0.15, means
    steps = [row for row in map(json.loads, made.file("history.jsonl").read().splitlines()) if row["kind"] == "step"]
    assert [row["step"] for row in steps] == list(range(1, 13))
    assert [row["reward"] for row in steps] == pytest.approx(means, abs=1e-6)
    assert all(abs(row["mismatch_kl"]) < 1e-4 and abs(row["ratio"] - 1) < 1e-4 for row in steps)
    assert all(row["staleness"] == row["entropy_thought"] == row["thought_tokens"] == 0.0 < row["advantage"] < 2 for row in steps)
    assert all(row["answer_tokens"] <= row["answer_tokens_p95"] <= row["answer_tokens_max"] <= 12 for row in steps)
    assert all(0 < row["rollout_share"] < 1 and row["rollout_tokens_per_second"] > 0 and row["update_tokens_per_second"] > 0 for row in steps)
    assert all(0 < row["rollout_seconds"] < 600 for row in steps)


def test_a_prompt_that_is_too_long_for_the_engine_is_named(folder: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"conversation #\d+: its prompt has \d+ tokens, which with draw.max_tokens=250 are more than engine.max_length=256"
    ):
        trained(folder, draw={"rollouts": 2, "max_tokens": 250})


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_replay_that_is_stopped_ends_with_the_same_bits(folder: Path, drawn: Artifact, stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the draws and between the updates of one: the same rollouts are learned from, each as often as if nothing had happened."""
    given: dict[str, Any] = {"replay": drawn.location.uri, "updates": {"passes": 2}, "advantage": {"kind": "egpo"}}
    if ("whole", folder) not in _WHOLE:
        _WHOLE["whole", folder] = replayed(folder, "whole", given)
    whole, learned, steps = _WHOLE["whole", folder], GrpoTask.backward, []

    def stops(self: GrpoTask, batch: RolloutBatch, scale: float, sync: bool) -> dict[str, float]:
        steps.append(len(steps))
        if len(steps) == stop + 1:
            raise Stopped
        return learned(self, batch, scale, sync)

    with monkeypatch.context() as short:
        short.setattr(GrpoTask, "backward", stops)
        with pytest.raises(Stopped):
            replayed(folder, f"stopped-{stop}", given)
    again = replayed(folder, f"stopped-{stop}", given)
    assert again.file("model/model.safetensors").read() == whole.file("model/model.safetensors").read()
    history = [[row for row in map(json.loads, one.file("history.jsonl").read().splitlines()) if row["kind"] == "step"] for one in (whole, again)]
    told = [[{name: value for name, value in row.items() if not ("second" in name or name == "rollout_share")} for row in rows] for rows in history]
    assert told[0] == told[1]
    assert abs(told[0][0]["ratio"] - 1) < 1e-6 < abs(told[0][1]["ratio"] - 1)  # the second update of a draw is not where it was drawn


_WHOLE: dict[tuple[str, Path], Artifact] = {}


def replayed(folder: Path, name: str, given: dict[str, Any]) -> Artifact:
    """In a workspace of its own: the same settings make the same artifact."""
    return trained(folder, name, **given)


def test_a_replay_of_fewer_draws_than_are_asked_for_is_told(folder: Path, drawn: Artifact) -> None:
    with pytest.raises(DataError, match=r"it has no rollouts/000012-000.parquet: the training that kept it made fewer draws"):
        trained(folder, "longer", replay=drawn.location.uri, steps=13)
