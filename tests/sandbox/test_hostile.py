"""Hostile programs: each contained, each called by its name, and the machine as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import LimitSettings, SandboxSettings
from tests.sandbox.hostile_programs import PROGRAMS

LIMITS = LimitSettings(wall=1.5, cpu=2, memory_mb=256, output_mb=8, file_mb=4)
PLANTED = [Path("~/planted-by-a-program").expanduser(), Path("/tmp/planted-by-a-program"), Path("/dev/shm/planted-by-a-program")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(limits=LIMITS)) as found:
        yield found


def test_there_are_many() -> None:
    assert len(PROGRAMS) >= 40


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_contained_and_named(sandbox: Sandbox, name: str) -> None:
    text, ends = PROGRAMS[name]
    answered = sandbox.call(
        text, "f", [(1,)], accept=lambda place, answer: answer != 8 or name not in ("a forged message", "the answer's writer replaced")
    )
    assert answered.ended in ends, answered
    assert "out" not in [answer for answer in answered.answers if isinstance(answer, str)], answered
    assert not [path for path in PLANTED if path.exists()]
    assert answered.seconds < LIMITS.wall + 2
    assert len(answered.detail) <= 400 and answered.detail.isprintable()
    after = sandbox.call("import os\ndef g(x):\n    open('a', 'w').close()\n    return x + len(os.listdir('.'))", "g", [(41,)])
    assert (after.ended, after.answers) == ("finished", (42,))  # the next program finds everything as it was


def test_a_folder_is_empty_for_the_next_program(sandbox: Sandbox) -> None:
    left = "import os\nos.makedirs('a/b'); open('a/b/c', 'w').write('x'); os.mkdir('a/locked', 0)\ndef f(): return os.listdir('.')"
    assert sandbox.call(left, "f", [()]).answers == (["a"],)
    assert sandbox.call("import os\ndef f(): return os.listdir('.')", "f", [()]).answers == ([],)


def test_nothing_of_a_program_outlives_it(sandbox: Sandbox) -> None:
    before = _children()
    assert sandbox.call(PROGRAMS["a thread that stays"][0], "f", [(1,)]).ended == "finished"
    assert _children() == before


def _children() -> set[int]:
    """The processes below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found, new = set(), {os.getpid()}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in found} - found
    return found
