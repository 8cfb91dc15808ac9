"""The recipes: their smoke variants run from end to end and differ from them only in what they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from jobs.command_line import CONFIGS, run_job, settings_from
from jobs.pipeline import PipelineJob, pipeline
from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.config import parse
from ray_pipeline.models.adapters import count_parameters
from ray_pipeline.pipelines.plan import PipelineSettings
from ray_pipeline.pipelines.steps import MineStep, TrainEmbedderStep, TrainRerankerStep
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.text.pair_prompts import FlagPrompt

CHAT = ("hardgen_", "gem_", "looptool_", "starcoder1b_", "code_")  # test_chat_recipes.py and test_code_recipe.py have these
SMOKE = sorted(path.stem for path in (CONFIGS / "experiment" / "smoke").glob("*.yaml") if not path.stem.startswith(CHAT))
OWN_DATA = ("staged_embedder", "hard_negatives", "iterated_minilm")  # generated: no path is needed
NEEDED = ("bge_qcot_high", "bge_qcot_low", "bge_semi", "bge_hard", "theorem_big_run", "eedi_minilm", "eedi_loop", "eedi_icl", *OWN_DATA)
RERANKED = ("eedi_icl", "eedi_loop", "iterated_minilm")


def composed(experiment: str) -> dict[str, Any]:
    """The settings, with what a user must give filled in."""
    held = (CONFIGS / "experiment" / f"{experiment}.yaml").read_text()
    files = "smoke" not in experiment or "override /data" not in held
    given = ["model.name=given"]
    given += ["data.path=given"] if files and not experiment.endswith(OWN_DATA) else []
    given += ["reranker.name=given"] if experiment.endswith(RERANKED) else []
    return settings_from("pipeline", [f"experiment={experiment}", *given])


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
    return found


def test_every_recipe_has_a_smoke_variant_and_a_page() -> None:
    assert sorted(NEEDED) == SMOKE
    pages = CONFIGS.parent / "docs" / "recipes"
    assert {path.stem for path in pages.glob("*.md")} >= set(NEEDED)
    for name in NEEDED:
        assert f"experiment={name}" in (pages / f"{name}.md").read_text()


@pytest.mark.parametrize("recipe", NEEDED)
def test_a_smoke_variant_differs_from_its_recipe_only_in_what_it_names(recipe: str) -> None:
    """Named are the leaves of its file and the groups that it takes another file of: all else, as it runs, is the recipe."""
    full, smoke = flat(composed(recipe)), flat(composed(f"smoke/{recipe}"))
    given = yaml.safe_load((CONFIGS / "experiment" / "smoke" / f"{recipe}.yaml").read_text())
    groups = {key.removeprefix("override /") for one in given.pop("defaults") if isinstance(one, dict) for key in one}
    named = set(flat(given))
    differing = {key for key in full | smoke if full.get(key) != smoke.get(key)}
    assert {key for key in differing if key not in named and key.split(".")[0] not in groups} == set()
    assert any(key.startswith(("steps.", "iterations.")) and key.endswith("max_steps") for key in differing)
    blocks = [given.get("steps", {}), *given.get("iterations", {}).values()]
    trainings = [step["training"] for block in blocks for step in block.values() if "training" in step]
    assert trainings
    assert all(set(training) == {"train"} for training in trainings)  # objective, adapters: the recipe's own


def train_step(recipe: str, name: str) -> TrainEmbedderStep:
    step = parse(PipelineJob, composed(recipe)).steps[name]
    assert isinstance(step, TrainEmbedderStep)
    return step


@pytest.mark.parametrize(
    ("recipe", "warmup", "rates"),
    [
        ("bge_qcot_high", 0.15, (2e-5, 2e-5, 8e-5, 5e-5, 5e-5)),
        ("bge_qcot_low", 0.08, (1e-5, 1e-5, 5e-5, 6e-5, 4e-5)),
    ],
)
def test_the_bge_recipes_have_the_values_of_the_log(recipe: str, warmup: float, rates: tuple[float, ...]) -> None:
    step = train_step(recipe, "qcot")
    given = step.training.train
    optimizer = given.optimizer
    assert (optimizer.lr, optimizer.lr_lora_a, optimizer.lr_lora_b, optimizer.lr_embed_tokens, optimizer.lr_head) == rates
    assert (given.epochs, given.schedule.warmup_share) == (30, warmup)
    assert step.data == {"reasoning": "join"}


def test_theorem_big_run_has_the_values_of_its_document() -> None:
    settings = parse(PipelineJob, composed("theorem_big_run"))
    step = train_step("theorem_big_run", "train")
    training, given = step.training, step.training.train
    assert (given.batch_size, training.micro.max_rows, training.objective.chunk_rows) == (16384, 8, 256)
    assert (training.objective.temperature, given.epochs, given.schedule.warmup_steps) == (0.07, 10, 200)
    assert (given.optimizer.lr, given.optimizer.weight_decay, given.precision, given.gradient_checkpointing) == (1e-3, 0.01, "bf16", True)
    assert (settings.model.name, settings.model.max_length, settings.model.projection) == ("given", 256, 2048)
    assert training.batches.drop_last
    assert given.distributed.workers == settings.cluster.workers == 8
    assert settings.data.split.model_dump() == {"kind": "group", "eval_share": 0.2, "seed": 42, "stratify": True}  # type: ignore[union-attr]
    assert settings.search.exclude_self
    assert step.rows.exclude_self


def test_theorem_big_run_trains_as_many_parameters_as_its_document_says(tmp_path: Path) -> None:
    """The published shape of Qwen2.5-Math-7B, without its weights: 5,046,272 in adapters, 7,342,080 in the head."""
    shape = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 4096,
        "vocab_size": 152064,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_sliding_window": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(shape))
    model = parse(PipelineJob, composed("theorem_big_run")).model.model_copy(update={"name": str(tmp_path)})
    found = count_parameters(model, train_step("theorem_big_run", "train").training.adaptation)
    assert found.by_kind["lora_a"] + found.by_kind["lora_b"] == 5_046_272
    assert found.by_kind["head"] == 7_342_080
    assert found.trainable == 12_388_352


@pytest.fixture(scope="module")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A decoder of 2 layers and 32 dimensions with the tiny model's tokenizer; room for the BGE prompt."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("tiny_decoder")
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=128, max_position_embeddings=1024, pad_token_id=0, **shape)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    return folder


@pytest.fixture
def statements(tmp_path: Path) -> Path:
    rows = [
        {"id": f"s{paper}.{place}", "paper_id": f"p{paper:02d}", "kind": "lemma", "text": f"lemma {place} on the number {paper}"}
        for paper in range(12)
        for place in range(4)
    ]
    path = tmp_path / "statements.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all recipes: what they have in common is computed once."""
    return tmp_path_factory.mktemp("recipes")


