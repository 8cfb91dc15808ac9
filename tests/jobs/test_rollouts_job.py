"""`jobs.rollouts` on an artifact with a tokenizer: what is printed, the page, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from jobs.command_line import run_job
from jobs.rollouts import RolloutsJob, look
from ray_pipeline.artifacts import Workspace
from ray_pipeline.schemas import ROLLOUTS
from tests.chat_models import byte_tokenizer

ANSWERS = {"#1": [("<think>why</think>Because.", 1.0), ("No <b>idea</b>.", 0.0)], "7": [("Well.", 0.5), ("Yes.", 0.25)]}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two draws of the same answers."""
    folder = tmp_path_factory.mktemp("policy")
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    attempt = Workspace.at(str(folder)).begin("policy", "ab" * 10)
    for path in sorted((folder / "model").iterdir()):
        attempt.write(f"model/{path.name}", path.read_bytes())
    for number in range(2):
        rows = []
        for prompt, answers in ANSWERS.items():
            for sample, (text, reward) in enumerate(answers):
                ids = tokenizer.encode(text, add_special_tokens=False)
                row = {"prompt_id": prompt, "sample": sample, "prompt_ids": tokenizer.encode("Why?\n", add_special_tokens=False), "ids": ids}
                row |= {"logprobs": [-1.5] * len(ids), "text": text, "reward": reward, "parts": "{}", "truncated": False, "version": number}
                rows.append(row)
        attempt.write_table(f"rollouts/{number:06d}-000.parquet", pa.Table.from_pylist(rows, schema=ROLLOUTS))
    identity = {"task": "grpo", "training": {}}
    body = {"stage": "policy", "fingerprint": "ab" * 10, "algorithm": 1, "identity": identity, "inputs": {}, "metrics": {}}
    return attempt.publish(body).location.uri


def looked(policy: str, folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_job("rollouts", RolloutsJob, look, [f"policy={policy}", f"workspace={folder / 'w'}", "log=warning", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_table_and_samples_are_printed(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = looked(policy, tmp_path, capsys, "show=best", "most=3")
    assert code == 0
    table, *samples = out.split("\n\n")
    assert [line.split()[:5] for line in table.splitlines()[1:]] == [["1", "0", "0", "4", "0.438"], ["2", "1", "1", "4", "0.438"]]
    assert [one.splitlines()[0] for one in samples] == [
        "== step 1, prompt #1, sample 0: reward 1",
        "== step 2, prompt #1, sample 0: reward 1",
        "== step 1, prompt 7, sample 0: reward 0.5",
    ]
    assert "   prompt | Why?\n  thought | why\n   answer | Because." in samples[0]


@pytest.mark.parametrize("prompt", ["#1", "7"])
def test_a_prompt_is_named_as_it_stands(prompt: str, policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = looked(policy, tmp_path, capsys, f"prompt={prompt}", "step=2")
    assert code == 0 and out.count("== step 2, prompt ") == 2 == out.count(f"prompt {prompt},")


def test_a_page_is_written_but_not_by_a_dry_run(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "pages" / "page.html"
    code, out, _ = looked(policy, tmp_path, capsys, f"html={page}", "--dry-run")
    assert code == 0 and not page.exists() and f"write {page}" in out
    code, out, _ = looked(policy, tmp_path, capsys, f"html={page}", "most=1", "show=worst")
    assert code == 0 and f"page: {page}" in out
    text = page.read_text()
    assert text.count("<article>") == 1 and "&lt;b&gt;" in text.replace("</span>", "").replace('<span class="s3" title="-1.500">', "")


def test_nothing_to_show_is_said(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = looked(policy, tmp_path, capsys, "show=failed")
    assert code == 0 and out.endswith("no sample: no rollout here is failed\n")
    code, out, _ = looked(policy, tmp_path, capsys, "most=0")
    assert code == 0 and "no sample" not in out


def test_what_is_no_such_thing_is_refused(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["prompt=#2"], "prompt=#2: no rollout of"),
        (["step=5"], "step=5: "),
        (["step=0"], "step: Input should be greater than or equal to 1"),
        (["show=good"], "show: Input should be 'newest', 'best', 'worst', 'longest', 'failed' or 'truncated'"),
        ([f"policy={tmp_path}"], "no manifest.json here"),
    ):
        code, out, said = looked(policy, tmp_path, capsys, *arguments)
        assert code == 1 and out == "" and words in said, said
    data = Workspace.at(str(tmp_path / "other")).begin("data", "cd" * 10)
    body = {"stage": "data", "fingerprint": "cd" * 10, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}}
    code, _, said = looked(data.publish(body).location.uri, tmp_path, capsys)
    assert code == 1 and "this is a 'data' artifact, a 'policy' artifact is needed here" in said
