"""An engine and a trainer that are killed while they work: the run goes on by itself, no prompt is lost and none is learned from twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_chats import ChatFiles, prepare_chats
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import reinforce
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from tests.chat_models import save_tiny_decoder

REWARD = """
import os, pathlib
PLACE = pathlib.Path(__file__).parent

def longer(sample):
    (PLACE / "trainer").write_text(str(os.getppid()))
    return sample["tokens"] + 0.1 * len(set(sample["reply"]))
"""
STEPS, PROMPTS, SAMPLES = 8, 4, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("killed")
    save_tiny_decoder(top / "model", positions=256, head_dim=32)
    rows = [{"messages": [{"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": "no"}]} for number in range(2 * PROMPTS)]
    (top / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (top / "reward.py").write_text(REWARD)
    return top


def trained(folder: Path) -> Artifact:
    """By a Ray worker, with its engine apart."""
    run = Run(Workspace.at(str(folder / "w")), ClusterSettings(in_process="never", cpus=4, cpus_per_worker=1.0, threads_per_worker=1))
    chats = prepare_chats(run, ChatFiles(path=str(folder / "chats.jsonl"), eval_share=0.0))
    train = {"max_steps": STEPS, "epochs": None, "batch_size": PROMPTS, "evaluation": None, "guard": None, "optimizer": {"lr": 1e-3}}
    values = {
        "train": {**train, "checkpoints": {"keep_best": False, "every_steps": 1}},
        "draw": {"rollouts": SAMPLES, "max_tokens": 24, "ahead": 1},
        "reward": {"parts": {"longer": {"kind": "own", "function": f"{folder}/reward.py:longer"}}},
        "engine": {"max_length": 256, "eager": True, "kv_cache_gb": 1},
        "engines": {"apart": True, "cpus": 0.5},
        "parity": {"every": 4},
    }
    return reinforce(run, chats, PolicySettings(name=str(folder / "model")), "chat", parse(GrpoTraining, values))


def drawn(folder: Path) -> int:
    """Draws that were kept so far."""
    return len({place.name for place in (folder / "w").glob("policy/*/attempts/*/rollouts/*.parquet")})


def engines() -> list[int]:
    found = []
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it ended while it was looked at
            if place.name.isdigit() and "EngineCore" in (place / "cmdline").read_text():
                found.append(int(place.name))
    return found


def kills(folder: Path, when: int, whom: Callable[[], int], done: list[str]) -> None:
    end = time.monotonic() + 300
    while drawn(folder) < when and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(whom(), signal.SIGKILL)
    done.append(f"at {when}")


def test_a_run_survives_the_death_of_its_engine_and_of_its_trainer(folder: Path) -> None:
    done: list[str] = []
    others = set(engines())  # that other tests hold

    def both() -> None:
        kills(folder, 2, lambda: next(one for one in engines() if one not in others), done)
        kills(folder, 5, lambda: int((folder / "trainer").read_text()), done)

    killer = threading.Thread(target=both)
    killer.start()
    made = trained(folder)
    killer.join()
    assert len(done) == 2
    history = [json.loads(line) for line in made.file("history.jsonl").read().splitlines()]
    assert [row["step"] for row in history if row["kind"] == "step"] == list(range(1, STEPS + 1))
    rollouts = made.table("rollouts/").to_pylist()
    asked = Counter(row["prompt_id"] for row in rollouts)
    assert set(asked.values()) == {STEPS * PROMPTS // (2 * PROMPTS) * SAMPLES}, asked  # each prompt as often as the epochs say, in the kept draws
    assert all(row["failed"] is None for row in rollouts)
    by_draw = [made.table(f"rollouts/{number:06d}").column("version").to_pylist() for number in range(STEPS)]
    assert all(0 <= number - version <= 1 for number, versions in enumerate(by_draw) for version in versions)
