"""A reranker's training step: the gradient of lists written out, whatever micro batches and ranks; and that it learns.

This file is also the program of a rank: `python test_reranker.py RANK FOLDER MODEL`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ray_pipeline.config import parse
from ray_pipeline.data.training_batches import plan_epoch
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.models.adapters import trainable_reranker
from ray_pipeline.models.pair_input import pair_input
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.trained_weights import parameter_tensors
from ray_pipeline.objectives.reranking import reranking_rows
from ray_pipeline.storage import Location
from ray_pipeline.tasks.reranker import RerankerTask
from ray_pipeline.tasks.reranker_batches import ListMaker, RerankerBatch
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import Observer
from tests.ranks import run_ranks
from tests.tasks.tiny_training import training_data, without_dropout

WORLD = 2
USUAL: dict[str, Any] = {
    "epochs": 1.0,
    "batch_size": 5,
    "evaluation": None,
    "checkpoints": {"keep_best": False},
    "optimizer": {"lr": 1e-3, "eps": 1e-4},
}
CASES: dict[str, dict[str, Any]] = {
    "listwise": {"objective": {"label_smoothing": 0.2}},
    "nothing kept": {"micro": {"token_budget": 48, "keep_tokens": 0}, "train": {"accumulate": 2}},
    "pointwise": {"objective": {"kind": "pointwise"}, "micro": {"token_budget": 48, "keep_tokens": 100}},
    "lora": {"adaptation": {"kind": "lora", "rank": 2, "dropout": 0.0}},
}


def training_of(case: str, world: int = 1, strategy: str = "ddp") -> RerankerTraining:
    given = json.loads(json.dumps(CASES[case]))
    train = {**USUAL, "distributed": {"workers": world, "strategy": strategy}, **given.pop("train", {})}
    return parse(RerankerTraining, {"train": train, "batches": {"negatives_per_query": 2, "no_duplicates": False}, **given})


def loop_of(
    model: Path, training: RerankerTraining, folder: Path, group: Group, data: TrainingSet | None = None, *, double: bool = True
) -> Loop[RerankerBatch]:
    settings = training.train
    base = parse(RerankerSettings, {"name": str(model), "kind": "classifier", "max_length": 40})
    reranker = trainable_reranker(base, training.adaptation, str(group.device), settings.precision, seed=settings.seed)
    if double:
        reranker.double()
    rows = training_data() if data is None else data

    def plan(epoch: int) -> list[NDArray[np.int64]]:
        planned = plan_epoch(rows, settings.batch_size, settings.seed, epoch, training.batches)
        return [planned.batch(number) for number in range(len(planned))]

    lists = ListMaker(rows, reranker.pair_input, settings.seed, training.batches.negatives_per_query, group)
    source = EpochSource(plan, lists, settings)
    checkpoints = Checkpoints(Location.of(str(folder)), "attempts/a")
    return Loop(RerankerTask(reranker, training, group), source, settings, group, checkpoints, Observer())


def found_by(loop: Loop[RerankerBatch]) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    rows = [{name: row[name] for name in ("loss", "grad_norm", "tokens", "correct")} for row in loop.run().history]
    return rows, parameter_tensors(loop.parameters)


def rank_main(rank: int, folder: Path, model: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60))
    group = Group.current()
    for strategy in ("ddp", "fsdp"):
        for case in CASES:
            rows, weights = found_by(loop_of(model, training_of(case, WORLD, strategy), folder / f"{strategy}, {case}", group))
            save_file(weights, folder / f"{strategy}, {case}, {rank}.safetensors")
            (folder / f"{strategy}, {case}, {rank}.json").write_text(json.dumps(rows))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def calm(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_dropout(tiny_model, tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory, calm: Path) -> Path:
    """The folder in which two ranks left what they found."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(__file__, WORLD, str(folder), str(calm))
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_equal_one_process(case: str, ranks: Path, calm: Path, tmp_path: Path) -> None:
    rows, weights = found_by(loop_of(calm, training_of(case), tmp_path, Group()))
    assert len(rows) >= 2
    for strategy in ("ddp", "fsdp"):
        for rank in range(WORLD):
            other = json.loads((ranks / f"{strategy}, {case}, {rank}.json").read_text())
            for row, expected in zip(other, rows, strict=True):
                assert row == pytest.approx(expected, rel=1e-9), (strategy, case, rank)
            found = load_file(ranks / f"{strategy}, {case}, {rank}.safetensors")
            for parameter, one in weights.items():
                assert float((found[parameter] - one).abs().max()) < 1e-9 * max(float(one.abs().max()), 0.1), (strategy, case, parameter)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_lists_written_out(case: str, calm: Path, tmp_path: Path) -> None:
    """One batch, query by query and pair by pair, without micro batches."""
    loop = loop_of(calm, training_of(case), tmp_path, Group())
    task = loop.task
    assert isinstance(task, RerankerTask)
    (batch, *_) = next(iter(loop.source)).batches
    trained = {name: one for name, one in task.model.named_parameters() if one.requires_grad}
    sums = task.backward(batch, 0.5, True)
    found = {name: one.grad.clone() for name, one in trained.items() if one.grad is not None}
    task.model.zero_grad()
    scores = torch.zeros(batch.listed.shape, dtype=torch.float64)
    tokens, before = batch.pairs.whole()
    for pair, (row, place) in enumerate(batch.listed.nonzero().tolist()):
        ids = torch.from_numpy(tokens.ids[tokens.offsets[pair] : tokens.offsets[pair + 1]].astype(np.int64))[None]
        scores[row, place] = task.model(ids, torch.ones_like(ids), torch.tensor([before[pair]]))[0]
    losses, _ = reranking_rows(scores, batch.listed, batch.teacher, task.settings.objective)
    loss = (batch.weight * losses).sum()
    (0.5 * loss).backward()  # type: ignore[no-untyped-call]
    assert sums["loss"] == pytest.approx(float(loss.detach()), rel=1e-9)
    for name, one in trained.items():
        expected = torch.zeros_like(one) if one.grad is None else one.grad
        assert torch.allclose(found.get(name, torch.zeros_like(one)), expected, rtol=1e-8, atol=1e-12), name


