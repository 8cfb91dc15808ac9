"""Conversations and preferences from files to trained policies: what is made, counted, refused, and found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.command_line import run_job
from jobs.describe import DescribeJob, run_describe
from jobs.dpo import DpoJob
from jobs.dpo import train as train_dpo
from jobs.merge import MergeJob, merge
from jobs.sft import SftJob, show_batch
from jobs.sft import train as train_sft
from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from tests.chat_models import save_tiny_decoder

HERE = ["cluster.in_process=always", "cluster.threads_per_worker=1", "log=warning"]
SMALL = ["train.max_steps=3", "train.batch_size=8", "train.optimizer.lr=1e-3", "micro.token_budget=2048"]
TOOLS = ["chats.rows=60", "chats.domains=2", "chats.most_tools=2", "chats.eval_share=0.2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_decoder(tmp_path_factory.mktemp("tiny_chat"), positions=4096)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_decoder(tmp_path_factory.mktemp("thinker"), template_name="qwen3_5_think", positions=4096)


def made(workspace: Path, stage: str) -> list[Artifact]:
    return [one for one in Workspace.at(str(workspace)).artifacts() if one.stage == stage]


def sft(workspace: Path, model: Path, *given: str) -> int:
    return run_job("sft", SftJob, train_sft, [f"workspace={workspace}", f"policy.name={model}", *HERE, *SMALL, *given])


def chats_file(path: Path, chats: list[list[tuple[str, str]]], **more: Any) -> Path:
    rows = [{"messages": [{"role": role, "content": text} for role, text in chat], **more} for chat in chats]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def asked(count: int) -> list[list[tuple[str, str]]]:
    return [[("user", f"what is {number} and {number}?"), ("assistant", f"it is {2 * number}.")] for number in range(count)]


def test_a_policy_is_trained_exported_and_found_again(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from transformers import AutoModelForCausalLM

    assert sft(tmp_path / "w", model, *TOOLS, "render.max_length=4096") == 0
    (policy,), (tokens,), (chats,) = (made(tmp_path / "w", stage) for stage in ("policy", "tokens", "chats"))
    assert damaged(policy) == []
    assert policy.metrics["steps"] == 3
    assert [one["step"] for one in policy.metrics["evaluations"]] == [0, 3]
    assert policy.metrics["after"]["eval_loss"] < policy.metrics["before"]["eval_loss"]
    assert chats.metrics["train"] + chats.metrics["eval"] + chats.metrics["repeated"] == 60
    assert tokens.metrics["checked"] == chats.metrics["train"] + chats.metrics["eval"]
    assert 0 < tokens.metrics["learned"] < tokens.metrics["tokens"]
    assert "policy" in capsys.readouterr().out
    folder = Path(policy.file("model/config.json").uri).parent
    assert AutoModelForCausalLM.from_pretrained(folder).config.use_cache
    # the same again, and begun from what was trained
    before = sorted((tmp_path / "w").glob("*/*/manifest.json"))
    assert sft(tmp_path / "w", model, *TOOLS, "render.max_length=4096") == 0
    assert sorted((tmp_path / "w").glob("*/*/manifest.json")) == before
    assert sft(tmp_path / "w", Path(policy.location.uri), *TOOLS, "render.max_length=4096") == 0
    assert len(made(tmp_path / "w", "policy")) == 2


def test_another_epochs_adapter_becomes_a_model(tmp_path: Path, model: Path) -> None:
    given = [*TOOLS, "render.max_length=4096", "adaptation.kind=lora", "train.checkpoints.keep_epochs=true", "train.max_steps=null", "train.epochs=2"]
    assert sft(tmp_path / "w", model, *given) == 0
    (policy,) = made(tmp_path / "w", "policy")
    assert run_job("merge", MergeJob, merge, [f"workspace={tmp_path / 'w'}", f"model={policy.location.uri}", "epoch=1", *HERE]) == 0
    (merged,) = [one for one in made(tmp_path / "w", "policy") if one.location.uri != policy.location.uri]
    assert merged.metrics["step"] == policy.metrics["steps"] // 2
    loaded = [Policy(PolicySettings(name=one.location.uri)).text_likelihoods(["the user asks"]) for one in (policy, merged)]
    assert loaded[0] != pytest.approx(loaded[1], abs=1e-6)


def test_the_batch_is_shown(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = chats_file(tmp_path / "chats.jsonl", asked(4))
    words = [f"workspace={tmp_path / 'w'}", f"policy.name={model}", "chats=files", f"chats.path={file}", "chats.eval_share=0.0", *HERE]
    assert run_job("sft", SftJob, show_batch, words) == 0
    said = capsys.readouterr().out
    assert "⟦it is 2.<|im_end|>⟧" in said
    assert "what is 1 and 1?" in said
    assert made(tmp_path / "w", "policy") == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["render.max_length=24"], r"max_length is 24; raise it, or set too_long to drop or truncate"),
        (["render.max_length=5", "render.too_long=truncate"], r"nothing of it would be learned; set empty_mask=drop"),
        (["chats.eval_share=0.0"], r"nothing is held out to evaluate on; set chats.eval_share"),
        (["chats.sample=90"], r"90 conversations are asked for, and there are"),
        (["chats.format=sharegpt"], r"chats.jsonl:1"),
        (["chats.least_turns=2"], r"no conversation is left to train on"),
    ],
)
def test_what_would_go_wrong_is_refused(given: list[str], words: str, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = chats_file(tmp_path / "chats.jsonl", asked(20))
    data = ["chats=files", f"chats.path={file}", "chats.eval_share=0.2", "render.max_length=512"]
    assert sft(tmp_path / "w", model, *data, *given) == 1
    assert words in capsys.readouterr().err
    assert made(tmp_path / "w", "policy") == []


def test_dropped_and_truncated_conversations_are_counted(tmp_path: Path, model: Path) -> None:
    long = [[("user", "q"), ("assistant", "a " * 200)], [("user", "q " * 200), ("assistant", "a")]]
    file = chats_file(tmp_path / "chats.jsonl", [*asked(20), *long, *asked(3)])
    data = ["chats=files", f"chats.path={file}", "chats.eval_share=0.0", "train.evaluation=null", "train.checkpoints.keep_best=false"]
    cut = ["render.max_length=128", "render.too_long=truncate", "render.empty_mask=drop"]
    assert sft(tmp_path / "w", model, *data, *cut) == 0
    (tokens,) = made(tmp_path / "w", "tokens")
    assert (tokens.metrics["too_long"], tokens.metrics["empty_mask"], tokens.metrics["rows"]["train"]) == (2, 1, 21)
    assert made(tmp_path / "w", "chats")[0].metrics["repeated"] == 3
    assert tokens.metrics["lengths"]["longest"] > 128


def test_a_thinking_models_answers_without_thought_must_be_meant(tmp_path: Path, thinker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = chats_file(tmp_path / "chats.jsonl", asked(12))
    data = ["chats=files", f"chats.path={file}", "chats.eval_share=0.2"]
    assert sft(tmp_path / "w", thinker, *data) == 1
    assert "teaches the model not to think" in capsys.readouterr().err
    assert sft(tmp_path / "w", thinker, *data, "render.without_reasoning=train") == 0
    assert made(tmp_path / "w", "tokens")[0].metrics["without_reasoning"] == 12


def test_a_data_set_is_described(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = chats_file(tmp_path / "chats.jsonl", [*asked(20), *asked(2)])
    file.write_text(file.read_text() + json.dumps({"messages": [{"content": "no role"}]}) + "\n")
    words = [f"workspace={tmp_path / 'w'}", f"policy.name={model}", "chats=files", f"chats.path={file}", "chats.eval_share=0.3", *HERE]
    assert run_job("describe", DescribeJob, run_describe, [*words, "limits=[30,60]"]) == 0
    said = capsys.readouterr().out
    assert f"{file}:23" in said
    assert "has no role" in said
    (found,) = made(tmp_path / "w", "description")
    counts = found.metrics["counts"]
    assert (counts["read"], counts["malformed"], counts["repeated"], counts["turns"], counts["not_rendered"]) == (22, 1, 2, 20, 0)
    table = found.table("conversations.parquet").to_pylist()
    lengths = [row["tokens"] for row in table if row["split"] == "train"]
    assert found.metrics["lengths"]["train"]["mean"] == pytest.approx(sum(lengths) / len(lengths))
    assert found.metrics["cut"]["train"]["30"]["cut"] == pytest.approx(sum(length > 30 for length in lengths) / len(lengths))


def test_what_is_trained_on_is_not_evaluated(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, held_out = chats_file(tmp_path / "train.jsonl", asked(20)), chats_file(tmp_path / "test.jsonl", asked(30)[17:])
    data = ["chats=files", f"chats.path={train}", f"chats.eval_path={held_out}", "chats.eval_share=0.0"]
    assert sft(tmp_path / "w", model, *data) == 1
    assert f"3 conversations stand in {held_out} too; take them out, or set chats.overlap=drop" in capsys.readouterr().err
    assert sft(tmp_path / "w", model, *data, "chats.overlap=drop") == 0
    (chats,) = made(tmp_path / "w", "chats")
    assert (chats.metrics["overlap"], chats.metrics["train"], chats.metrics["eval"]) == (3, 17, 13)
    words = [f"workspace={tmp_path / 'w'}", f"policy.name={model}", *data, *HERE]
    assert run_job("describe", DescribeJob, run_describe, words) == 0
    assert made(tmp_path / "w", "description")[0].metrics["counts"]["overlap"] == 3


def test_calls_are_counted_by_tool(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"workspace={tmp_path / 'w'}", f"policy.name={model}", *TOOLS, *HERE]
    assert run_job("describe", DescribeJob, run_describe, words) == 0
    (found,) = made(tmp_path / "w", "description")
    assert sum(found.metrics["called"].values()) == found.metrics["counts"]["calls"] > 0
    assert f"## Tools: {len(found.metrics['called'])} are called" in capsys.readouterr().out


def pairs_file(path: Path, count: int, **more: Any) -> Path:
    rows = [{"prompt": f"what is {number}?", "chosen": f"it is {number}.", "rejected": "no.", **more} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def dpo(workspace: Path, model: Path, *given: str) -> int:
    return run_job("dpo", DpoJob, train_dpo, [f"workspace={workspace}", f"policy.name={model}", *HERE, *SMALL, *given])


def test_a_policy_learns_from_mixed_preferences(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pvf, qsl = pairs_file(tmp_path / "pvf.jsonl", 30), pairs_file(tmp_path / "qsl.jsonl", 20, weight=2.0)
    data = [f"preferences.sets.pvf.path={pvf}", f"preferences.sets.qsl.path={qsl}", "preferences.eval_share=0.2"]
    mixed = ["mixture.kind=sampled", "mixture.weights={pvf: 0.5, qsl: 0.5}"]
    assert dpo(tmp_path / "w", model, *data, *mixed) == 0
    (policy,), (reference,), (pairs,) = (made(tmp_path / "w", stage) for stage in ("policy", "reference", "pairs"))
    assert policy.manifest["inputs"]["reference"]["uri"] == reference.location.uri
    assert policy.metrics["before"]["accuracy"] == 0
    assert policy.metrics["after"]["accuracy"] > 0.9
    assert pairs.metrics["rows"]["train"] + pairs.metrics["rows"]["eval"] == 50
    assert pairs.metrics["other_prompts"] == 0
    # a training with another rate computes no reference again; one that asks a copy has none
    assert dpo(tmp_path / "w", model, *data, *mixed, "train.optimizer.lr=2e-3") == 0
    assert dpo(tmp_path / "w", model, *data, *mixed, "reference=copy") == 0
    assert len(made(tmp_path / "w", "reference")) == 1
    assert len(made(tmp_path / "w", "policy")) == 3
    capsys.readouterr()
    assert dpo(tmp_path / "w", model, *data, "mixture.kind=staged", "mixture.order=[pvf]") == 1
    assert "mixture names the sets pvf, and there are pvf, qsl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "pairs.jsonl:6: chosen and rejected are the same"),
        ({"prompt": "a", "chosen": "b"}, "pairs.jsonl:6"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "weight": -1}, "weight is -1, not a number above 0"),
        ({"chosen": "b", "rejected": "c"}, "there is no prompt"),
        ({"prompt": "a", "chosen": [{"role": "user", "content": "x"}], "rejected": "c"}, "chosen does not end with an assistant's message"),
    ],
)
def test_a_useless_pair_is_refused(row: dict[str, Any], words: str, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pairs_file(tmp_path / "pairs.jsonl", 5)
    file.write_text(file.read_text() + json.dumps(row) + "\n")
    assert dpo(tmp_path / "w", model, f"preferences.sets.one.path={file}") == 1
    assert words in capsys.readouterr().err
    assert made(tmp_path / "w", "policy") == []


def test_whole_conversations_have_what_they_begin_with_as_prompt(tmp_path: Path, model: Path) -> None:
    """trl's implicit form; an earlier reply in the prompt is not counted."""
    prompt = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    rows = [{side: [*prompt, {"role": "assistant", "content": f"{side} {number}"}] for side in ("chosen", "rejected")} for number in range(10)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    alone = ["preferences.eval_share=0.0", "train.evaluation=null", "train.checkpoints.keep_best=false"]
    assert dpo(tmp_path / "w", model, f"preferences.sets.one.path={file}", *alone) == 0
    (pairs,) = made(tmp_path / "w", "pairs")
    row = pairs.table("train/000000.parquet").to_pylist()[0]
    assert row["chosen_learned"].index(True) > 20
    assert sum(row["chosen_learned"]) < 14
