"""Solutions to imitate, and both kinds of table, read by those who read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.config import parse
from ray_pipeline.data.chats.table import conversations
from ray_pipeline.data.pairs.imitation import imitation_set
from ray_pipeline.data.pairs.make import make_pairs
from ray_pipeline.data.pairs.settings import ImitationSettings, PairSettings
from ray_pipeline.data.pairs.solution import Solution
from ray_pipeline.data.pairs.strategies import at_least_one
from ray_pipeline.data.pairs.table import imitation_table, preference_table
from ray_pipeline.data.preferences.read import read_preferences
from ray_pipeline.data.preferences.write import write_preferences
from ray_pipeline.errors import SettingsError
from ray_pipeline.schemas import CHATS, PREFERENCES
from ray_pipeline.text.chat.conversation import Message

TIMES = {"A": 1.0, "B": 1.3, "C": 1.4, "D": 2.0, "E": 4.0, "F": None}
EXAMPLE = [Solution("t", "Solve.", name, seconds is not None, "", seconds, 0.02, at) for at, (name, seconds) in enumerate(TIMES.items())]


def kept(solutions: list[Solution], **values: Any) -> str:
    return "".join(one.text for one in imitation_set(solutions, parse(ImitationSettings, values)).solutions)


def test_the_example_of_the_docs() -> None:
    assert kept(EXAMPLE, keep="passing") == "ABCDE"
    assert kept(EXAMPLE, keep="fastest_share") == "A"  # a quarter of five, rounded down
    assert kept(EXAMPLE, keep="fastest_share", share=0.5) == "AB"
    assert kept(EXAMPLE, keep="fastest") == "A"


def test_what_gives_nothing_is_counted() -> None:
    untimed = Solution("u", "Solve.", "G", True, "", None, None, 0)
    failed = Solution("v", "Solve.", "H", False, "wrong answer", None, None, 0)
    found = imitation_set([*EXAMPLE, untimed, failed], parse(ImitationSettings, {"keep": "fastest"}))
    assert (found.problems, found.without, found.untimed) == (3, 2, 1)
    assert imitation_set([untimed], parse(ImitationSettings, {"keep": "passing"})).solutions == (untimed,)
    assert kept([EXAMPLE[0], replace(EXAMPLE[0], sample=9)], keep="passing") == "A"


@settings(deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=12), st.floats(0.01, 1.0))
def test_nothing_left_out_is_faster_than_what_is_kept(times: list[float], share: float) -> None:
    solutions = [Solution("t", "p", f"x = {at}", True, "", seconds, None, at) for at, seconds in enumerate(times)]
    found = imitation_set(solutions, parse(ImitationSettings, {"share": share})).solutions
    rest = [one.seconds for one in solutions if one not in found and one.seconds is not None]
    assert 1 <= len(found) <= max(1, share * len(times) + 1e-6)
    assert max(one.seconds for one in found if one.seconds is not None) <= min(rest, default=9.0)


def test_shares_of_a_hundred_are_exact() -> None:
    assert all(at_least_one(percent / 100, 100) == percent for percent in range(1, 101))
    assert at_least_one(0.25, 3) == 1 and at_least_one(0.25, 0) == 1


def test_preferences_are_rows_that_are_read_again(tmp_path: Path) -> None:
    made = make_pairs(EXAMPLE, parse(PairSettings, {"strategy": "optimise", "pairs_per_problem": 10}))
    table = preference_table(made.pairs, "code")
    assert table.schema == PREFERENCES and len(table) == 10
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["pair_id"], first["set"], first["weight"], first["source"]) == ("t/0>5", "code", 1.0, None)
    assert [message["content"] for side in ("prompt", "chosen", "rejected") for message in first[side]] == ["Solve.", "A", "F"]
    write_preferences(table, str(tmp_path / "code.jsonl"))
    again = read_preferences(str(tmp_path / "code.jsonl"), "code").pairs
    assert again.drop_columns("source").to_pylist() == table.drop_columns("source").to_pylist()
    assert len(set(table.column("pair_id").to_pylist())) == 10
    assert preference_table((), "code").schema == PREFERENCES


def test_imitated_solutions_are_conversations() -> None:
    table = imitation_table(imitation_set(EXAMPLE, ImitationSettings(keep="fastest")).solutions)
    assert table.schema == CHATS
    (only,) = conversations(table)
    assert only.messages == (Message("user", "Solve."), Message("assistant", "A")) and only.chat_id == "t/0"


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="share"):
        parse(ImitationSettings, {"share": 0.0})
