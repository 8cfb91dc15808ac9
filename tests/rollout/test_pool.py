"""Engines apart from the training: they answer as one beside it, and one that is killed or stopped is replaced with the weights of the day."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.placement.cluster import ClusterSettings, connect
from ray_pipeline.rollout.parity import parity, require_parity
from ray_pipeline.rollout.pool import EnginePool
from ray_pipeline.rollout.settings import EnginesSettings, SamplingSettings
from ray_pipeline.rollout.weights import write_weights
from tests.rollout.conftest import SETTINGS
from tests.rollout.test_weights import PROMPTS, moved

DRAWN = SamplingSettings(max_tokens=40, temperature=1.0, samples=8, seed=3, logprobs=True)
ASKED = [[5 + number, 6, 7] for number in range(24)]


@pytest.fixture(scope="module")
def others() -> set[int]:
    """Engines that other tests hold."""
    return set(cores())


@pytest.fixture(scope="module")
def pool(tiny_policy: Path, others: set[int]) -> Iterator[EnginePool]:
    connect(ClusterSettings(cpus=4))
    settings = EnginesSettings(apart=True, count=1, cpus=0.5, hung_after=15.0)
    found = EnginePool(PolicySettings(name=str(tiny_policy)), SETTINGS, settings, "cpu")
    yield found
    found.close()
    ray.shutdown()


def cores() -> list[int]:
    """The processes of engines that live."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdigit() and "EngineCore" in (place / "cmdline").read_text() and (place / "stat").read_text().split(") ")[1][0] != "Z":
                found.append(int(place.name))
        except OSError:
            continue  # it ended while it was looked at
    return found


def asked_beside(pool: EnginePool) -> tuple[threading.Thread, list[list[tuple[int, ...]]]]:
    """A thread that asks, and where its answers will be."""
    found: list[list[tuple[int, ...]]] = []
    asking = threading.Thread(target=lambda: found.extend([one.ids for one in each] for each in pool.generate(ASKED, DRAWN)))
    asking.start()
    return asking, found


def test_an_engine_that_is_killed_or_stopped_is_replaced_with_the_weights_of_the_day(
    pool: EnginePool, others: set[int], tiny_policy: Path, tmp_path: Path
) -> None:
    policy = moved(tiny_policy, 1)
    assert parity(pool, policy, PROMPTS).difference > 1e-2
    pool.take_weights(write_weights(policy, tmp_path, 1), 1)
    assert require_parity(pool, policy, PROMPTS, 1e-4, 1).difference < 1e-4
    expected = [[one.ids for one in each] for each in pool.generate(ASKED, DRAWN)]
    assert pool.room == 1024 and pool.version == 1

    for blow in (signal.SIGKILL, signal.SIGSTOP):
        before = set(cores()) - others
        (core,) = before
        asking, found = asked_beside(pool)
        time.sleep(0.3)
        os.kill(core, blow)
        asking.join(400)
        assert not asking.is_alive()
        assert found == expected, blow  # nothing is lost, and the new engine has the weights that the old one was given
        assert before.isdisjoint(cores()), f"the old engine lives on after {blow}"
    assert pool.restarted == 2
    assert require_parity(pool, policy, PROMPTS, 1e-4, 1).difference < 1e-4


def test_weights_reach_engines_on_other_machines(pool: EnginePool, tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file is not: as bytes."""
    policy = moved(tiny_policy, 2)
    file = write_weights(policy, tmp_path, 2)
    pool._weights = (file, 2)
    pool._send([0])
    assert require_parity(pool, policy, PROMPTS, 1e-4, 2).difference < 1e-4
