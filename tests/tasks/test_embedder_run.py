"""A whole training of an embedder in this process: resumed, collapsed, of every kind, and what it says and refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError, TrainingError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.prepare import FileData, GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.embedder_run import EmbedderRun
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings
from ray_pipeline.tasks.run import RunPlace
from ray_pipeline.training.distributed import Group
from tests.tasks.tiny_training import model_settings

USUAL: dict[str, Any] = {
    "train": {
        "epochs": 2.0,
        "batch_size": 8,
        "accumulate": 2,
        "optimizer": {"lr": 2e-3},
        "schedule": {"kind": "linear", "warmup_share": 0.1},
        "evaluation": {"query_share": 0.5},
        "checkpoints": {"every_steps": 2, "keep_epochs": True},
        "logging": {"console_every": 1e-6},
    },
    "micro": {"token_budget": 512, "keep_tokens": 512},
}


class Cut(Exception):
    """As if the process had been killed."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    run = Run(Workspace.at(str(tmp_path_factory.mktemp("data"))), ClusterSettings())
    return prepare(run, parse(GeneratedData, {"rows": 80}))


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            whole[name] = merged(whole[name], value) if isinstance(value, Mapping) and isinstance(whole.get(name), Mapping) else value
    return whole


Train = Callable[..., dict[str, Any]]


@pytest.fixture
def train(tmp_path: Path, tiny_model: Path, data: PreparedData) -> Train:
    """Trains at `place`; `until` cuts it off when that step is done."""
    torch.set_num_threads(1)

    def run(
        place: str = "run",
        attempt: str = "a",
        until: int | None = None,
        said: list[str] | None = None,
        rows: Any = None,
        data: PreparedData = data,
        **given: Any,
    ) -> dict[str, Any]:
        def say(line: str) -> None:
            if said is not None:
                said.append(line)
            if until is not None and line.startswith(f"step {until} of"):
                raise Cut

        training = parse(EmbedderTraining, merged(USUAL, given))
        settings = parse(RowSettings, rows or {})
        where = RunPlace(str(tmp_path / place), f"attempts/{attempt}", "name")
        one = EmbedderRun(model_settings(tiny_model), training, settings, {"data": data.artifact.location.uri}, where)
        return one(Group(), say)

    return run


def found(folder: Path, ended: Mapping[str, Any]) -> dict[str, Any]:
    """All that a resumed run has to agree on with an undisturbed one, to the last bit."""
    files = {entry["name"]: entry["file"] for entry in ended["files"]}
    rows = [json.loads(line) for line in (folder / files["history.jsonl"]["path"]).read_text().splitlines()]
    return {
        "history": [{name: value for name, value in row.items() if name != "seconds"} for row in rows],
        "hashes": {name: file["sha256"] for name, file in files.items() if name.endswith((".safetensors", "epochs.md"))},
        "metrics": ended["metrics"],
    }


