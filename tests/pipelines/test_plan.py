"""A pipeline of named steps: wrong names are refused before anything runs, a dry run tells what would be done and why, and only
what depends on a changed setting is done again. All by words: no model, no Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.command_line import run_job
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines import steps as kinds
from ray_pipeline.pipelines.dry_run import DryRun, NotThereError, reason
from ray_pipeline.pipelines.plan import PipelineSettings, foresee_steps, run_steps
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.run_records import Stopped

WORDS = {"mine": {"kind": "mine", "mining": {"range": [2, 60], "negatives": 5}}, "measure": {"kind": "evaluate", "evaluate": {"ks": [1, 25]}}}


def settings(steps: dict[str, Any], **changes: Any) -> PipelineSettings:
    given = {"data": {"kind": "misconceptions", "rows": 300}, "model": {"name": "unused"}, "search": {"method": "bm25", "k": 100}}
    return parse(PipelineSettings, {**given, "steps": steps, **changes})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path / "outputs")), ClusterSettings())


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            {"t": {"kind": "train_embedder", "groups": "mien"}, "mine": {"kind": "mine"}},
            "steps.t.groups='mien': there is no such step; no step above gives groups",
        ),
        (
            {"mine": {"kind": "mine"}, "t": {"kind": "train_embedder", "groups": "mien"}},
            "steps.t.groups='mien': there is no such step; did you mean 'mine'?",
        ),
        ({"t": {"kind": "train_embedder", "groups": "mine"}, "mine": {"kind": "mine"}}, "steps.t.groups='mine': that step comes later"),
        ({"mine": {"kind": "mine", "model": "mine"}}, "steps.mine.model='mine': that step comes later"),
        (
            {"first": {"kind": "train_embedder"}, "mine": {"kind": "mine", "model": "first"}, "second": {"kind": "train_embedder", "model": "mine"}},
            "steps.second.model='mine': that step gives groups, and model is needed here; did you mean 'first'?",
        ),
        ({"e": {"kind": "evaluate"}, "f": {"kind": "evaluate", "against": "g"}}, "steps.f.against='g': there is no such step; did you mean 'e'?"),
        ({"base": {"kind": "mine"}}, "steps.base: this name means the pipeline's own model"),
        ({"m": {"kind": "merge", "model": "base"}}, "steps.m.model='base': only a step that trains leaves checkpoints"),
        (
            {"t": {"kind": "train_embedder"}, "m": {"kind": "mine", "model": "t", "embedder": {"layers": 2}}},
            "steps.m.embedder: changes the base model, but this step uses that of 't'",
        ),
        ({"m": {"kind": "mine", "data": {"reasonin": "join"}}}, "steps.m.data.reasonin: no such setting; did you mean 'reasoning'?"),
        ({"m": {"kind": "mine", "embedder": {"layer": 2}}}, "steps.m.model.layer: no such setting; did you mean 'layers'?"),
        (
            {"m": {"kind": "mine"}, "t": {"kind": "train_embedder", "groups": "m", "data": {"reasoning": "join"}}},
            "steps.t.groups='m': that step reads other data (as it is; here {'reasoning': 'join'}); give both the same",
        ),
    ],
)
def test_a_step_that_does_not_fit_is_refused_by_name(steps: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(steps)
    assert str(caught.value).startswith(said)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        settings({"t": {"kind": "train_embedder", "groups": "a", "pseudo": "b"}, "m": {"kind": "mine", "model": "t", "data": {"rows": "x"}}})
    assert [line.split(":")[0].split("=")[0] for line in str(caught.value).splitlines()] == ["steps.t.groups", "steps.t.pseudo", "steps.m.data.rows"]


def test_what_a_step_changes_holds_for_it_alone() -> None:
    given = settings({"m": {"kind": "mine", "data": {"rows": 200}, "embedder": {"prompt": {"kind": "e5"}}}, "e": {"kind": "evaluate"}})
    first, second = given.steps.values()
    assert isinstance(first, kinds.MineStep)
    assert isinstance(second, kinds.EvaluateStep)
    own = kinds.changed(given, first)
    assert (own.data.rows, own.data.seed, own.model.name, own.model.prompt.kind) == (200, 0, "unused", "e5")  # type: ignore[union-attr]
    assert kinds.changed(given, second) is given


def test_a_step_may_split_the_data_by_another_rule() -> None:
    files = {"kind": "files", "format": "beir", "path": "p", "split": {"kind": "folds", "folds": 4, "fold": 1}}
    given = settings({"m": {"kind": "mine", "data": {"split": {"kind": "shuffled", "eval_share": 0.5}}}}, data=files)
    (step,) = given.steps.values()
    assert isinstance(step, kinds.MineStep)
    own = kinds.changed(given, step).data
    assert own.path == "p"  # type: ignore[union-attr]
    assert own.split.model_dump(exclude={"seed"}) == {"kind": "shuffled", "eval_share": 0.5}  # type: ignore[union-attr]


def stages(run: Run) -> list[str]:
    return [f"{done.stage} {done.status}" for done in run.done]


def test_only_what_depends_on_a_changed_setting_is_done_again(run: Run) -> None:
    done = list(run_steps(run, settings(WORDS), "a test"))
    assert [(one.name, len(one.stages)) for one in done] == [("mine", 3), ("measure", 2)]
    assert set(stages(run)) == {"data computed", "ranking computed", "groups computed", "evaluation computed"}

    def again(**changes: Any) -> list[str]:
        other = Run(run.workspace, ClusterSettings())
        steps = {name: {**step, **changes.get(name, {})} for name, step in WORDS.items()}
        list(run_steps(other, settings(steps), "a test"))
        return [stage.split()[0] for stage in stages(other) if stage.endswith(" computed")]

    assert again() == []
    assert again(mine={"mining": {"range": [2, 60], "negatives": 6}}) == ["groups"]
    assert again(measure={"evaluate": {"ks": [1, 10]}}) == ["evaluation"]
    assert again(measure={"k": 50}) == ["ranking", "evaluation"]
    assert again(mine={"data": {"seed": 1}}) == ["data", "ranking", "groups"]


def foreseen(run: Run, given: PipelineSettings, force: bool = False) -> list[str]:
    dry = DryRun(run.workspace, ClusterSettings(), force)
    foresee_steps(dry, given)
    return dry.text().splitlines()


def files(run: Run) -> set[str]:
    root = Path(run.workspace.root.uri)
    return {str(path) for path in root.rglob("*")} if root.exists() else set()


def test_a_dry_run_says_what_is_there_what_is_to_do_and_why_and_writes_nothing(run: Run) -> None:
    chain = {**WORDS, "train": {"kind": "train_embedder", "groups": "mine"}, "after": {"kind": "evaluate", "model": "train", "against": "measure"}}
    told = foreseen(run, settings(chain))
    assert [line.split()[0] for line in told] == ["mine", "to", "measure", "waits", "train", "waits", "after", "waits", "dry"]
    assert told[1].startswith("  to do  data ")
    assert told[1].endswith("never computed")
    assert "for data" in told[3]
    assert told[5] == "  waits  for mine"
    assert told[7] == "  waits  for train and measure"
    assert files(run) == set()

    list(run_steps(run, settings(WORDS), "a test"))
    before = files(run)
    told = foreseen(run, settings(WORDS))
    assert [line.split()[0] for line in told] == ["mine", "done", "done", "done", "measure", "done", "done", "dry"]
    assert all(done.artifact.location.uri in line for done, line in zip(run.done, [told[1], *told[2:4], *told[5:7]], strict=True))
    assert told[-1].endswith("every stage is there")
    changed = {**WORDS, "mine": {"kind": "mine", "mining": {"range": [2, 80], "negatives": 5, "min_score": 0.5}}}
    told = foreseen(run, settings(changed))
    groups = next(done.artifact for done in run.done if done.stage == "groups")
    assert told[3].endswith(f"changed since {groups.fingerprint[:12]}: mining.range: [2, 60] -> [2, 80], mining.min_score: null -> 0.5")
    told = foreseen(run, settings(WORDS, data={"kind": "misconceptions", "rows": 300, "seed": 7}))
    assert "data.seed: 0 -> 7" in told[1]
    told = foreseen(run, settings(WORDS), force=True)
    assert told[1].endswith("force=true computes again what is there")
    assert told[-1].endswith("there is something to do")
    assert files(run) == before


def test_why_names_other_inputs_another_algorithm_and_work_begun(run: Run) -> None:
    list(run_steps(run, settings(WORDS), "a test"))
    groups = next(done.artifact for done in run.done if done.stage == "groups")
    ranking = next(done.artifact for done in run.done if done.stage == "ranking")
    stage = Stage("groups", 3, {}, {"ranking": groups.as_input()}, dict(groups.manifest["identity"]))
    assert reason(run.workspace, stage) == f"changed since {groups.fingerprint[:12]}: other ranking, no data, algorithm: 2 -> 3"
    stage = Stage("groups", 2, {}, {"other": ranking.as_input()}, {"note": "x" * 60})
    said = reason(run.workspace, stage)
    assert said.startswith(f'changed since {groups.fingerprint[:12]}: note: nothing -> "{"x" * 36}..., ')
    assert said.endswith(" more")
    run.workspace.begin("groups", stage.fingerprint()).write("half", b"x")
    assert reason(run.workspace, stage) == "begun, not finished: it goes on from what is there"
    with pytest.raises(NotThereError):
        DryRun(run.workspace, ClusterSettings()).ensure(stage, lambda *_: pytest.fail("a dry run built something"))


def command(workspace: Path) -> list[str]:
    return [
        "search.method=bm25",
        "search.k=100",
        "data.rows=300",
        "steps.mine.mining.range=[2,60]",
        "steps.evaluate.evaluate.ks=[1,25]",
        f"workspace={workspace}",
    ]


@pytest.mark.parametrize(
    ("killed_in", "finished"),
    [("mine_groups", ["data", "ranking"]), ("evaluate", ["data", "ranking", "groups", "ranking"])],
)
def test_a_pipeline_that_was_stopped_goes_on_where_it_was(
    killed_in: str, finished: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(run: Run, *given: Any) -> Any:
        def build(*_: Any) -> Outcome:
            raise Stopped("signal 15")

        return run.ensure(Stage(killed_in, 1, {}, {}), build)

    with monkeypatch.context() as patch:
        patch.setattr(kinds, killed_in, stopped)
        assert run_job("pipeline", PipelineJob, pipeline, command(tmp_path)) == 130
    published = sorted(one.stage for one in Workspace.at(str(tmp_path)).artifacts())
    assert published == sorted(finished)
    assert run_job("pipeline", PipelineJob, pipeline, [*command(tmp_path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.count("  done ") == len(finished)
    assert len(list(tmp_path.glob("runs/*"))) == 1  # the dry run left no record
    assert run_job("pipeline", PipelineJob, pipeline, command(tmp_path)) == 0
    out = capsys.readouterr().out
    assert f"{5 - len(finished)} of 5 stages computed, {len(finished)} already done" in out
