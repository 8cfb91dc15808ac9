"""What a checkpoint holds, which one a run goes on from, what is thinned out, and what damage and a full disk do."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location
from ray_pipeline.training.checkpoint import BLOCK, Checkpoint, Checkpoints
from tests.training.toy import Stop, StopAt, facts, loop_of, settings_of


def checkpoints_at(folder: Path, attempt: str = "a", anew: bool = False) -> Checkpoints:
    return Checkpoints(Location.of(str(folder)), f"attempts/{attempt}", anew)


def saved(folder: Path, step: int, attempt: str = "a", rows: int = 2) -> Checkpoint:
    tensors = {name: {"x": torch.full((3,), float(step))} for name in ("model", "optimizer", "random")}
    history = [{"kind": "step", "step": number} for number in range(rows)]
    place = checkpoints_at(folder, attempt)
    return place.save({"step": step}, tensors, history, place.append_history([], history))


def names(place: Location) -> list[str]:
    return [child.name for child in place.children()]


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    place = checkpoints_at(tmp_path)
    saved(tmp_path, 7)
    found = place.newest()
    assert found is not None
    assert (found.step, found.whole()) == (7, True)
    assert names(found.location) == ["history.jsonl", "model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"]
    assert found.tensors("optimizer")["x"].tolist() == [7.0] * 3
    assert place.history(found) == ([], [{"kind": "step", "step": 0}, {"kind": "step", "step": 1}])


def test_a_long_history_is_written_once_in_blocks(tmp_path: Path) -> None:
    """What a checkpoint writes anew stays below a block, however long the run."""
    rows = 3 * BLOCK + 5
    history = [{"kind": "step", "step": number, "loss": 1 / (number + 1)} for number in range(rows)]
    place = checkpoints_at(tmp_path)
    blocks = place.append_history([], history[: BLOCK + 1])
    assert [block.rows for block in blocks] == [BLOCK]
    blocks = place.append_history(blocks, history)
    assert [block.path for block in blocks] == [f"attempts/a/history/{number:06d}.jsonl" for number in range(3)]
    found = place.save({"step": rows}, {"model": {}}, history, blocks)
    assert len(found.read("history.jsonl").splitlines()) == 5
    assert place.history(found) == (blocks, history)


def test_the_newest_whole_one_of_any_attempt_counts(tmp_path: Path) -> None:
    saved(tmp_path, 3, "a")
    saved(tmp_path, 9, "b")
    saved(tmp_path, 5, "c")
    place = checkpoints_at(tmp_path, "d")
    assert list(place.all()) == [3, 5, 9]
    place.all()[9].cut_to_weights()
    newest = place.newest()
    assert newest is not None and newest.step == 5
    assert list(checkpoints_at(tmp_path, "b", anew=True).all()) == [9]
    assert checkpoints_at(tmp_path, "b", anew=True).newest() is None


def test_of_two_attempts_at_a_step_the_whole_one_counts(tmp_path: Path) -> None:
    for whole in ("a", "b"):
        folder = tmp_path / whole
        for attempt in ("a", "b"):
            one = saved(folder, 4, attempt)
            if attempt != whole:
                one.cut_to_weights()
        found = checkpoints_at(folder).all()[4]
        assert found.whole() and f"attempts/{whole}/" in found.location.uri


def test_what_is_cut_down_keeps_its_weights_only(tmp_path: Path) -> None:
    one = saved(tmp_path, 4)
    one.cut_to_weights()
    found = checkpoints_at(tmp_path).all()[4]
    assert names(found.location) == ["model.safetensors", "state.json"]
    assert not found.whole() and found.tensors("model")["x"].tolist() == [4.0] * 3
    found.cut_to_weights()  # again: nothing to do


def test_thinned_out(tmp_path: Path) -> None:
    for step in range(1, 7):
        saved(tmp_path, step, "a" if step < 4 else "b")
    place = checkpoints_at(tmp_path, "b")
    place.thin_out(2, {2, 6})
    assert {step: one.whole() for step, one in place.all().items()} == {2: False, 5: True, 6: True}
    assert not (tmp_path / "attempts/a/checkpoints/step-00000001").exists()
    place.cut_to_weights()
    assert {step: one.whole() for step, one in place.all().items()} == {2: False, 5: False, 6: False}


def test_the_same_step_of_an_earlier_attempt_goes(tmp_path: Path) -> None:
    """A run that went on from step 3 writes step 4 again: one of the two is enough."""
    saved(tmp_path, 3, "a"), saved(tmp_path, 4, "a")
    checkpoints_at(tmp_path, "a").all()[4].cut_to_weights()
    saved(tmp_path, 4, "b")
    checkpoints_at(tmp_path, "b").thin_out(1, {3})
    found = [path.parent.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("state.json"))]
    assert found == ["attempts/a/checkpoints/step-00000003", "attempts/b/checkpoints/step-00000004"]


def test_one_without_its_state_does_not_exist(tmp_path: Path) -> None:
    """As a kill leaves it while it is written, or deleted: the state is written last and changed first."""
    saved(tmp_path, 1)
    later = saved(tmp_path, 2)
    (later.location / "state.json").delete()
    assert list(checkpoints_at(tmp_path).all()) == [1]


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_kill_while_it_is_cut_down_leaves_no_lie(cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = saved(tmp_path, 1)
    deleted: list[str] = []
    delete = Location.delete

    def dying(self: Location) -> None:
        if len(deleted) == cut:
            raise KeyboardInterrupt
        deleted.append(self.name)
        delete(self)

    monkeypatch.setattr(Location, "delete", dying)
    if cut < 3:
        with pytest.raises(KeyboardInterrupt):
            one.cut_to_weights()
    else:
        one.cut_to_weights()
    found = checkpoints_at(tmp_path).all()[1]
    assert not found.whole()
    assert found.tensors("model")["x"].tolist() == [1.0] * 3


# ---- damage


@pytest.fixture
def cut_run(tmp_path: Path) -> Path:
    """A run with checkpoints of steps 2 and 4, cut at step 5."""
    with pytest.raises(Stop):
        loop_of(tmp_path, settings_of(checkpoints={"every_steps": 2, "keep_last": 2}), observer=StopAt(5)).run()
    assert [one.step for one in checkpoints_at(tmp_path).all().values() if one.whole()] == [3, 4]
    return tmp_path


def go_on(folder: Path) -> dict[str, Any]:
    loop = loop_of(folder, settings_of(checkpoints={"every_steps": 2, "keep_last": 2}), attempt="b")
    return facts(loop, loop.run())


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "random.safetensors", "history.jsonl"])
@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_damaged_file_is_named_and_its_remedy_works(name: str, damage: str, cut_run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = next(cut_run.glob(f"attempts/a/checkpoints/step-00000004/{name}"))
    if damage == "flipped":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    else:
        file.unlink()
    words = "changed since it was written" if damage == "flipped" else "missing"
    with pytest.raises(ArtifactError) as caught:
        go_on(cut_run)
    assert str(caught.value) == f"{file}: {words}; delete {file.parent}, and the run goes on from what is left"
    for path in file.parent.iterdir():
        path.unlink()
    undisturbed = go_on(tmp_path_factory.mktemp("undisturbed"))
    assert go_on(cut_run) == undisturbed  # from step 3


def test_a_state_that_is_no_json_is_named(cut_run: Path) -> None:
    (cut_run / "attempts/a/checkpoints/step-00000004/state.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"step-00000004/state.json: not valid JSON .* the file is damaged, restore or delete it"):
        go_on(cut_run)


def test_best_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, settings_of(guard=None))
    loop.state.best_step = 1
    loop.state.best_value = 9.0  # so that no evaluation is better
    with pytest.raises(ArtifactError, match=r"the checkpoint of step 1 is gone; train again with force=true"):
        loop.run()


# ---- a full disk: this file is also the program that meets it


def test_a_disk_that_fills_is_named_and_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    """No file may grow beyond a limit from step 5 on, as if the disk were full (EFBIG in place of ENOSPC)."""
    command = [sys.executable, __file__, str(tmp_path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], env={"PYTHONPATH": str(Path(__file__).parents[2])}, capture_output=True, text=True)
    assert ended.returncode == 3, ended.stderr
    place = f"{tmp_path}/attempts/a/checkpoints/step-00000006/model.safetensors"
    assert ended.stdout.startswith(f"{place}: cannot be written: File too large (no file may be as large there: raise the limit")
    assert "then run the same command again" in ended.stdout
    assert not Path(place).parent.exists()  # nothing half-written
    assert not list(tmp_path.rglob("*.tmp"))
    assert [one.step for one in checkpoints_at(tmp_path).all().values() if one.whole()] == [3, 4]
    assert go_on(tmp_path) == go_on(tmp_path / "undisturbed")


def fill() -> int:
    import signal

    class Full(StopAt):
        def step(self, row: Any) -> None:
            if row["step"] == 5:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    settings = settings_of(checkpoints={"every_steps": 2, "keep_last": 2})
    try:
        loop_of(Path(sys.argv[1]), settings, observer=Full(0)).run()
    except ArtifactError as problem:
        print(problem)
        return 3
    return 0


def test_the_state_is_json_of_plain_values(tmp_path: Path) -> None:
    loop_of(tmp_path, settings_of(epochs=1.0)).run()
    state = json.loads((tmp_path / "attempts/a/checkpoints/step-00000003/state.json").read_text())
    assert "history" not in state
    assert state["source"] == {"epoch": 1, "step": 0, "taken": 3}


if __name__ == "__main__":
    sys.exit(fill())
