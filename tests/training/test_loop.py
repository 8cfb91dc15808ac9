"""The loop on a toy task: resumed runs, guards, the best, early stop, and what a loss is divided by."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ray_pipeline.errors import ModelError, SettingsError, TrainingError
from ray_pipeline.models.trained_weights import parameter_tensors
from ray_pipeline.training import checkpoint as checkpoint_file
from ray_pipeline.training.checkpoint import Checkpoints
from tests.training.toy import ROWS, Stop, StopAt, ToyTask, facts, loop_of, rows_of, settings_of, source_of, steps_of

STEPS = 9  # of the usual settings


def run(folder: Path, **given: Any) -> dict[str, Any]:
    loop = loop_of(folder, settings_of(**given))
    return facts(loop, loop.run())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An undisturbed run; when its checkpoints are written does not matter."""
    found = run(tmp_path_factory.mktemp("whole"), checkpoints={"every_steps": 2})
    assert found == run(tmp_path_factory.mktemp("again"))
    return found


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("every", [None, 2])
def test_a_run_stopped_after_any_step_goes_on_to_the_same_bits(step: int, every: int | None, tmp_path: Path, whole: dict[str, Any]) -> None:
    given = {"checkpoints": {"every_steps": every}}
    with pytest.raises(Stop):
        loop_of(tmp_path, settings_of(**given), observer=StopAt(step)).run()
    loop = loop_of(tmp_path, settings_of(**given), attempt="b")
    assert facts(loop, loop.run()) == whole


@pytest.mark.parametrize("step", [0, 3, 6, 9])
def test_a_run_stopped_between_an_evaluation_and_its_checkpoint_goes_on_to_the_same_bits(step: int, tmp_path: Path, whole: dict[str, Any]) -> None:
    with pytest.raises(Stop):
        loop_of(tmp_path / "cut", settings_of(), observer=StopAt(step, "evaluation")).run()
    loop = loop_of(tmp_path / "cut", settings_of(), attempt="b")
    assert facts(loop, loop.run()) == whole


def test_a_run_stopped_at_every_step_still_ends_the_same(tmp_path: Path, whole: dict[str, Any]) -> None:
    given = {"checkpoints": {"every_steps": 1}}
    for step in range(1, STEPS):
        with pytest.raises(Stop):
            loop_of(tmp_path / "cut", settings_of(**given), attempt=f"{step}", observer=StopAt(step + 1)).run()
    loop = loop_of(tmp_path / "cut", settings_of(**given), attempt="last")
    assert facts(loop, loop.run()) == whole


def test_it_went_on_and_did_not_start_again(tmp_path: Path) -> None:
    settings = settings_of(checkpoints={"every_steps": 2})
    with pytest.raises(Stop):
        loop_of(tmp_path, settings, observer=StopAt(5)).run()
    said: list[str] = []
    seen: list[int] = []

    class Seen(StopAt):
        def step(self, row: Any) -> None:
            seen.append(row["step"])

    loop = loop_of(tmp_path, settings, attempt="b", observer=Seen(0))
    loop.say = said.append
    ending = loop.run()
    assert seen == [5, 6, 7, 8, 9]
    assert "going on from the checkpoint of step 4 of 9" in said
    assert list(steps_of(ending.history)) == list(range(1, 10))


def test_dropout_and_the_generators_count(tmp_path: Path, whole: dict[str, Any]) -> None:
    """The comparison above would see a generator that was not restored."""
    settings = settings_of(checkpoints={"every_steps": 1})
    with pytest.raises(Stop):
        loop_of(tmp_path, settings, observer=StopAt(5)).run()
    loop = loop_of(tmp_path, settings, attempt="b")
    loop.kept._restore_generators = lambda found: torch.manual_seed(99) and None  # type: ignore[method-assign,func-returns-value]
    assert facts(loop, loop.run()) != whole


