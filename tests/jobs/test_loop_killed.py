"""The iterated loop killed at three points - training, scoring, training the second reranker - and run again to the same end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from jobs.command_line import run_job
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Artifact, Workspace
from tests.processes import JobProcess

STEPS = 8  # of each training


def words(workspace: Path, model: Path) -> list[str]:
    trainings = [f"iterations.{part}.{name}.training.train" for part in ("first", "each") for name in ("embedder", "reranker")]
    every_step = [f"{key}.{change}" for key in trainings for change in (f"max_steps={STEPS}", "checkpoints.every_steps=1")]
    scorings = [f"iterations.each.{name}.score={{shard_rows: 20, max_rows: 2}}" for name in ("scored", "scored_for_reranker")]
    return [
        *("experiment=smoke/iterated_minilm", f"workspace={workspace}", f"model.name={model}", f"reranker.name={model}"),
        *("cluster.in_process=always", "cluster.threads_per_worker=1", *every_step, *scorings),
    ]


class Loop(JobProcess):
    """The whole of it, in one process."""

    def __init__(self, workspace: Path, model: Path) -> None:
        super().__init__("jobs.pipeline", words(workspace, model), workspace, workers="ray::")

    def found(self, pattern: str) -> int:
        return len(list(self.workspace.glob(pattern)))

    def half_trained(self, stage: str) -> bool:
        """Whether a training of this stage has a checkpoint and no artifact."""
        open_ones = (folder for folder in self.workspace.glob(f"{stage}/*") if not (folder / "manifest.json").exists())
        return any(any(folder.glob("attempts/*/checkpoints/*/state.json")) for folder in open_ones)

    def killed_when(self, happened: Callable[[], bool], what: str) -> set[str]:
        """Killed there; the artifacts that are finished by then."""
        self.wait_for(happened, what)
        self.kill()
        return {path.parent.as_posix() for path in self.workspace.glob("*/*/manifest.json")}


def by_name(workspace: Path) -> dict[tuple[str, str], Artifact]:
    return {(one.stage, one.fingerprint): one for one in Workspace.at(str(workspace)).artifacts()}


def content(artifact: Artifact) -> list[tuple[object, ...]]:
    """Its files but those that name a date or a place."""
    told = ("report", "history", "model/README.md", "checkpoints/")
    return [(entry["name"], entry["file"]["sha256"]) for entry in artifact.manifest["files"] if not entry["name"].startswith(told)]


def test_a_loop_that_is_killed_three_times_ends_as_one_that_never_was(tiny_model: Path, tmp_path: Path) -> None:
    undisturbed, workspace = tmp_path / "undisturbed", tmp_path / "w"
    assert run_job("pipeline", PipelineJob, pipeline, words(undisturbed, tiny_model)) == 0

    first = Loop(workspace, tiny_model)
    done = first.killed_when(lambda: first.half_trained("model"), "a checkpoint of the first embedder")
    assert not first.found("model/*/manifest.json")

    second = Loop(workspace, tiny_model)
    scoring = "groups/*/attempts/*/records/*.json"
    assert not second.found("reranker/*/manifest.json")
    now = second.killed_when(lambda: second.found("reranker/*/manifest.json") == 1 and second.found(scoring) > 2, "scored shards")
    assert done < now
    assert second.found("model/*/manifest.json") == 1  # the teacher of the second embedder was at work

    third = Loop(workspace, tiny_model)
    late = third.killed_when(
        lambda: third.found("reranker/*/manifest.json") == 1 and third.half_trained("reranker"), "a checkpoint of the second reranker"
    )
    assert now < late
    assert "continuing" in third.said.read_text()

    last = Loop(workspace, tiny_model)
    assert last.wait_for_the_end() == 0, last.said.read_text()
    ended = [json.loads(path.read_text())["status"] for path in sorted(workspace.glob("runs/*/ended.json"))]
    assert ended == ["finished"]  # the killed ones could not tell
    expected, found = by_name(undisturbed), by_name(workspace)
    assert found.keys() == expected.keys()
    for name, artifact in expected.items():
        assert content(found[name]) == content(artifact), name