def test_a_query_without_negatives_is_counted_and_costs_nothing(calm: Path, tmp_path: Path) -> None:
    loop = loop_of(calm, training_of("listwise"), tmp_path, Group())
    data = training_data()
    alone = np.flatnonzero(data.negatives.counts == 0)[:2]
    task = loop.task
    assert isinstance(task, RerankerTask)
    batch = ListMaker(data, task.model.pair_input, 0, 2, Group())(alone, 0)
    sums = task.backward(batch, 1.0, True)
    assert sums["loss"] == pytest.approx(0, abs=1e-12)
    assert sums["alone"] == float(batch.weight.sum())


def test_negatives_are_drawn_anew_each_epoch(calm: Path) -> None:
    data = training_data()
    rich = np.flatnonzero(data.negatives.counts == 3)
    pairs = pair_input(parse(RerankerSettings, {"name": str(calm), "kind": "classifier", "max_length": 40}))
    maker = ListMaker(data, pairs, 0, 1, Group())
    assert any(not np.array_equal(maker(rich, 0).pairs.bodies.ids, maker(rich, epoch).pairs.bodies.ids) for epoch in (1, 2, 3))


def trained_to(calm: Path, folder: Path, given: Mapping[str, Any], seed: int) -> float:
    """The share of lists whose positive comes first at the end of ten epochs."""
    train = {**USUAL, "epochs": 10.0, "seed": seed, "optimizer": {"lr": 3e-3}}
    training = parse(RerankerTraining, {"train": train, "batches": {"negatives_per_query": 2, "no_duplicates": False}, **given})
    history = loop_of(calm, training, folder, Group(), double=False).run().history
    return float(np.mean([row["correct"] for row in history[-5:]]))


def test_it_learns_its_lists(calm: Path, tmp_path: Path) -> None:
    """Not a claim about retrieval: that loss, gradient and optimizer are wired to each other."""
    assert trained_to(calm, tmp_path, {}, 0) > 0.75


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