def test_a_run_that_was_told_to_start_anew_does(tmp_path: Path) -> None:
    settings = settings_of(checkpoints={"every_steps": 1})
    with pytest.raises(Stop):
        loop_of(tmp_path, settings, observer=StopAt(5)).run()
    seen: list[int] = []

    class Seen(StopAt):
        def step(self, row: Any) -> None:
            seen.append(row["step"])
            if row["step"] == 3 and len(seen) == 3:
                raise Stop

    with pytest.raises(Stop):
        loop_of(tmp_path, settings, attempt="b", observer=Seen(0), anew=True).run()
    loop_of(tmp_path, settings, attempt="b", observer=Seen(0), anew=True).run()  # a worker of the same attempt, started again
    assert seen == [1, 2, 3, 3, 4, 5, 6, 7, 8, 9]
    other = Checkpoints(loop_of(tmp_path, settings).kept.checkpoints.artifact, "attempts/a", anew=True)
    assert other.newest() is not None  # what is not its own stays


def test_an_ended_run_is_not_trained_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    loop = loop_of(tmp_path, settings_of(), attempt="b", observer=StopAt(1))
    assert facts(loop, loop.run())["history"] == first["history"]


def by_hand(settings: Any, step: int) -> float:
    """The loss of one step from the definition: weighted errors over the sum of weights, of all its batches together."""
    task = ToyTask(dropout=0.0)
    batches = list(source_of(settings))[step].batches
    error = weights = 0.0
    for batch in batches:
        x, y, weight = rows_of(batch)
        error += float((weight * (task.model(x).detach() - y) ** 2).sum())
        weights += float(weight.sum())
    return error / weights


@pytest.mark.parametrize(("batch_size", "accumulate"), [(4, 4), (8, 2), (16, 1), (5, 5), (23, 1)])
def test_the_loss_is_that_of_all_rows_of_the_step(batch_size: int, accumulate: int, tmp_path: Path) -> None:
    settings = settings_of(batch_size=batch_size, accumulate=accumulate, epochs=1.0, schedule={})
    task = ToyTask(dropout=0.0)
    history = loop_of(tmp_path, settings, task).run().history
    assert next(row["loss"] for row in history if row["kind"] == "step") == pytest.approx(by_hand(settings, 0), rel=1e-5)


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """4 x 4, 2 x 8 and 1 x 16 of the same rows, the last step short; clipping, schedule and all."""
    found = {}
    for batch_size, accumulate in ((4, 4), (8, 2), (16, 1)):
        settings = settings_of(batch_size=batch_size, accumulate=accumulate, epochs=2.0, clip_norm=0.5)
        loop = loop_of(tmp_path / f"{batch_size}", settings, ToyTask(dropout=0.0, double=True))
        ending = loop.run()
        found[batch_size] = ([row["loss"] for row in ending.history if row["kind"] == "step"], parameter_tensors(loop.parameters))
    losses, weights = found[16]
    assert len(losses) == 4
    for other in (4, 8):
        assert found[other][0] == pytest.approx(losses, rel=1e-10)
        for name, one in weights.items():
            torch.testing.assert_close(found[other][1][name], one, rtol=1e-9, atol=1e-12)


def test_the_norm_is_clipped_to_the_limit(tmp_path: Path) -> None:
    norms: list[float] = []
    loop = loop_of(tmp_path, settings_of(clip_norm=0.25), ToyTask(dropout=0.0))
    before = loop.optimizer.step

    def step() -> None:
        norms.append(math.sqrt(sum(float(one.grad.double().square().sum()) for one in loop.parameters.values() if one.grad is not None)))
        before()

    loop.optimizer.step = step  # type: ignore[method-assign,assignment]
    history = [row for row in loop.run().history if row["kind"] == "step"]
    assert all(row["grad_norm"] > 0.25 for row in history)
    assert norms == pytest.approx([0.25] * STEPS, rel=1e-5)


