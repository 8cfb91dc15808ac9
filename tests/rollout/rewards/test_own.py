"""A reward of the user's own: asked in its own process, and every way in which it may go wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.rewards.own import Failed, OwnReward
from ray_pipeline.rollout.rewards.sample import Sample

REWARD = """
import os, sys, time
from words import GOOD

def reward(sample):
    print("spoken where it does no harm")
    reply = sample["reply"]
    if reply == "raise":
        raise KeyError("no such word")
    if reply == "hang":
        time.sleep(60)
    if reply == "leave":
        os._exit(3)
    if reply == "nan":
        return float("nan")
    if reply == "text":
        return "good"
    return reply.count(GOOD) + len(sample["right"]) + sample["facts"].get("more", 0)

def two(sample, more):
    return 0

constant = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "words.py").write_text("GOOD = 'good'\n")
    (tmp_path / "json.py").write_text(REWARD)  # a name that must not stand in for the library's
    return tmp_path / "json.py"


def said(*replies: str) -> list[Sample]:
    return [Sample("p", reply, right=(Call("add", {"a": 1}),), facts={"more": 2}) for reply in replies]


def test_it_is_asked_sample_by_sample(file: Path) -> None:
    with OwnReward(f"{file}:reward", 10) as own:
        assert own(said("good good", "bad")) == [5.0, 3.0]
        large = "x" * 3_000_000 + "good"  # more than a pipe holds
        assert own(said(large)) == [4.0]


def test_what_fails_is_marked_and_the_others_go_on(file: Path) -> None:
    with OwnReward(f"{file}:reward", 1.0) as own:
        started = time.monotonic()
        found = own(said("good", "raise", "nan", "text", "hang", "leave", "good"))
        assert time.monotonic() - started < 20
    assert (found[0], found[-1]) == (4.0, 4.0)
    assert [str(one) for one in found[1:-1]] == [
        "KeyError: 'no such word'",
        "answered nan, which is no finite number",
        "answered 'good', which is no finite number",
        "no answer within 1 s",
        "its process ended",
    ]
    assert all(isinstance(one, Failed) for one in found[1:-1])


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("{file}", "give the file and the function, as file.py:function"),
        ("{file}:no such", "give the file and the function"),
        ("{folder}/none.py:reward", "there is no file"),
        ("{file}:rewrad", "defines no function rewrad; it has reward, two"),
        ("{file}:constant", "defines no function constant"),
        ("{file}:two", r"two\(sample, more\) does not take one argument"),
        ("{folder}/broken.py:reward", "SyntaxError"),
        ("{folder}/exits.py:reward", "SystemExit: 4"),
        ("{folder}/dies.py:reward", "does not load: its process ended"),
    ],
)
def test_what_cannot_be_loaded_is_told_before_anything_starts(where: str, said: str, file: Path) -> None:
    (file.parent / "broken.py").write_text("def reward(sample) return 1")
    (file.parent / "exits.py").write_text("raise SystemExit(4)")
    (file.parent / "dies.py").write_text("import os\nos._exit(5)")
    with pytest.raises(SettingsError, match=said):
        OwnReward(where.format(file=file, folder=file.parent), 5)


def test_nothing_is_left_behind(file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    own = OwnReward(f"{file}:reward", 5)
    own.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert own._program._process.poll() is not None
