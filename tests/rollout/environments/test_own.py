"""An environment of the user's own: asked in its own process, and every way in which it may go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import SettingsError
from ray_pipeline.rollout.environments.environment import EnvironmentFault, Reply, Standing
from ray_pipeline.rollout.environments.own import OwnEnvironments
from ray_pipeline.text.chat.conversation import Message
from tests.rollout.environments.replies import called, said

ENVIRONMENT = """
import os, random, time
from words import HIGHER

class Guess:
    def __init__(self, task):
        print("spoken where it does no harm", flush=True)
        if task["facts"].get("broken"):
            raise KeyError("no secret")
        self.secret, self.guesses, self.right = task["facts"]["secret"], 0, False
        self.task = task

    def answer(self, reply):
        text = reply["said"]
        if text == "hang":
            time.sleep(60)
        if text == "leave":
            os._exit(3)
        if text == "raise":
            raise ValueError("no such word")
        if text == "what":
            return [{"role": "user", "content": repr((self.task["tools"], self.task["messages"][0]["content"], reply["calls"], reply["whole"]))}]
        if text == "random":
            return [{"role": "user", "content": str(random.random())}]
        if text == "deep":
            found = []
            for _ in range(900):
                found = [found]
            return found
        if text in NONSENSE:
            return NONSENSE[text]
        self.guesses += 1
        self.right = int(text) == self.secret
        return [] if self.right else [{"role": "tool", "content": HIGHER if int(text) < self.secret else "lower", "name": "guess"}]

    def standing(self):
        if self.guesses in STANDINGS:
            return STANDINGS[self.guesses]
        return {"worth": 1 / self.guesses if self.right else 0.0, "calls": self.guesses}

NONSENSE = {
    "none": None, "text": "higher", "numbers": [1], "role": [{"role": "assistant", "content": "x"}], "silent": [{"role": "user"}],
    "more": [{"role": "user", "content": "x", "tone": 1}], "half": [{"role": "user", "content": "\\ud800"}], "unspeakable": [object()],
}
STANDINGS = {7: float("nan"), 8: "good", 9: True, 10: {"calls": 3}, 11: {"worth": 1, "calls": -1}, 12: 0.25, 13: {"worth": 1, "tone": 2}}

class Two:
    def __init__(self, task, more): ...

class Mute:
    def __init__(self, task): ...
    def answer(self, reply): ...

class Odd(Mute):
    def answer(self): ...
    def standing(self): ...

class Asking(Mute):
    def standing(self, more): ...

def function(task): ...
"""
TASK = Task("secret/1", (Message("user", "Guess."),), '[{"name": "guess"}]', {"secret": 5})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "words.py").write_text("HIGHER = 'higher'\n")
    (tmp_path / "own.py").write_text(ENVIRONMENT)
    return tmp_path / "own.py"


@pytest.fixture
def environments(file: Path) -> Iterator[OwnEnvironments]:
    found = OwnEnvironments(f"{file}:Guess", 1.0)
    yield found
    found.close()


def test_it_answers_until_it_has_nothing_more_to_say(environments: OwnEnvironments) -> None:
    one, other = environments.begin(TASK), environments.begin(TASK)
    assert one.answer(said("<think>hm</think>3")) == [Message("tool", "higher", name="guess")]
    assert other.answer(said("9")) == [Message("tool", "lower", name="guess")]
    assert one.answer(said("5")) == []
    assert one.standing() == Standing(0.5, 2, 0)
    assert other.standing() == Standing(0.0, 1, 0)


def test_what_it_prints_goes_where_errors_go(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A job's own output is no place for it."""
    found = OwnEnvironments(f"{file}:Guess", 1.0)
    found.begin(TASK)
    found.close()
    heard = capfd.readouterr()
    assert heard.out == "" and "spoken" in heard.err


def test_it_sees_task_and_reply(environments: OwnEnvironments) -> None:
    (message,) = environments.begin(TASK).answer(said("what", whole=False))
    assert message.content == "([{'name': 'guess'}], 'Guess.', [], False)"
    (error,) = [environments.begin(TASK)]
    with pytest.raises(EnvironmentFault, match="invalid literal"):
        error.answer(called(("guess", {"number": 5})))