LORA = {"adaptation": {"kind": "lora", "rank": 4, "dropout": 0.1}}
KINDS: dict[str, dict[str, Any]] = {
    "all weights": {},
    "lora, learned temperature": {**LORA, "objective": {"learnable_temperature": True}, "train": {"optimizer": {"lr_lora_b": 1e-2, "lr_head": 1e-2}}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_cut_goes_on_to_the_same_bits(kind: str, train: Train, tmp_path: Path) -> None:
    """Dropout on, two batches a step, cut within an epoch, twice: losses, evaluations, weights, all checkpoints that are kept."""
    whole = found(tmp_path / "whole", train("whole", **KINDS[kind]))
    steps = whole["metrics"]["steps"]
    assert steps >= 7
    for attempt, until in (("a", 3), ("b", steps - 1)):
        with pytest.raises(Cut):
            train("cut", attempt, until, **KINDS[kind])
    said: list[str] = []
    assert found(tmp_path / "cut", train("cut", "c", said=said, **KINDS[kind])) == whole
    assert any(line.startswith("going on from the checkpoint of step ") for line in said)
    losses = [row["loss"] for row in whole["history"] if row["kind"] == "step"]
    assert len(set(losses)) == steps and losses[-1] < losses[0]


def test_what_is_published(train: Train, tmp_path: Path, tiny_model: Path) -> None:
    said: list[str] = []
    ended = train(said=said, train={"evaluation": {"metric": "eval_loss", "greater_is_better": False}})
    names = {entry["name"] for entry in ended["files"]}
    assert {"history.jsonl", "epochs.md", "model/model.safetensors", "model/modules.json", "model/README.md"} <= names
    assert not any(name.startswith("adapter/") for name in names)
    kept = sorted(int(match[1]) for name in names if (match := re.fullmatch(r"checkpoints/step-(\d+)\.safetensors", name)))
    metrics = ended["metrics"]
    assert metrics["ended"] == "finished" and metrics["chosen_step"] in kept
    evaluations = metrics["evaluations"]
    assert metrics["before"] == evaluations[0] and evaluations[0]["step"] == 0
    best = min(evaluations, key=lambda row: (row["eval_loss"], row["step"]))
    assert metrics["after"] == best and metrics["chosen_step"] == best["step"] > 0
    assert {row["step"] for row in evaluations if row["epoch"] in (1.0, 2.0)} <= set(kept)
    assert metrics["parameters"]["trained"].keys() == {"embed_tokens", "body"}
    text = " ".join(said)
    for words in ("training queries", "memory: up to", "peak lr", "step 1 of", "evaluation at step", "finished after"):
        assert words in text, words

    files = {entry["name"]: entry["file"]["path"] for entry in ended["files"]}
    folder = tmp_path / "model"
    for name, path in files.items():
        if name.startswith("model/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "run" / path, tmp_path / name)
    exported = Embedder(parse(EmbedderSettings, {"name": str(folder), "precision": "fp32"}))
    trained = load_file(tmp_path / "run" / files[f"checkpoints/step-{metrics['chosen_step']:08d}.safetensors"])
    assert all(torch.equal(value, dict(exported.named_parameters())[name]) for name, value in trained.items())
    first = Embedder(model_settings(tiny_model))
    assert any(not torch.equal(value, dict(first.named_parameters())[name]) for name, value in trained.items())


def test_an_adapter_is_all_that_its_checkpoints_hold(train: Train, tmp_path: Path) -> None:
    ended = train(**merged(LORA, {"train": {"max_steps": 2}}))
    files = {entry["name"]: tmp_path / "run" / entry["file"]["path"] for entry in ended["files"]}
    assert "adapter/adapter_model.safetensors" in files and "model/model.safetensors" in files
    for name, path in files.items():
        if name.startswith("checkpoints/"):
            assert all("lora_" in key for key in load_file(path)), name


def test_a_rate_far_too_high_ends_collapsed_with_the_best_before_it(train: Train) -> None:
    """The document's runs: the metric falls from its best; here because lr is a thousand times too high after a good start."""
    said: list[str] = []
    ended = train(
        said=said, train={"epochs": 6.0, "optimizer": {"lr": 1e3}, "schedule": {"kind": "constant", "warmup_share": None}, "clip_norm": None}
    )
    metrics = ended["metrics"]
    assert metrics["ended"] == "collapsed"
    assert "Lower optimizer.lr (now 1000)" in metrics["why"]
    assert metrics["chosen_step"] == 0  # before the first step it was better than ever after
    assert metrics["after"]["map@25"] == metrics["before"]["map@25"]
    assert any(line.startswith("collapsed after") for line in said)
    json.dumps(metrics, allow_nan=False)  # a manifest can hold it


def test_a_collapse_with_nothing_good_to_go_back_to_is_an_error(train: Train) -> None:
    high = {"optimizer": {"lr": 1e30}, "schedule": {"kind": "constant", "warmup_share": None}, "clip_norm": None}
    with pytest.raises(TrainingError, match="no good weights were kept to go back to"):
        train(train={**high, "epochs": 6.0, "evaluation": None, "checkpoints": {"keep_best": False}})


@pytest.mark.parametrize(
    "given",
    [
        {"train": {"precision": "bf16"}},
        {"train": {"gradient_checkpointing": True}, "micro": {"keep_tokens": 0}},
        {"train": {"evaluation": None, "checkpoints": {"keep_best": False}}},
        {"batches": {"drop_last": True}},
        {"shuffle_labels": True},
    ],
    ids=["bf16", "checkpointed activations", "no evaluation", "drop_last", "shuffled labels"],
)
def test_it_trains_a_few_steps(given: dict[str, Any], train: Train) -> None:
    metrics = train(**merged({"train": {"max_steps": 3}}, given))["metrics"]
    assert metrics["steps"] == 3


def test_checkpointed_activations_change_no_bit(train: Train, tmp_path: Path) -> None:
    plain, less = (found(tmp_path / f"{on}", train(f"{on}", train={"max_steps": 3, "gradient_checkpointing": on}))["history"] for on in (False, True))
    assert plain == less


@pytest.fixture(scope="module")
def few_labels(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """Ten queries to train on, of which seven share a document."""
    folder = tmp_path_factory.mktemp("few labels")
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": f"d{at}", "title": "", "text": f"document {at}"}) + "\n" for at in range(4)))
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": f"q{at}", "text": f"query {at}"}) + "\n" for at in range(11)))
    (folder / "qrels").mkdir()
    pairs = {"train": [(at, max(0, at - 6)) for at in range(10)], "test": [(10, 3)]}
    for split, judged in pairs.items():
        lines = [f"q{query}\td{doc}\t1\n" for query, doc in judged]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    run = Run(Workspace.at(str(folder / "outputs")), ClusterSettings())
    return prepare(run, parse(FileData, {"kind": "files", "format": "beir", "path": str(folder)}))


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ({}, "up to 6 of 10 queries an epoch are in no batch: batches.no_duplicates found every batch full or with one of their texts"),
        ({"no_duplicates": False}, None),
    ],
)
def test_queries_that_found_no_batch_are_said(batches: dict[str, Any], words: str | None, train: Train, few_labels: PreparedData) -> None:
    """One batch for all: the shared document enters it once."""
    said: list[str] = []
    train(said=said, data=few_labels, train={"batch_size": 10, "accumulate": 1, "max_steps": 1}, batches=batches)
    assert [line for line in said if "are in no batch" in line] == ([] if words is None else [words])


def test_distillation_without_a_teacher_is_refused_before_the_first_step(train: Train) -> None:
    said: list[str] = []
    with pytest.raises(DataError, match=r"objective.distill_weight=1, but of no query did the teacher score two documents .*or set it to 0"):
        train(said=said, objective={"distill_weight": 1.0}, batches={"negatives_per_query": 2})
    assert said == []


def test_a_tracker_is_shown_the_run(train: Train, tmp_path: Path) -> None:
    train(train={"max_steps": 1, "logging": {"trackers": ["tensorboard"]}})
    assert list((tmp_path / "run/attempts/a/logs/tensorboard").rglob("events.*"))


def test_another_split_is_evaluated_where_asked(train: Train) -> None:
    metrics = train(train={"max_steps": 1}, rows={"eval_split": "train"})["metrics"]
    assert "seen/map@25" not in metrics["before"]  # of the training queries all labels are seen