def test_the_best_is_the_best_and_its_weights_come_back(tmp_path: Path) -> None:
    scores = [0.1, 0.5, 0.2, 0.4]  # before, and after each of three epochs
    saved: dict[int, Any] = {}
    loop = loop_of(tmp_path, settings_of(guard=None), ToyTask(scores))

    class Saved(StopAt):
        def evaluation(self, row: Any) -> None:
            saved[row["step"]] = parameter_tensors(loop.parameters)

    loop.observer = Saved(0)
    ending = loop.run()
    assert (ending.how, ending.chosen_step, ending.best_value, ending.steps) == ("finished", 3, 0.5, 9)
    for name, one in parameter_tensors(loop.parameters).items():
        assert torch.equal(one, saved[3][name]) and not torch.equal(one, saved[9][name])
    assert sorted(loop.kept.checkpoints.all()) == [3, 9]
    assert [step for step, one in loop.kept.checkpoints.all().items() if one.whole()] == [9]


def test_a_loss_is_best_where_it_is_lowest(tmp_path: Path) -> None:
    given = {"evaluation": {"metric": "score", "greater_is_better": False}, "guard": None}
    assert loop_of(tmp_path, settings_of(**given), ToyTask([0.9, 0.3, 0.2, 0.4])).run().chosen_step == 6


def test_without_keep_best_the_last_stays(tmp_path: Path) -> None:
    ending = loop_of(tmp_path, settings_of(guard=None, checkpoints={"keep_best": False}), ToyTask([0.1, 0.5, 0.2, 0.4])).run()
    assert (ending.chosen_step, ending.best_value) == (9, 0.5)


@pytest.mark.parametrize(
    ("keep", "left", "whole"),
    [
        ({"keep_last": 1}, [3, 9], [9]),
        ({"keep_last": 2}, [3, 6, 9], [6, 9]),
        ({"keep_epochs": True}, [3, 6, 9], [9]),
        ({"keep_last": 3, "every_steps": 1}, [3, 7, 8, 9], [7, 8, 9]),
        ({"keep_best": False}, [9], [9]),
        ({"keep_best": False, "keep_epochs": True, "every_steps": 2}, [3, 6, 9], [9]),
    ],
)
def test_what_is_kept(keep: dict[str, Any], left: list[int], whole: list[int], tmp_path: Path) -> None:
    loop = loop_of(tmp_path, settings_of(guard=None, checkpoints=keep), ToyTask([0.1, 0.5, 0.2, 0.4]))
    loop.run()
    found = loop.kept.checkpoints.all()
    assert list(found) == left
    assert [step for step, one in found.items() if one.whole()] == whole


def test_early_stop_counts_evaluations_without_a_gain(tmp_path: Path) -> None:
    given = {"epochs": 9.0, "evaluation": {"metric": "score", "patience": 2, "at_start": False}, "guard": None}
    ending = loop_of(tmp_path, settings_of(**given), ToyTask([0.1, 0.5, 0.4, 0.6, 0.5, 0.6])).run()
    assert (ending.how, ending.steps, ending.chosen_step) == ("early stop", 18, 12)
    assert ending.why == "no better score in 2 evaluations"


def test_early_stop_and_its_patience_survive_a_stop(tmp_path: Path) -> None:
    given = {"epochs": 9.0, "evaluation": {"metric": "score", "patience": 3, "at_start": False}, "guard": None}
    scores = [0.1, 0.5, 0.4, 0.45, 0.3, 0.9]
    with pytest.raises(Stop):
        loop_of(tmp_path, settings_of(**given), ToyTask(scores), observer=StopAt(10)).run()
    ending = loop_of(tmp_path, settings_of(**given), ToyTask(scores[3:]), attempt="b").run()
    assert (ending.how, ending.steps, ending.chosen_step) == ("early stop", 15, 6)


