"""Spaces as files and command lines write them, values by hand, and what is refused before a trial."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.command_line import settings_from
from jobs.train_embedder import TrainEmbedderJob
from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.sweeps.space import Choice, Domain, Integers, LogUniform, QUniform, Uniform, check_space, flat_space, with_values
from ray_pipeline.pipelines.sweeps.sweep import SweepSettings

BASE = {"data": {"kind": "misconceptions"}, "model": {"name": "somewhere"}}


def space(given: dict[str, Any]) -> dict[str, Domain]:
    return parse(SweepSettings, {"space": given}).space


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_dotted_and_nested_keys_are_the_same() -> None:
    domain = {"kind": "loguniform", "low": 1e-6, "high": 1e-4}
    dotted = flat_space({"train.optimizer.lr": domain, "train.schedule.kind": {"kind": "choice", "values": ["linear"]}})
    nested = flat_space({"train": {"optimizer": {"lr": domain}, "schedule": {"kind": {"kind": "choice", "values": ["linear"]}}}})
    assert dotted == nested == {"train.optimizer.lr": domain, "train.schedule.kind": {"kind": "choice", "values": ["linear"]}}


def test_the_command_line_changes_a_part_of_a_domain_and_takes_keys_out() -> None:
    file = {"train.optimizer.lr": {"kind": "loguniform", "low": 1e-6, "high": 1e-4}, "train.clip_norm": {"kind": "uniform", "low": 0.5, "high": 2.0}}
    said = {"train": {"optimizer": {"lr": {"low": 1e-5}}, "clip_norm": None}}
    assert flat_space({**file, **said}) == {"train.optimizer.lr": {"kind": "loguniform", "low": 1e-5, "high": 1e-4}}
    said_so = ["sweep.space.train.optimizer.lr.low=3e-6", "sweep.space.train.schedule.warmup_share=null"]
    composed = settings_from("sweep", [*said_so, "sweep.space.train.optimizer.lr_head={kind: choice, values: [1.0e-3]}"])
    found = parse(SweepSettings, composed["sweep"]).space
    assert found["train.optimizer.lr_head"] == Choice(values=[1e-3])
    assert found["train.optimizer.lr"] == LogUniform(low=3e-6, high=1e-4)
    assert "train.schedule.warmup_share" not in found


@pytest.mark.parametrize(
    ("lr", "lora_a", "lora_b", "embed_tokens", "head", "warmup"),
    [(2e-5, 2e-5, 8e-5, 5e-5, 5e-5, 0.15), (1e-5, 1e-5, 5e-5, 6e-5, 4e-5, 0.08)],
)
def test_both_settings_that_were_found_by_hand_lie_inside_learning_rates(
    lr: float, lora_a: float, lora_b: float, embed_tokens: float, head: float, warmup: float
) -> None:
    found = parse(SweepSettings, settings_from("sweep", ["sweep=learning_rates"])["sweep"]).space
    rate = "train.optimizer.lr"
    values = {rate: lr, f"{rate}_lora_a": lora_a, f"{rate}_lora_b": lora_b, f"{rate}_embed_tokens": embed_tokens, f"{rate}_head": head}
    values["train.schedule.warmup_share"] = warmup
    assert set(values) == set(found)
    for key, value in values.items():
        low, high = found[key].edges()
        assert low < value < high, key


def test_steps_by_hand() -> None:
    domain = QUniform(low=0.1, high=0.45, step=0.1)
    assert domain.grid() == [0.1, 0.2, 0.3, 0.4]
    assert domain.edges() == [0.1, 0.4]
    assert [domain.encoded(value) for value in domain.grid()] == [0, 1, 2, 3]
    assert domain.decoded(2) == 0.3
    assert QUniform(low=0.0, high=1.0, step=0.1).edges() == [0.0, 1.0]  # floats: 1.0 / 0.1 is not quite 10


def test_a_choice_tells_true_from_one() -> None:
    domain = Choice(values=[1, True, "1", None, [1], {"kind": "lora"}])
    assert [domain.encoded(value) for value in domain.values] == [0, 1, 2, 3, 4, 5]
    assert [domain.decoded(place) for place in range(6)] == domain.values


DOMAINS = [
    Uniform(low=-1, high=2),
    LogUniform(low=1e-6, high=1e-2),
    QUniform(low=0, high=1, step=0.25),
    Integers(low=3, high=9),
    Choice(values=[8, 16]),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda one: one.kind)
def test_draws_stay_inside_are_plain_values_and_spread(domain: Domain) -> None:
    generator = rng()
    drawn = [domain.sample(generator) for _ in range(400)]
    low, high = domain.edges()[0], domain.edges()[-1]
    assert all(low <= value <= high for value in drawn)
    assert json.loads(json.dumps(drawn)) == drawn
    assert [domain.decoded(domain.encoded(value)) for value in drawn] == drawn  # as a resumed search tells them
    middle = math.sqrt(low * high) if domain.kind == "loguniform" else (low + high) / 2
    assert 120 < sum(value > middle for value in drawn) < 280


@given(st.floats(1e-7, 1e-1), st.floats(1.01, 1e4))
def test_rounding_never_leaves_the_bounds(low: float, factor: float) -> None:
    domain = LogUniform(low=low, high=low * factor)
    generator = rng()
    for value in [domain.decoded(low), domain.decoded(low * factor), *(domain.sample(generator) for _ in range(5))]:
        assert low <= value <= low * factor


def test_values_are_put_in_without_touching_the_base() -> None:
    base = {"train": {"optimizer": {"lr": 1.0, "eps": 2.0}}, "guide": None}
    assert with_values(base, {"train.optimizer.lr": 3.0, "guide.name": "x", "seed": 1}) == {
        "train": {"optimizer": {"lr": 3.0, "eps": 2.0}},
        "guide": {"name": "x"},
        "seed": 1,
    }
    assert base == {"train": {"optimizer": {"lr": 1.0, "eps": 2.0}}, "guide": None}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"train.optimizer.lr": {"kind": "uniform", "low": 2, "high": 1}}, "space.train.optimizer.lr: low=2 is not below high=1"),
        ({"train.optimizer.lr": {"kind": "loguniform", "low": 0, "high": 1}}, "a logarithm needs bounds above 0"),
        ({"train.epochs": {"kind": "integers", "low": 1, "high": 1}}, "low=1 is not below high=1"),
        ({"train.epochs": {"kind": "choice", "values": []}}, "space.train.epochs.values"),
        ({"train.optimizer.lr": {"kind": "logunifrom", "low": 1, "high": 2}}, "did you mean 'loguniform'?"),
        ({"train.optimizer.lr": {"kind": "uniform", "low": 1}}, "high: required, but not given"),
    ],
)
def test_a_domain_that_makes_no_sense_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        space(given)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"train.optimizer.lrr": {"kind": "uniform", "low": 1, "high": 2}}, "no setting 'train.optimizer.lrr'; did you mean 'train.optimizer.lr'?"),
        ({"train.optimiser.lr": {"kind": "uniform", "low": 1, "high": 2}}, "did you mean 'train.optimizer.lr'?"),
        ({"cluster.workers": {"kind": "integers", "low": 1, "high": 2}}, "cluster.workers decides where work runs and changes no result"),
        ({"train.optimizer.lr": {"kind": "uniform", "low": -1, "high": 2}}, "train.optimizer.lr: Input should be greater than 0"),
        ({"train.epochs": {"kind": "choice", "values": [1, "two"]}}, "train.epochs: Input should be a valid number"),
        ({"train.batch_size": {"kind": "uniform", "low": 8, "high": 64}}, "train.batch_size"),
        (
            {"adaptation": {"kind": "choice", "values": [{"kind": "full"}]}, "adaptation.rank": {"kind": "integers", "low": 1, "high": 2}},
            "adaptation.rank lies inside adaptation, which is varied as a whole",
        ),
        (
            {"batches.negatives_per_query": {"kind": "choice", "values": [0]}, "objective.distill_weight": {"kind": "choice", "values": [1.0]}},
            "no combination",
        ),
    ],
)
def test_what_no_trial_could_do_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_space(TrainEmbedderJob, BASE, space(given))
    assert words in str(refused.value)


def test_what_only_some_trials_could_do_is_let_through() -> None:
    """Whether distillation and negatives fit is known of each trial alone; sections may be chosen as a whole."""
    values = {
        "batches.negatives_per_query": {"kind": "choice", "values": [0, 1]},
        "objective.distill_weight": {"kind": "choice", "values": [0.0, 1.0]},
    }
    check_space(TrainEmbedderJob, BASE, space(values))
    check_space(TrainEmbedderJob, BASE, space({"adaptation": {"kind": "choice", "values": [{"kind": "full"}, {"kind": "lora", "rank": 4}]}}))
