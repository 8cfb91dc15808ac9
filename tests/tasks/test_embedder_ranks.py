"""An embedder trained by two ranks (gloo; DDP, FSDP2) against one process: losses, norms, weights, temperature, metrics.

This file is also the program of a rank: `python test_embedder_ranks.py RANK FOLDER MODEL DATA`.
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
from safetensors.torch import load_file, save_file

from ray_pipeline.artifacts import Workspace, load
from ray_pipeline.config import parse
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.evaluation.live_retrieval import LiveRetrieval
from ray_pipeline.models.trained_weights import parameter_tensors
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.embedder import EmbedderTask
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.loop import Loop
from tests.ranks import run_ranks
from tests.tasks.tiny_training import embedder_loop, settings_of, without_dropout

WORLD = 2
LORA = {"kind": "lora", "rank": 2, "dropout": 0.0}
# what the settings change, and what a training of more than one term, side or batch can get wrong
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "odd batches": ({"batch_size": 5}, {}),
    "negatives, clipped": ({"clip_norm": 0.05}, {"batches": {"negatives_per_query": 2}}),
    "accumulated, nothing kept": ({"batch_size": 5, "accumulate": 2}, {"batches": {"negatives_per_query": 2}, "micro": {"keep_tokens": 0}}),
    "accumulated, all kept": ({"batch_size": 5, "accumulate": 2}, {"micro": {"keep_tokens": 4096}}),
    "every positive": ({}, {"objective": {"positives": "each"}, "batches": {"negatives_per_query": 1}}),
    "learned temperature": (
        {"batch_size": 5, "accumulate": 2, "optimizer": {"lr": 1e-3, "lr_head": 0.05}},
        {"objective": {"learnable_temperature": True, "directions": ["query_to_doc", "query_to_query", "doc_to_query"]}},
    ),
    "matryoshka": ({}, {"objective": {"matryoshka_dims": [32, 8], "matryoshka_weights": [1.0, 0.5], "chunk_rows": 2}}),
    "guide": ({"batch_size": 5}, {"objective": {"guide_margin": 0.0}, "guide": "the model"}),
    "lora": ({"optimizer": {"lr": 1e-2, "lr_lora_b": 5e-2}}, {"adaptation": LORA}),
    "checkpointed activations": ({"gradient_checkpointing": True}, {"micro": {"keep_tokens": 0}}),
}


MEASURED = ("odd batches", "lora")  # whose model is measured too
FP32 = ("accumulated, nothing kept", "learned temperature")  # in both precisions; the others in fp64
RUNS = [(case, double) for case in CASES for double in (True, False) if double or case in FP32]


def training_of(case: str, model: Path, strategy: str, world: int) -> EmbedderTraining:
    train, given = json.loads(json.dumps(CASES[case]))
    if "guide" in given:
        given["guide"] = {"name": str(model), "max_length": 24, "precision": "fp32"}
    # a little noise in gradients that are zero in truth must not become a step of full length
    train["optimizer"] = {"lr": 1e-3, **train.get("optimizer", {}), "eps": 1e-4}
    return settings_of({"distributed": {"workers": world, "strategy": strategy}, **train}, **given)


def found_by(loop: Loop[Any], data: PreparedData, case: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """What the ranks must agree on with one process."""
    history = loop.run().history
    task = loop.task
    assert isinstance(task, EmbedderTask)
    figures: dict[str, float] = {}
    if case in MEASURED:
        live = LiveRetrieval(data, "eval", task.model.text_input, loop.group, share=0.5, objective=task.settings.objective, batch_size=8)
        figures = live.measure(task.model)
    assert task.model.training
    rows = [{name: row[name] for name in ("loss", "grad_norm", "tokens", "off_diagonal_cosine", "correct")} for row in history]
    return {"rows": rows, "figures": figures}, parameter_tensors(loop.parameters)


def rank_main(rank: int, folder: Path, model: Path, data: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60))
    group, prepared = Group.current(), PreparedData(load(data))
    for strategy in ("ddp", "fsdp"):
        for case, double in RUNS:
            name = f"{strategy}, {case}, {double}"
            loop = embedder_loop(model, training_of(case, model, strategy, WORLD), folder / name, group, double=double)
            seen, weights = found_by(loop, prepared, case)
            save_file(weights, folder / f"{name}, {rank}.safetensors")
            (folder / f"{name}, {rank}.json").write_text(json.dumps(seen))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def calm(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_dropout(tiny_model, tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    run = Run(Workspace.at(str(tmp_path_factory.mktemp("data"))), ClusterSettings())
    return prepare(run, parse(GeneratedData, {"rows": 120}))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory, calm: Path, data: PreparedData) -> Path:
    """The folder in which two ranks left what they found."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(__file__, WORLD, str(folder), str(calm), data.artifact.location.uri)
    return folder


@pytest.mark.parametrize(("case", "double"), RUNS)
def test_two_ranks_equal_one_process(case: str, double: bool, ranks: Path, calm: Path, data: PreparedData, tmp_path: Path) -> None:
    near = 1e-10 if double else 1e-5
    loop = embedder_loop(calm, training_of(case, calm, "ddp", 1), tmp_path, Group(), double=double)
    seen, weights = found_by(loop, data, case)
    assert len(seen["rows"]) >= 3
    for strategy in ("ddp", "fsdp"):
        for rank in range(WORLD):
            name = f"{strategy}, {case}, {double}, {rank}"
            other = json.loads((ranks / f"{name}.json").read_text())
            for row, expected in zip(other["rows"], seen["rows"], strict=True):
                assert row == pytest.approx(expected, rel=near * 10), name
            assert other["figures"] == pytest.approx(seen["figures"], rel=1e-5), name
            found = load_file(ranks / f"{name}.safetensors")
            assert found.keys() == weights.keys()
            for parameter, one in weights.items():
                far = float((found[parameter] - one).abs().max()) / max(float(one.abs().max()), 0.01)  # a key's bias stays at 0 but for noise
                assert far < near, (name, parameter, far)


def test_the_temperature_moved(ranks: Path) -> None:
    assert abs(float(load_file(ranks / "ddp, learned temperature, True, 0.safetensors")["log_temperature"]) + 2.995732) > 0.01  # ln 0.05


def test_an_observer_is_told_the_same_on_every_rank(ranks: Path) -> None:
    for case in CASES:
        assert (ranks / f"ddp, {case}, True, 0.json").read_text() == (ranks / f"ddp, {case}, True, 1.json").read_text()


if __name__ == "__main__":
    rank_main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
