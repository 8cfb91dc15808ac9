"""Replicas as tokens wait: by hand, and under load."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from serve.app import by_waiting_tokens, options
from serve.settings import Replicas, ServeSettings
from tests.serve.conftest import Served
from tests.serve.load import Load, replicas


def context(waiting: dict[str, float], each: int = 1000, least: int = 1, most: int = 4) -> Any:
    config = SimpleNamespace(target_ongoing_requests=each)
    metrics = {"waiting_tokens": waiting} if waiting else {}
    return SimpleNamespace(aggregated_metrics=metrics, config=config, capacity_adjusted_min_replicas=least, capacity_adjusted_max_replicas=most)


@pytest.mark.parametrize(
    ("waiting", "wanted"),
    [({}, 1), ({"a": 0.0}, 1), ({"a": 1000.0}, 1), ({"a": 1001.0}, 2), ({"a": 900.0, "b": 1500.0}, 3), ({"a": 1e6}, 4)],
)
def test_replicas_follow_the_tokens(waiting: dict[str, float], wanted: int) -> None:
    assert by_waiting_tokens(context(waiting))[0] == wanted


def test_what_serve_is_told() -> None:
    fixed = options(Replicas(replicas=2, cpus=1.5))
    assert (fixed["num_replicas"], fixed["ray_actor_options"]) == (2, {"num_cpus": 1.5, "num_gpus": 0.0})
    growing = options(Replicas(replicas=1, max_replicas=3, tokens_per_replica=500, grow_after_s=2), by_tokens=True)["autoscaling_config"]
    assert (growing["min_replicas"], growing["max_replicas"], growing["target_ongoing_requests"]) == (1, 3, 500)
    assert (growing["upscale_delay_s"], growing["downscale_delay_s"]) == (2, 600)
    module, _, name = growing["policy"]["policy_function"].partition(":")
    assert getattr(__import__(module, fromlist=[name]), name) is by_waiting_tokens


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "there is nothing to serve"),
        ({"collection": "a", "embedders": {"replicas": 3, "max_replicas": 2}}, "max_replicas=2 is less than replicas=3"),
        ({"collection": "a", "port": 70000}, "port"),
        ({"collection": "a", "layout": "whole", "rerankers": {"replicas": 2}}, "layout=whole has no rerankers of its own"),
        ({"collection": "a", "layout": "whole", "shares": 2}, "layout=whole has no shares of its own"),
        ({"collection": "a", "limit": {}}, "did you mean 'limits'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(ServeSettings, given)


def test_rerankers_come_and_go_with_the_tokens_that_wait(served: Served) -> None:
    body = {"query": "adds the tops", "texts": ["the number is negative and so is the cat"] * 20}
    load = Load(served, 24, "/rerank", body)
    load.until(lambda: len(replicas("reranker")) == 1)  # other tests may have asked for two
    with load:
        load.until(lambda: len(replicas("reranker")) == 2)
    assert not load.failures
    assert {status for status, _ in load.answers} <= {200, 429}
