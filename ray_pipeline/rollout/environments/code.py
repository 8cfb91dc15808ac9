"""Programs: a reply holds one, its tests run it in the sandbox, and the first test that fails is told, for another try.

A rollout is worth the share of tests that its last program passes (`program_tests.py`); what says nothing has no program. Where `speed` is asked for,
`Standing.speed` says how fast a program is that passes them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.data.problems.programs import program_in
from ray_pipeline.data.problems.told import told
from ray_pipeline.data.tasks.code import problem_of
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import SandboxError
from ray_pipeline.rollout.environments.environment import EnvironmentFault, Reply, Standing
from ray_pipeline.rollout.environments.program_tests import ProgramTests
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.text.chat.conversation import Message


class CodeEnvironments:
    """Holds the jail."""

    def __init__(self, settings: EnvironmentSettings) -> None:
        self.seconds, self.speed = settings.seconds, settings.speed
        self.sandbox = Sandbox(settings.sandbox)
        self._last: tuple[Task, ProgramTests] | None = None  # rollouts of a task begin one after the other

    def begin(self, task: Task) -> CodeEnvironment:
        if self._last is None or self._last[0] is not task:
            self._last = task, ProgramTests(problem_of(task))
        return CodeEnvironment(self, self._last[1])

    def close(self) -> None:
        """End the jail."""
        self.sandbox.close()


class CodeEnvironment:
    """One rollout's tries."""

    def __init__(self, home: CodeEnvironments, tests: ProgramTests) -> None:
        self._home, self._tests = home, tests
        self._worth = 0.0
        self._speed: float | None = None

    def answer(self, reply: Reply) -> Sequence[Message]:
        self._worth, self._speed = 0.0, None
        if not reply.said.strip():  # the prompt alone may be a program, and would be judged as the policy's
            return [_told("There is no program.")]
        program = told(program_in(reply.said, self._tests.problem), self._tests.problem)
        try:
            found = self._tests.tested(program, self._home.sandbox, self._home.seconds)
            self._worth = found.passed / found.tests
            if found.why is not None:
                return [_told(found.why)]
            self._speed = self._tests.speed(program, self._home.sandbox, self._home.seconds) if self._home.speed else None
        except SandboxError as problem:
            raise EnvironmentFault(str(problem)) from problem
        return ()

    def standing(self) -> Standing:
        return Standing(self._worth, speed=self._speed)


def _told(why: str) -> Message:
    return Message("user", f"{why} Write the program again.".encode(errors="replace").decode())