def test_small_gains_add_up_before_patience_ends(tmp_path: Path) -> None:
    """0.02 an evaluation is less than min_delta, 0.04 in two is more: patience 2 never runs out; 0.004 each is not enough."""
    for gain, how in ((0.02, "finished"), (0.004, "early stop")):
        given = {"epochs": 5.0, "evaluation": {"metric": "score", "patience": 2, "min_delta": 0.03}}
        ending = loop_of(tmp_path / how.replace(" ", ""), settings_of(**given), ToyTask([0.1 + gain * turn for turn in range(6)])).run()
        assert ending.how == how
        assert ending.chosen_step == ending.steps  # the weights kept are the best ones all the same


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_the_weights_are_touched(bad: float, tmp_path: Path) -> None:
    task = ToyTask()
    loop = loop_of(tmp_path, settings_of(checkpoints={"keep_last": 9, "every_steps": 1, "keep_best": False}), task)

    class Poison(StopAt):
        def step(self, row: Any) -> None:
            if row["step"] == 4:
                task.poison = lambda loss: bad

    loop.observer = Poison(0)
    with pytest.raises(TrainingError, match="no good weights were kept"):
        loop.run()
    found = loop.kept.checkpoints.all()
    state = found[5].state
    assert state["ended"] == "collapsed" and "Lower optimizer.lr (now 0.01)" in state["why"] and "at step 5" in state["why"]
    before, after = found[4].tensors("model"), found[5].tensors("model")
    assert all(torch.equal(before[name], after[name]) for name in before)
    json.loads((found[5].location / "state.json").read(), parse_constant=pytest.fail)  # JSON that any reader takes
    assert not math.isfinite(loop.kept.checkpoints.history(found[5])[1][-1]["loss"])


def test_a_metric_that_falls_restores_the_best(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, settings_of(epochs=5.0), ToyTask([0.1, 0.2137, 0.0662, 0.0311, 0.03]))
    ending = loop.run()
    assert (ending.how, ending.steps, ending.chosen_step, ending.best_value) == ("collapsed", 6, 3, 0.2137)
    assert "score fell from its best, 0.2137, to 0.0662 at step 6" in ending.why
    kept = loop.kept.checkpoints.all()[3].tensors("model")
    assert all(torch.equal(one, kept[name]) for name, one in parameter_tensors(loop.parameters).items())


def test_without_the_guard_it_runs_on(tmp_path: Path) -> None:
    assert loop_of(tmp_path, settings_of(guard=None), ToyTask([0.1, 0.2137, 0.0662, 0.0311])).run().how == "finished"


def test_a_collapse_before_any_good_evaluation_is_an_error(tmp_path: Path) -> None:
    for attempt in ("first", "again"):  # started again it says the same, and does not train
        with pytest.raises(TrainingError, match="no good weights were kept to go back to: score is nan at step 0"):
            loop_of(tmp_path, settings_of(), ToyTask([math.nan]), attempt=attempt).run()


def test_the_guard_watches_a_resumed_run_as_before(tmp_path: Path) -> None:
    """The fall is measured from a best that only the first start saw."""
    with pytest.raises(Stop):
        loop_of(tmp_path, settings_of(), ToyTask([0.1, 0.5]), observer=StopAt(4)).run()
    ending = loop_of(tmp_path, settings_of(), ToyTask([0.2]), attempt="b").run()
    assert (ending.how, ending.steps, ending.chosen_step) == ("collapsed", 6, 3)


def test_a_metric_that_is_not_measured_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"evaluation.metric='map@25' is not measured here; there are score"):
        loop_of(tmp_path, settings_of(evaluation={})).run()


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    settings = settings_of(checkpoints={"every_steps": 1})
    with pytest.raises(Stop):
        loop_of(tmp_path, settings, observer=StopAt(3)).run()
    other = ToyTask()
    other.model.layers.append(torch.nn.Linear(6, 6))  # type: ignore[operator,union-attr]
    with pytest.raises(ModelError, match=r"step-00000002: a checkpoint of another model or other settings: it lacks 2 tensors \(layers.2.weight"):
        loop_of(tmp_path, settings, other, attempt="b").run()


