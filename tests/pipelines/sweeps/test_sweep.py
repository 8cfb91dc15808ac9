"""The stage on trainings that take no time: each trial is a process of Ray Tune's, its training a stage that writes what it was
told to. What the real trainings add (reports while they run, checkpoints, a kill) is in tests/jobs/test_sweep_job.py."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from ray_pipeline.artifacts import Artifact, Attempt, Input, Workspace, damaged
from ray_pipeline.config import Settings, identity, parse, placement, section, source
from ray_pipeline.errors import DataError, SettingsError, TrainingError
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.pipelines.sweeps.proposals import RandomSearch, proposals
from ray_pipeline.pipelines.sweeps.space import Uniform
from ray_pipeline.pipelines.sweeps.sweep import Recipe, SweepSettings, Training, best_command, sweep
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.tuner import Objective


class Rates(Settings):
    kind: Literal["constant", "falling"] = identity("constant", "how it falls")
    lr: float = identity(0.5, "rate", gt=0)
    end: float = identity(0.0, "where it ends", ge=0)


class Toy(Settings):
    """A training that does best at lr=0.3."""

    rates: Rates = section(Rates(), "rates")
    seed: int = identity(0, "seed", ge=0)
    text: str = source("a", "what is read")
    note: str = identity("", "nothing")
    trace: str = placement("", "where each training leaves a trace")


def trained(settings: Toy, run: Run) -> Artifact:
    if settings.rates.kind == "constant" and settings.rates.end:
        raise DataError(f"rates.end={settings.rates.end}: a constant rate has no end")
    if settings.note == "dies":
        os._exit(1)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        with (Path(settings.trace) / "trained.txt").open("a") as trace:
            trace.write(f"{settings.rates.lr}\n")
        collapsed = settings.rates.lr > 100
        curve = [
            {"step": step, "epoch": step / 10, "score": 0.0 if collapsed and step else 1 - abs(settings.rates.lr - 0.3) - 0.1 / (step + 1)}
            for step in (0, 10)
        ]
        return Outcome(
            1, {"ended": "collapsed" if collapsed else "finished", "why": "the score fell" if collapsed else "all done", "evaluations": curve}
        )

    return run.ensure(Stage("model", 1, {"toy": settings}, inputs(settings, run)), build)


def inputs(settings: Toy, run: Run) -> Mapping[str, Input]:
    return {"text": Input(settings.text * 20, settings.text, "file")}


def objective(settings: Toy) -> Objective | None:
    return None if settings.note == "unmeasured" else Objective("score", True)


def workers(settings: Toy) -> int:
    return 1


def idle(settings: Toy, keys: Sequence[str]) -> Mapping[str, str]:
    return {key: "nothing reads it" for key in keys if key == "note"}


TOY = Training("toy", Toy, trained, inputs, objective, workers, idle)


@pytest.fixture
def run(tmp_path: Path, ray_session: ClusterSettings) -> Run:
    return Run(Workspace.at(str(tmp_path / "w")), ray_session.model_copy(update={"cpus_per_worker": 1.0, "max_restarts": 0}))


def toy(tmp_path: Path, **more: Any) -> Toy:
    return parse(Toy, {"trace": str(tmp_path), **more})


def settings(space: Mapping[str, Any], **more: Any) -> SweepSettings:
    return parse(SweepSettings, {"job": "toy", "space": space, **more})


def trainings(tmp_path: Path) -> list[float]:
    trace = tmp_path / "trained.txt"
    return [float(line) for line in trace.read_text().splitlines()] if trace.exists() else []


GRID = {
    "rates.lr": {"kind": "choice", "values": [0.2, 1e3]},
    "rates.end": {"kind": "choice", "values": [0.0, 0.1]},
    "note": {"kind": "choice", "values": ["x", "y"]},
}


def test_a_collapse_and_an_impossible_combination_are_results_and_nothing_is_trained_twice(
    tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ray_pipeline")
    recipe = Recipe("toy", ["data=here", "seed=0"], ["_self_"], {"seed": 0})
    grid = settings(GRID, search={"kind": "grid"})
    found = sweep(run, TOY, toy(tmp_path), grid, [recipe])
    table = found.table("trials.parquet").to_pylist()
    assert [(json.loads(one["rates.lr"]), json.loads(one["rates.end"]), one["ended"]) for one in table] == [
        (0.2, 0.0, "finished"),
        (0.2, 0.1, "failed"),
        (1e3, 0.0, "collapsed"),
        (1e3, 0.1, "failed"),
    ]
    assert [one["why"] for one in table] == ["all done", "rates.end=0.1: a constant rate has no end", "the score fell", table[1]["why"]]
    assert (table[0]["best"], table[0]["best_step"]) == (pytest.approx(1 - 0.1 - 0.1 / 11), 10)
    assert found.table("trials/000000.parquet").column("score").to_pylist() == pytest.approx([0.8, 0.9 - 0.1 / 11])
    assert found.metrics["ended"] == {"collapsed": 1, "failed": 2, "finished": 1}
    assert found.metrics["best"] == {
        "trial": 0,
        "value": table[0]["best"],
        "values": {"rates.lr": 0.2, "rates.end": 0.0},
        "artifact": table[0]["artifact"],
    }
    assert sorted(trainings(tmp_path)) == [0.2, 1e3]
    assert damaged(found) == []
    # what nothing reads was left out, and said
    assert found.metrics["left_out"] == {"note": "nothing reads it"}
    assert "left out of the space: note: nothing reads it" in caplog.text
    assert "note: nothing reads it" in found.file("report.md").read().decode()
    # the best as a command and as a file
    assert found.metrics["command"] == "python -m jobs.toy data=here seed=0 rates.lr=0.2 rates.end=0.0"
    assert yaml.safe_load(found.file("best.yaml").read()) == {"defaults": ["_self_"], "seed": 0, "rates": {"lr": 0.2, "end": 0.0}}
    # the same again does nothing; a larger sweep trains only what is new
    again = Run(run.workspace, run.cluster)
    assert sweep(again, TOY, toy(tmp_path), grid, [recipe]).fingerprint == found.fingerprint
    assert [one.status for one in again.done] == ["already done"]
    larger = {**GRID, "rates.lr": {"kind": "choice", "values": [0.2, 0.3, 1e3]}, "rates.end": {"kind": "choice", "values": [0.0]}}
    more = sweep(again, TOY, toy(tmp_path), settings(larger, search={"kind": "grid"}))
    assert sorted(trainings(tmp_path)) == [0.2, 0.3, 1e3]
    assert more.metrics["best"]["values"]["rates.lr"] == 0.3


def test_a_sweep_whose_trial_died_keeps_the_others_and_goes_on(tmp_path: Path, run: Run) -> None:
    space = {"rates.lr": {"kind": "choice", "values": [0.2, 0.4]}}
    dies = Training("toy", Toy, _dies_once, inputs, objective, workers, idle)
    with pytest.raises(TrainingError, match=r"trials 1 died .* the other 1 are kept, run the same command again"):
        sweep(run, dies, toy(tmp_path), settings(space, search={"kind": "grid"}))
    assert trainings(tmp_path) == [0.2]
    found = sweep(run, dies, toy(tmp_path), settings(space, search={"kind": "grid"}))
    assert trainings(tmp_path) == [0.2, 0.4]
    assert found.metrics["ended"] == {"finished": 2}


def test_a_sweep_that_is_broken_off_publishes_nothing(tmp_path: Path, run: Run) -> None:
    """SIGUSR1 makes Tune end as if it were done."""
    begun = Training("toy", Toy, _asks_for_the_end, inputs, objective, workers, idle)
    base = toy(tmp_path, seed=os.getpid())
    with pytest.raises(TrainingError, match=r"broken off with 1 trials to go; those that ended are kept"):
        sweep(run, begun, base, settings({"rates.lr": {"kind": "choice", "values": [0.2]}}, search={"kind": "grid"}))
    assert not list(tmp_path.glob("w/sweep/*/manifest.json"))


def _asks_for_the_end(settings: Toy, run: Run) -> Artifact:
    os.kill(settings.seed, signal.SIGUSR1)
    time.sleep(60)
    raise DataError("the end did not come")


def _dies_once(settings: Toy, run: Run) -> Artifact:
    mark = Path(settings.trace) / "died"
    if settings.rates.lr == 0.4 and not mark.exists():
        mark.touch()
        os._exit(1)
    return trained(settings, run)


def test_where_no_trial_came_to_a_good_end_it_says_so(tmp_path: Path, run: Run) -> None:
    found = sweep(run, TOY, toy(tmp_path), settings({"rates.lr": {"kind": "choice", "values": [200.0]}}, search={"kind": "grid"}), [Recipe("toy")])
    assert found.metrics["best"] is None
    assert [entry["name"] for entry in found.manifest["files"]] == ["report.md", "trials.parquet", "trials/000000.parquet"]
    assert "No trial came to a good end." in found.file("report.md").read().decode()


@pytest.mark.parametrize(
    ("given", "base", "words"),
    [
        ({"space": {"rates.lrr": {"kind": "uniform", "low": 1, "high": 2}}}, {}, "no setting 'rates.lrr'; did you mean 'rates.lr'?"),
        ({"space": {"note": {"kind": "choice", "values": ["a"]}}}, {}, "nothing is left to vary: note: nothing reads it"),
        ({"space": {"rates.lr": {"kind": "uniform", "low": 1, "high": 2}}, "search": {"kind": "grid"}}, {}, "a grid needs points"),
        ({"space": {"rates.lr": {"kind": "uniform", "low": 1, "high": 2}}}, {"note": "unmeasured"}, "nothing tells one trial from another"),
    ],
)
def test_it_is_refused_before_the_first_trial(tmp_path: Path, given: dict[str, Any], base: dict[str, Any], words: str) -> None:
    place = Run(Workspace.at(str(tmp_path / "w")), ClusterSettings(address="nowhere:1"))  # a cluster it must not ask
    with pytest.raises(SettingsError) as refused:
        sweep(place, TOY, toy(tmp_path, **base), parse(SweepSettings, given))
    assert words in str(refused.value)
    assert not (tmp_path / "w").exists()


def test_objective_and_direction_come_together() -> None:
    with pytest.raises(SettingsError, match="objective and greater_is_better come together"):
        settings({"rates.lr": {"kind": "uniform", "low": 1, "high": 2}}, objective="score")


def test_the_command_quotes_what_the_shell_and_hydra_would_take_apart() -> None:
    values = {"a.b": [1, "x"], "kind": {"kind": "lora", "rank": 4}, "c": None, "d": True, "e": "two words"}
    command = best_command(Recipe("toy", ["x=1"], key=lambda key: f"steps.s.{key}"), values)
    assert shlex.split(command)[3:] == [
        "x=1",
        'steps.s.a.b=[1,"x"]',
        'steps.s.kind={kind:"lora",rank:4}',
        "steps.s.c=null",
        "steps.s.d=true",
        'steps.s.e="two words"',
    ]


def test_another_text_among_the_choices_is_another_sweep(tmp_path: Path, run: Run) -> None:
    """A setting that names something outside enters the sweep's name by what it names, in the base and in the space."""
    one = settings({"text": {"kind": "choice", "values": ["a", "b"]}}, search={"kind": "grid"})
    found = sweep(run, TOY, toy(tmp_path), one)
    assert {name: entry["fingerprint"] for name, entry in found.manifest["inputs"].items()} == {"text": "a" * 20, "text (text=b)": "b" * 20}
    assert len(trainings(tmp_path)) == 2


def test_the_values_of_a_random_sweep_are_those_of_its_search(tmp_path: Path, run: Run) -> None:
    search = RandomSearch(trials=3, seed=5)
    found = sweep(run, TOY, toy(tmp_path), settings({"rates.lr": {"kind": "uniform", "low": 0.1, "high": 0.9}}, search=search.model_dump()))
    expected = proposals(search, {"rates.lr": Uniform(low=0.1, high=0.9)}, greater_is_better=True)
    assert [json.loads(one) for one in found.table("trials.parquet").column("rates.lr").to_pylist()] == [
        expected.propose(number)["rates.lr"] for number in range(3)
    ]
