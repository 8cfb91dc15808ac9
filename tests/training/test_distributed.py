"""Ranks without Ray: what the group's collectives give, and two ranks (DDP, FSDP2) against one process on the toy network.

This file is also the program of a rank: `python test_distributed.py RANK FOLDER`.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from ray_pipeline.training.distributed import Group, Strategy, without_sync, wrap
from tests.ranks import run_ranks
from tests.training.toy import Stop, StopAt, ToyTask, facts, loop_of, settings_of

WORLD = 2
STRATEGIES: tuple[Strategy, ...] = ("ddp", "fsdp")
SETTINGS: dict[str, dict[str, Any]] = {
    "usual": {},  # odd batches: the last of an epoch has 3 rows
    "clipped": {"clip_norm": 0.1, "batch_size": 5},
}


def given(name: str, strategy: str, world: int, **more: Any) -> dict[str, Any]:
    return {**SETTINGS[name], "distributed": {"workers": world, "strategy": strategy}, **more}


def calm(group: Group) -> ToyTask:
    """Doubles without dropout, so that ranks and one process can agree."""
    return ToyTask(dropout=0.0, group=group, double=True)


# ---- alone


def test_a_group_of_one_needs_no_process_group() -> None:
    group = Group.current()
    assert (group.rank, group.world, group.leads, group.device.type) == (0, 1, True, "cpu")
    assert group.sum({"a": 1.5}) == {"a": 1.5}
    assert group.largest(3) == 3
    assert group.from_leader({"x": [1]}) == {"x": [1]}
    rows = torch.ones(2, 3, requires_grad=True)
    (alone,) = group.gather_rows(rows)
    assert torch.equal(alone, rows) and not alone.requires_grad
    group.wait()


@pytest.mark.parametrize("rows", [0, 1, 5, 7, 64])
@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_shares_are_contiguous_even_and_whole(rows: int, world: int) -> None:
    shares = [Group(rank, world).share(rows) for rank in range(world)]
    assert [row for share in shares for row in range(share.start, share.stop)] == list(range(rows))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_one_process_needs_no_wrapping() -> None:
    model = nn.Linear(2, 2)
    assert wrap(model, Group(), "ddp") is model
    with without_sync(model):
        pass


# ---- two ranks


def rank_main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60))
    group = Group.current()
    found: dict[str, Any] = {"collectives": collectives(group)}
    for strategy in STRATEGIES:
        for name in SETTINGS:
            loop = loop_of(folder / f"{strategy}-{name}", settings_of(**given(name, strategy, WORLD)), calm(group))
            found[f"{strategy}-{name}"] = facts(loop, loop.run())
        found[f"{strategy}-resumed"] = resumed(folder / f"{strategy}-resumed", strategy, group)
        cut(folder / f"{strategy}-for one", strategy, group)
    for strategy, other in (("ddp", "fsdp"), ("fsdp", "ddp")):
        cut(folder / f"{strategy}-for {other}", strategy, group)
        loop = loop_of(folder / f"{strategy}-for {other}", settings_of(**given("usual", other, WORLD)), calm(group), attempt="b")
        found[f"{strategy}-for {other}"] = facts(loop, loop.run())
    dist.barrier()
    loop = loop_of(folder / "of one", settings_of(**given("usual", "fsdp", WORLD)), calm(group), attempt="ranks")
    found["of one"] = facts(loop, loop.run())
    found["no sync"] = no_sync(group)
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def collectives(group: Group) -> dict[str, Any]:
    rows = torch.arange(2.0 + group.rank)[:, None] + 10 * group.rank  # 2 rows on rank 0, 3 on rank 1
    tensor = torch.ones(2) * (group.rank + 1)
    group.add_(tensor)
    return {
        "sum": group.sum({"a": 1.0 + group.rank, "b": 2.0**53 if group.rank else 2.0}),
        "largest": group.largest(5 - group.rank),
        "rows": [part.tolist() for part in group.gather_rows(rows)],
        "none": [list(part.shape) for part in group.gather_rows(torch.zeros(0 if group.rank else 1, 4))],
        "leader": group.from_leader({"rank": group.rank, "text": "é" * 5}),
        "nothing": group.from_leader(None if group.leads else 3),
        "added": tensor.tolist(),
    }


def no_sync(group: Group) -> list[float]:
    """Gradients of a rank's own, then those of both, averaged."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    wrapped = wrap(model, group, "ddp")
    found = []
    with without_sync(wrapped):
        wrapped(torch.full((1, 1), 1.0 + group.rank)).sum().backward()
    found.append(float(model.weight.grad))  # type: ignore[arg-type]
    wrapped(torch.full((1, 1), 1.0 + group.rank)).sum().backward()
    return [*found, float(model.weight.grad)]  # type: ignore[arg-type]