@pytest.mark.parametrize(
    ("evaluation", "at"),
    [
        ({}, [0, 3, 6, 9]),
        ({"at_start": False}, [3, 6, 9]),
        ({"every_steps": 4}, [0, 4, 8, 9]),
        ({"every_epochs": 0.5}, [0, 2, 3, 5, 6, 8, 9]),
        ({"every_epochs": 2.0}, [0, 6, 9]),
    ],
)
def test_when_it_is_evaluated(evaluation: dict[str, Any], at: list[int], tmp_path: Path) -> None:
    history = loop_of(tmp_path, settings_of(evaluation={"metric": "score", **evaluation})).run().history
    assert [row["step"] for row in history if row["kind"] == "evaluation"] == at


def test_an_evaluation_says_the_mean_loss_since_the_one_before(tmp_path: Path) -> None:
    history = loop_of(tmp_path, settings_of()).run().history
    losses = {row["step"]: row["loss"] for row in history if row["kind"] == "step"}
    found = {row["step"]: row.get("train_loss") for row in history if row["kind"] == "evaluation"}
    assert found[0] is None
    assert found[6] == pytest.approx((losses[4] + losses[5] + losses[6]) / 3)


def test_without_evaluation_it_ends_with_the_last_and_saves_each_epoch(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, settings_of(evaluation=None, checkpoints={"keep_best": False, "keep_last": 9}))
    ending = loop.run()
    assert (ending.how, ending.chosen_step, ending.best_value) == ("finished", 9, None)
    assert list(loop.kept.checkpoints.all()) == [3, 6, 9]


def test_a_source_that_ends_too_early_is_named(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, settings_of())
    loop.total = 12
    with pytest.raises(TrainingError, match="the data ended after 9 of 12 steps"):
        loop.run()


def test_the_history_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]) -> None:
    monkeypatch.setattr(checkpoint_file, "BLOCK", 4)
    settings = settings_of(checkpoints={"every_steps": 1})
    with pytest.raises(Stop):
        loop_of(tmp_path / "cut", settings, observer=StopAt(6)).run()
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").rglob("history/*.jsonl")}
    loop = loop_of(tmp_path / "cut", settings, attempt="b")
    assert facts(loop, loop.run()) == whole
    blocks = sorted(path.relative_to(tmp_path / "cut").as_posix() for path in (tmp_path / "cut").rglob("history/*.jsonl"))
    # 13 rows: two blocks of the first start, the third of the second
    assert [block.split("/")[1] + "/" + block.split("/")[-1] for block in blocks] == ["a/000000.jsonl", "b/000001.jsonl", "b/000002.jsonl"]
    assert all(path.stat().st_mtime_ns == written for path, written in first.items())
    assert all(len(path.read_text().splitlines()) < 4 for path in (tmp_path / "cut").rglob("step-*/history.jsonl"))


def test_a_warm_up_longer_than_the_run_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"schedule.warmup_steps=10 is longer than the run of 9 steps"):
        loop_of(tmp_path, settings_of(schedule={"warmup_steps": 10}, guard=None))


def test_a_compiled_model_trains_the_same(tmp_path: Path) -> None:
    if shutil.which("gcc") is None and shutil.which("c++") is None:
        pytest.skip("torch.compile needs a C++ compiler on the CPU")
    plain, compiled = (
        loop_of(tmp_path / f"{on}", settings_of(max_steps=3, compile=on), ToyTask(dropout=0.0, double=True)).run().history for on in (False, True)
    )
    for name in ("loss", "grad_norm", "score"):
        assert [row.get(name, 0.0) for row in compiled] == pytest.approx([row.get(name, 0.0) for row in plain], rel=1e-9)


def test_rows_are_enough() -> None:
    assert ROWS % 4 == 3 and len(list(source_of(settings_of()))) == STEPS  # the last batch and the last step are short
