"""Preferences written and read again: the same pairs, and of files of lines the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.preferences.read import read_preferences
from ray_pipeline.data.preferences.write import write_preferences
from ray_pipeline.schemas import PREFERENCES

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
CALL = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
PLAIN = {"prompt": "1 + 2? ½", "chosen": "3", "rejected": "4"}
WHOLE = {
    "id": "x1",
    "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 2?"}],
    "chosen": [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
    "rejected": [{"role": "assistant", "content": "4", "reasoning_content": "a guess"}],
    "tools": TOOLS,
    "weight": 0.3,
}
IMPLICIT = {"chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
IMPLICIT |= {"rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}


def written(folder: Path, lines: list[str]) -> str:
    path = folder / "pairs.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_pairs_come_back_whole(tmp_path: Path, ending: str) -> None:
    """The first lacks what the others have: tools, an id, a weight."""
    pairs = read_preferences(written(tmp_path, [json.dumps(row) for row in (PLAIN, WHOLE, IMPLICIT)]), "a").pairs
    write_preferences(pairs, str(tmp_path / f"again.{ending}"))
    again = read_preferences(str(tmp_path / f"again.{ending}"), "a").pairs
    assert pairs.schema == again.schema == PREFERENCES
    assert again.drop_columns("source").to_pylist() == pairs.drop_columns("source").to_pylist()
    assert pairs.column("pair_id").to_pylist() == ["a#1", "x1", "a#3"]


texts = st.text(alphabet=st.sampled_from('a½"\\\n\t</>{}é字 \u2028'), min_size=1, max_size=8)
replies = st.one_of(texts, texts.map(lambda text: [{"role": "assistant", "content": text}]))
asked = st.one_of(texts, texts.map(lambda text: [{"role": "user", "content": text}]))
rows = st.fixed_dictionaries(
    {"prompt": asked, "chosen": replies, "rejected": replies}, optional={"weight": st.floats(0.001, 9), "source": texts, "tools": st.just(TOOLS)}
)


@settings(max_examples=150, deadline=None)
@given(given=st.lists(st.tuples(rows, st.booleans(), st.sampled_from([None, (",", ":")])), min_size=1, max_size=4))
def test_not_a_byte_is_lost_through_parquet(tmp_path_factory: pytest.TempPathFactory, given: list[tuple[dict[str, Any], bool, Any]]) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    lines = [json.dumps({**row, "rejected": _other(row)}, ensure_ascii=ascii_only, separators=by) for row, ascii_only, by in given]
    path = written(folder, lines)
    pq.write_table(read_preferences(path, "a").pairs, folder / "kept.parquet")
    write_preferences(pq.read_table(folder / "kept.parquet"), str(folder / "again.jsonl"))
    assert (folder / "again.jsonl").read_bytes() == Path(path).read_bytes()


def _other(row: dict[str, Any]) -> str:
    """An answer that the chosen one is not."""
    return f"not {row['chosen']}"


def test_lines_in_our_own_form_are_not_kept_twice(tmp_path: Path) -> None:
    pairs = read_preferences(written(tmp_path, [json.dumps(WHOLE), json.dumps(PLAIN)]), "a").pairs
    assert pairs.column("source").to_pylist() == [None, json.dumps(PLAIN)]