def cut(folder: Path, strategy: str, group: Group) -> None:
    settings = settings_of(**given("usual", strategy, group.world, checkpoints={"every_steps": 2}))
    with pytest.raises(Stop):
        loop_of(folder, settings, calm(group), observer=StopAt(5)).run()


def resumed(folder: Path, strategy: str, group: Group) -> bool:
    """With dropout, under one strategy and number of ranks: the same bits as a run that was not cut."""
    settings = settings_of(**given("usual", strategy, group.world, checkpoints={"every_steps": 2}))
    with pytest.raises(Stop):
        loop_of(folder, settings, ToyTask(group=group), observer=StopAt(5)).run()
    ends = []
    for place in (folder, folder / "whole"):
        loop = loop_of(place, settings, ToyTask(group=group), attempt="b")
        ends.append(facts(loop, loop.run()))
    return ends[0] == ends[1]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """What two ranks found, and the folder they left their checkpoints in."""
    folder = tmp_path_factory.mktemp("ranks")
    cut(folder / "of one", "ddp", Group())
    run_ranks(__file__, WORLD, str(folder))
    return folder, [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


Ranks = tuple[Path, list[dict[str, Any]]]


def alone(folder: Path, name: str = "usual", attempt: str = "a") -> dict[str, Any]:
    loop = loop_of(folder, settings_of(**given(name, "ddp", 1)), calm(Group()), attempt=attempt)
    return facts(loop, loop.run())


def assert_near(found: Any, expected: Any, where: str = "") -> None:
    """Equal in everything that is no number, and to 1e-10 in what is."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected:
            assert_near(found[name], expected[name], f"{where}/{name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for number, one in enumerate(expected):
            assert_near(found[number], one, f"{where}/{number}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-13), where
    else:
        assert found == expected, where


def test_collectives(ranks: Ranks) -> None:
    for found in ranks[1]:
        assert found["collectives"] == {
            "sum": {"a": 3.0, "b": 2.0**53 + 2},
            "largest": 5,
            "rows": [[[0.0], [1.0]], [[10.0], [11.0], [12.0]]],
            "none": [[1, 4], [0, 4]],
            "leader": {"rank": 0, "text": "é" * 5},
            "nothing": None,
            "added": [3.0, 3.0],
        }


def test_without_sync_gradients_stay_on_their_rank(ranks: Ranks) -> None:
    assert [found["no sync"] for found in ranks[1]] == [[1.0, 3.0], [2.0, 3.0]]  # (1 + 1 + 2 + 2) / 2


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_ranks_equal_one_process(strategy: str, name: str, ranks: Ranks, tmp_path: Path) -> None:
    """Losses, norms, metrics, weights, Adam's averages and the guard's state; a parameter outside the model too."""
    expected = json.loads(json.dumps(alone(tmp_path, name)))
    assert any(row.get("grad_norm", 0) > 0.1 for row in expected["history"])
    for found in ranks[1]:
        assert_near(found[f"{strategy}-{name}"], expected)
    assert abs(expected["weights"]["scale"] - 1) > 0.01


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_of_two_ranks_goes_on_to_the_same_bits(strategy: str, ranks: Ranks) -> None:
    assert all(found[f"{strategy}-resumed"] for found in ranks[1])


@pytest.mark.parametrize(("strategy", "other"), [("ddp", "fsdp"), ("fsdp", "ddp")])
def test_a_checkpoint_of_one_strategy_goes_on_under_the_other(strategy: str, other: str, ranks: Ranks, tmp_path: Path) -> None:
    expected = json.loads(json.dumps(alone(tmp_path)))
    for found in ranks[1]:
        assert_near(found[f"{strategy}-for {other}"], expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_checkpoint_of_two_ranks_goes_on_alone(strategy: str, ranks: Ranks, tmp_path: Path) -> None:
    folder = ranks[0] / f"{strategy}-for one"
    seen: list[int] = []

    class Seen(StopAt):
        def step(self, row: Any) -> None:
            seen.append(row["step"])

    loop = loop_of(folder, settings_of(), calm(Group()), attempt="b", observer=Seen(0))
    assert_near(json.loads(json.dumps(facts(loop, loop.run()))), json.loads(json.dumps(alone(tmp_path))))
    assert seen == [5, 6, 7, 8, 9]


def test_a_checkpoint_of_one_process_goes_on_sharded_over_two(ranks: Ranks, tmp_path: Path) -> None:
    expected = json.loads(json.dumps(alone(tmp_path)))
    for found in ranks[1]:
        assert_near(found["of one"], expected)


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]))