def test_calls_of_any_depth_are_no_fault_of_the_environment(environments: OwnEnvironments) -> None:
    def deeper(reply: Reply, frames: int) -> Sequence[Message]:
        return deeper(reply, frames - 1) if frames else one.answer(reply)

    for depth in (50, *range(800, 1010, 10), 5000):
        one = environments.begin(TASK)
        call = f'<tool_call>{{"name": "guess", "arguments": {{"x": {"[" * depth}{"]" * depth}}}}}</tool_call>'
        reply = said(call)
        assert deeper(replace(reply, said="4"), 60) == [Message("tool", "higher", name="guess")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise", "answer: ValueError: no such word"),
        ("hang", "no answer within 1 s, asked for answer"),
        ("leave", "its process ended, asked for answer"),
        ("none", "answer: answered None, which is no list of messages"),
        ("text", "answered 'higher', which is no list"),
        ("numbers", r"answered \[1\], which is no list"),
        ("role", "has the role 'assistant'; an environment speaks as user, tool, system"),
        ("silent", "content is a text"),
        ("more", "a message has tone; it may have role"),
        ("half", "half of a surrogate pair"),
        ("unspeakable", "not JSON serializable"),
        ("deep", "answer"),
    ],
)
def test_what_goes_wrong_fails_its_own_rollout_and_no_other(environments: OwnEnvironments, text: str, why: str) -> None:
    before, faulty = environments.begin(TASK), environments.begin(TASK)
    before.answer(said("3"))
    started = time.monotonic()
    with pytest.raises(EnvironmentFault, match=f"secret/1: .*{why}"):
        faulty.answer(said(text))
    assert time.monotonic() - started < 20
    with pytest.raises(EnvironmentFault, match=why):  # it stays so
        faulty.standing()
    assert before.answer(said("5")) == []  # also where the process is another one now
    assert before.standing() == Standing(0.5, 2, 0)
    assert environments.begin(TASK).answer(said("5")) == []


def test_a_rollout_that_would_answer_otherwise_when_replayed_fails(environments: OwnEnvironments) -> None:
    drawing, steady = environments.begin(TASK), environments.begin(TASK)
    drawing.answer(said("random"))
    steady.answer(said("3"))
    with pytest.raises(EnvironmentFault, match="process ended"):
        environments.begin(TASK).answer(said("leave"))
    with pytest.raises(EnvironmentFault, match="answers otherwise than before"):
        drawing.standing()
    assert steady.standing() == Standing(0.0, 1, 0)


def test_a_task_that_cannot_begin_is_a_fault(environments: OwnEnvironments) -> None:
    with pytest.raises(EnvironmentFault, match="secret/2: begin: KeyError: 'no secret'"):
        environments.begin(Task("secret/2", TASK.messages, None, {"broken": True}))


@pytest.mark.parametrize(
    ("guesses", "why"),
    [
        (7, "worth is a finite number"),
        (8, "worth is a finite number"),
        (9, "worth is a finite number"),
        (10, "has to have the first"),
        (11, "whole numbers of 0 or more"),
        (13, "it may have worth, calls and failed"),
    ],
)
def test_a_standing_that_is_none_is_a_fault(environments: OwnEnvironments, guesses: int, why: str) -> None:
    one = environments.begin(TASK)
    for _ in range(guesses):
        one.answer(said("3"))
    with pytest.raises(EnvironmentFault, match=f"secret/1: standing: .*{why}"):
        one.standing()


def test_a_standing_may_be_a_number(environments: OwnEnvironments) -> None:
    one = environments.begin(TASK)
    for _ in range(12):
        one.answer(said("3"))
    assert one.standing() == Standing(0.25)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("{file}", "give the file and the class, as file.py:class"),
        ("{file}:no such", "give the file and the class"),
        ("{folder}/none.py:Guess", "there is no file"),
        ("{file}:Gues", "defines no class Gues; it has Guess, Two, Mute, Odd, Asking"),
        ("{file}:function", "defines no class function"),
        ("{file}:Two", r"Two\(task, more\) does not take one argument, the task"),
        ("{file}:Mute", "Mute has no method standing"),
        ("{file}:Odd", r"Odd.answer\(self\) does not take one argument, the reply"),
        ("{file}:Asking", r"Asking.standing\(self, more\) does not take no argument"),
        ("{folder}/broken.py:Guess", "SyntaxError"),
        ("{folder}/dies.py:Guess", "does not load: its process ended"),
    ],
)
def test_what_cannot_be_loaded_is_told_before_anything_starts(where: str, why: str, file: Path) -> None:
    (file.parent / "broken.py").write_text("class Guess")
    (file.parent / "dies.py").write_text("import os\nos._exit(5)")
    with pytest.raises(SettingsError, match=f"environment .*{why}"):
        OwnEnvironments(where.format(file=file, folder=file.parent), 5)


def test_modules_beside_the_pipelines_own_are_not_found_by_accident(tmp_path: Path) -> None:
    """`engine` and `weights` are ours, and lie beside the process's file."""
    (tmp_path / "own.py").write_text("import engine\nclass Guess: ...")
    with pytest.raises(SettingsError, match="No module named 'engine'"):
        OwnEnvironments(f"{tmp_path}/own.py:Guess", 5)


def test_nothing_is_left_behind(file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    found = OwnEnvironments(f"{file}:Guess", 1.0)
    with pytest.raises(EnvironmentFault):
        found.begin(TASK).answer(said("hang"))
    found.close()
    found.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert found._program._process.poll() is not None
