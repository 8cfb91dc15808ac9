"""jobs.convert: there and back gives the same file; what cannot be is refused and leaves nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jobs.convert import main

CHAT = {"messages": [{"role": "user", "content": "½?"}, {"role": "assistant", "content": "0.5"}]}
CALLING = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]}
PAIR = {"prompt": "½?", "chosen": "0.5", "rejected": "2"}


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["convert", *words])
    main()


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(CHAT, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("through", ["sharegpt", "alpaca", "completions", "verl"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_there_and_back(
    monkeypatch: pytest.MonkeyPatch, chats: Path, tmp_path: Path, through: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, str(chats), str(tmp_path / f"there.{ending}"), "--write", through)
    run(monkeypatch, str(tmp_path / f"there.{ending}"), str(tmp_path / "back.jsonl"), "--read", through)
    assert (tmp_path / "back.jsonl").read_bytes() == chats.read_bytes()
    assert "back.jsonl: 1 rows" in capsys.readouterr().out


def test_preferences(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(json.dumps(PAIR) + "\n")
    run(monkeypatch, str(tmp_path / "pairs.jsonl"), str(tmp_path / "pairs.parquet"), "--read", "preferences", "--write", "preferences")
    run(monkeypatch, str(tmp_path / "pairs.parquet"), str(tmp_path / "again.jsonl"), "--read", "preferences", "--write", "preferences")
    assert json.loads((tmp_path / "again.jsonl").read_text())["chosen"] == [{"role": "assistant", "content": "0.5"}]


@pytest.mark.parametrize(
    ("target", "words", "said"),
    [
        ("chats.jsonl", [], "is there already"),
        ("new.csv", [], "ends in .jsonl or .parquet"),
        ("new.jsonl", ["--write", "preferences"], "not each other's formats"),
        ("new.jsonl", ["--read", "sharegpt"], "field 'conversations' is missing"),
        ("new.jsonl", ["--write", "alpaca"], "conversation #1"),
    ],
)
def test_what_cannot_be(monkeypatch: pytest.MonkeyPatch, chats: Path, tmp_path: Path, target: str, words: list[str], said: str) -> None:
    if words == ["--write", "alpaca"]:
        chats.write_text(json.dumps({"messages": [CHAT["messages"][0], CALLING]}) + "\n")
    before = chats.read_bytes()
    with pytest.raises(SystemExit, match=said):
        run(monkeypatch, str(chats), str(tmp_path / target), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["chats.jsonl"]
    assert chats.read_bytes() == before
