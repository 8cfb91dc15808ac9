"""BFCL's tasks; of several turns: its simulators, in the sandbox. Those of a single turn are in `bfcl_single`.

A user asks for several things, one after the other. Within a turn the policy calls and is told results until it replies without a call; a call
that cannot be read ends the turn, too. Then comes what the user says next. A rollout is worth 1 if, after every turn, the simulators are in the
state that the right calls lead to and everything those were told has been told, else 0.

The world is a pure function of the calls made so far: each answer begins the simulators anew in a fresh jailed process and takes them through all
calls again. So nothing is left between turns, rollouts or entries (the peer keeps its simulators under a name made of model and entry: a second
rollout of an entry finds what the first one left), and a fork with the simulators loaded costs less than processes that are kept would. Calls go
in as JSON, never as text that is evaluated. A call that hangs, or asks for more than a program may, is ended by the sandbox: an `EnvironmentFault`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ray_pipeline.data.bfcl.package import package_folder
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.python_calls import read_python_calls
from ray_pipeline.rollout.environments import bfcl_replay
from ray_pipeline.rollout.environments.bfcl_single import BfclSingle
from ray_pipeline.rollout.environments.environment import EnvironmentFault, Reply, Standing
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.text.chat.conversation import Message

STEPS: Final = 20  # of a turn; the policy that calls once more is told nothing any more, as with BFCL
PROGRAM: Final = Path(bfcl_replay.__file__).read_text(encoding="utf-8")
MODULES: Final = tuple(f"{bfcl_replay.HOME}.{name}" for name in bfcl_replay.FILES.values())
WORLD: Final = ("classes", "config", "methods", "long")  # of a task's facts, what the simulators begin with

Turn = list[list[list[Any]]]  # its steps, their calls: name and arguments


@dataclass(frozen=True)
class Replay:
    """What was called in a task, and what would have been right, where that is to be compared."""

    task: Task
    turns: Sequence[Turn]
    truth: Sequence[Any] | None = None


class BfclEnvironments:
    """Holds the jail, and the folder of what can be imported in it: from the first task that needs them."""

    def __init__(self, settings: EnvironmentSettings) -> None:
        package_folder()  # or it is said what is to be installed, before anything is asked
        self._settings = settings
        self._jail: Sandbox | None = None
        self._shelf: tempfile.TemporaryDirectory[str] | None = None

    def begin(self, task: Task) -> Bfcl | BfclSingle:
        """A new world; nothing runs before the first call."""
        if "category" not in task.facts:
            raise DataError(f"{task.task_id}: no task of BFCL's; kind=bfcl is for tasks that data/bfcl reads")
        return Bfcl(self, task) if "truth" in task.facts else BfclSingle(task)

    @property
    def _sandbox(self) -> Sandbox:
        if self._jail is None:
            self._shelf = tempfile.TemporaryDirectory(prefix="bfcl-")
            _fill(Path(self._shelf.name))
            held = self._settings.sandbox
            added = {"packages": (*held.packages, self._shelf.name), "imports": (*held.imports, *MODULES)}
            self._jail = Sandbox(held.model_copy(update=added))
        return self._jail

    def replay(self, asked: Sequence[Replay]) -> list[dict[str, Any]]:
        """What `bfcl_replay.replay` says to each; all in one program, which may take its time so often."""
        calls = [({name: one.task.facts[name] for name in WORLD}, one.turns, one.truth) for one in asked]
        outcome = self._sandbox.call(PROGRAM, "replay", calls, wall=self._settings.seconds * len(calls))
        if outcome.ended != "finished":
            raise EnvironmentFault(
                f"{asked[min(len(outcome.answers), len(asked) - 1)].task.task_id}: the simulators ended with {outcome.ended}: {outcome.detail}"
            )
        return list(outcome.answers)

    def close(self) -> None:
        """End the jail."""
        if self._jail is not None:
            self._jail.close()
        if self._shelf is not None:
            self._shelf.cleanup()
        self._jail = self._shelf = None


class Bfcl:
    """One entry, for one rollout. `why`: what was wrong when it was asked how it stands, in words; None where all is right."""

    def __init__(self, shared: BfclEnvironments, task: Task) -> None:
        self._shared, self._task = shared, task
        self.why: str | None = None
        self._turns: list[Turn] = [[]]
        self._calls = self._failed = 0

    def answer(self, reply: Reply) -> Sequence[Message]:
        """What its calls gave; the user's next words where there are none."""
        if not reply.calls:
            return self._next_words()
        self._calls += len(reply.calls)
        self._turns[-1].append([[call.name, call.arguments] for call in reply.calls])
        if len(self._turns[-1]) > STEPS:
            return []
        (found,) = self._shared.replay([Replay(self._task, self._turns)])
        results = found["results"][-1][-1]
        self._failed += sum(map(_is_error, results))
        return [Message("tool", result, name=call.name) for call, result in zip(reply.calls, results, strict=True)]

    def _next_words(self) -> Sequence[Message]:
        users = self._task.facts["users"]
        if len(self._turns) > len(users):
            return []
        said = users[len(self._turns) - 1]
        self._turns.append([])
        return [Message(one["role"], one["content"]) for one in said]

    def standing(self) -> Standing:
        (found,) = self._shared.replay([Replay(self._task, self._turns, right_calls(self._task))])
        self.why = found["wrong"]
        return Standing(float(self.why is None), self._calls, self._failed)


def right_calls(task: Task) -> list[list[list[Any]]]:
    """Of each turn, the right calls: name and arguments."""
    return [[_read(task, text) for text in turn] for turn in task.facts["truth"]]


def _read(task: Task, text: str) -> list[Any]:
    found = read_python_calls(text, task.facts["parameters"])
    if found is None or len(found) != 1:
        raise DataError(f"{task.task_id}: the right call {text} cannot be read")
    return [found[0].name, found[0].arguments]


def _is_error(result: str) -> bool:
    if result.startswith("Error during execution:"):
        return True
    try:
        told = json.loads(result)
    except ValueError:
        return False
    return isinstance(told, Mapping) and "error" in told


def _fill(shelf: Path) -> None:
    """What the simulators import, and no more: a jail that could read the folder of all packages could import all of them."""
    mpmath = find_spec("mpmath")
    if mpmath is None or mpmath.origin is None:
        raise DataError("BFCL's simulator of mathematics needs mpmath; install it: pip install mpmath==1.3.0")
    shelf.chmod(0o755)  # programs run as another user
    inner = Path("eval_checker/multi_turn_eval/func_source_code")
    _copy(package_folder() / inner, shelf / "bfcl_eval" / inner)
    _copy(Path(mpmath.origin).parent, shelf / "mpmath")


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("tests"))