def ran(recipe: str, workspace: Path, *given: str) -> dict[str, list[Artifact]]:
    """Run the smoke variant in this process; its artifacts by stage."""
    small = ["cluster.in_process=always", "cluster.threads_per_worker=1", f"workspace={workspace}", "log=warning"]
    before = set(workspace.glob("runs/*"))
    assert run_job("pipeline", PipelineJob, pipeline, [f"experiment=smoke/{recipe}", *small, *given]) == 0
    (record,) = set(workspace.glob("runs/*")) - before
    found: dict[str, list[Artifact]] = {}
    for uri in json.loads((record / "ended.json").read_text())["artifacts"]:
        artifact = load(uri)
        found.setdefault(artifact.stage, []).append(artifact)
    return found


@pytest.mark.parametrize(("recipe", "kinds"), [("bge_qcot_high", {"lora_a", "lora_b", "embed_tokens", "head"}), ("bge_qcot_low", None)])
def test_bge_qcot(recipe: str, kinds: set[str] | None, tiny_decoder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran(recipe, workspace, f"model.name={tiny_decoder}")
    (model,) = found["model"]
    assert model.metrics["steps"] == 2
    assert kinds is None or kinds - {"head"} <= set(model.metrics["parameters"]["trained"])  # the head is the temperature, outside of the model
    assert len(found["data"]) == 2  # joined for training, plain for everything that is measured
    assert [one["step"] for one in model.metrics["evaluations"]] == [0, 2]
    out = capsys.readouterr().out
    assert "### qcot train" in out
    assert out.count(">>> Current Recall@25") == 4  # before, both evaluations of the training, after
    assert "after against before, map@25: " in out


def test_bge_semi(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("bge_semi", workspace, f"model.name={tiny_model}")
    (labels,), (model,) = found["pseudo_labels"], found["model"]
    assert labels.manifest["rows"] == labels.metrics["kept"] > 0
    assert model.manifest["rows"] == 204 + labels.metrics["kept"]


def test_bge_hard(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("bge_hard", workspace, f"model.name={tiny_model}")
    (groups,), (model,) = found["groups"], found["model"]
    assert model.manifest["inputs"]["groups"]["uri"] == groups.location.uri


def test_eedi_minilm(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("eedi_minilm", workspace, f"model.name={tiny_model}")
    assert [model.metrics["steps"] for model in found["model"]] == [2, 2, 2]
    assert found["model"][2].manifest["rows"] == found["groups"][1].manifest["rows"] + found["pseudo_labels"][0].metrics["kept"]
    out = capsys.readouterr().out
    assert [f"{one} against plain_measured, map@25: " in out for one in ("hard_measured", "after")] == [True, True]


def test_theorem_big_run(tiny_decoder: Path, statements: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("theorem_big_run", workspace, f"model.name={tiny_decoder}", f"data.path={statements}")
    (model,), (evaluation,) = found["model"], found["evaluation"]
    assert model.metrics["parameters"]["trained"].keys() == {"lora_a", "lora_b", "head"}
    assert model.metrics["evaluations"] == []
    assert "recall@10" in evaluation.metrics["means"]


def test_staged_embedder(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("staged_embedder", workspace, f"model.name={tiny_model}")
    assert len(found["model"]) == 3
    out = capsys.readouterr().out
    for name in ("qcot", "semi", "hard"):
        assert f"### {name} train" in out
    assert out.count("(best)") == 3


def test_hard_negatives(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran("hard_negatives", workspace, f"model.name={tiny_model}")
    assert "| measure | before | after |" in capsys.readouterr().out


def test_iterated_minilm(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = f"model.name={tiny_model}", f"reranker.name={tiny_model}"
    found = ran("iterated_minilm", workspace, *given)
    out = capsys.readouterr().out
    assert "| measure | iter0_before | iter0_retrieved | iter0_reranked | iter1_retrieved | iter1_reranked |" in out
    (page,) = found["comparison"]
    assert out.rstrip().endswith(f"report: {page.file('report.md').uri}")
    taught = [one.manifest["inputs"]["groups"]["uri"] for one in (found["model"][1], found["reranker"][1])]
    assert [load(one).metrics["reranker"] for one in taught] == [found["reranker"][0].location.uri] * 2
    reports = [one.file("report.md").read().decode() for one in found["evaluation"]]
    assert [("before reranking" in one) for one in reports] == [False, False, True, False, True]
    ran("iterated_minilm", workspace, *given)
    assert "\n0 of " in capsys.readouterr().out  # the second time nothing is left to do


def test_eedi_loop(tiny_model: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("eedi_loop", workspace, f"model.name={tiny_model}", f"reranker.name={tiny_model}")
    assert [one.manifest["inputs"]["model"]["uri"] for one in found["reranker"]] == [one.location.uri for one in found["model"]]
    assert "| measure | iter0_zero | iter0_retrieved | iter0_reranked | iter1_retrieved | iter1_reranked |" in capsys.readouterr().out


def test_eedi_icl(tiny_decoder: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ran("eedi_icl", workspace, f"model.name={tiny_decoder}", f"reranker.name={tiny_decoder}")
    assert [len(found[stage]) for stage in ("model", "groups", "reranker")] == [2, 6, 4]  # two of each reranker: as trained, and merged
    assert [one.metrics["parameters"]["trained"].keys() for one in found["model"]] == [{"lora_a", "lora_b"}] * 2
    assert "reranked against retrieved, map@25: " in capsys.readouterr().out


def test_eedi_icl_has_the_values_of_its_log() -> None:
    steps = parse(PipelineJob, composed("eedi_icl")).steps
    mined = {name: step.mining for name, step in steps.items() if isinstance(step, MineStep)}
    assert {name: (one.range, one.negatives) for name, one in mined.items()} == {
        **{f"iter{number}_mine": ((2, 200), 15) for number in range(2)},
        **{f"iter{number}_mine_for_reranker": ((2, 100), 15) for number in range(2)},
    }
    assert steps["iter0_mine"].embedder == {"name": "BAAI/bge-en-icl"}  # type: ignore[union-attr]
    trained = {name: step.training for name, step in steps.items() if isinstance(step, TrainEmbedderStep | TrainRerankerStep)}
    shape = {
        name: (one.train.epochs, one.train.batch_size, one.train.optimizer.lr, one.objective.distill_weight > 0) for name, one in trained.items()
    }
    assert shape == {
        "iter0_embedder": (3, 16, 1e-4, False),
        "iter0_reranker": (4, 32, 2e-4, False),
        "iter1_embedder": (4, 16, 1e-4, True),
        "iter1_reranker": (4, 32, 2e-4, True),
    }
    smoothing = [one.objective.label_smoothing for one in trained.values() if isinstance(one, RerankerTraining)]
    assert smoothing == [0, 0.2]
    assert steps["iter1_scored"].reranker == "iter0_merged"  # type: ignore[union-attr]
    reranker = parse(PipelineJob, settings_from("pipeline", ["experiment=eedi_icl", "data.path=given"])).reranker
    assert reranker is not None and isinstance(reranker.prompt, FlagPrompt)
    assert (reranker.name, reranker.max_length, reranker.prompt.query_prefix, reranker.prompt.passage_prefix) == (
        "Qwen/Qwen2.5-14B-Instruct",
        512,
        "A: ",
        "B: ",
    )
    assert reranker.prompt.question.startswith("Given a query A and a passage B, determine whether the passage B explains the mathematical")


def test_a_recipe_is_a_pipeline_of_the_library() -> None:
    assert issubclass(PipelineJob, PipelineSettings)
