"""The sandbox: give it a program's text, get what became of it.

    with Sandbox(SandboxSettings()) as sandbox:
        sandbox.call("def double(x): return 2 * x", "double", [(1,), (2,)]).answers      # (2, 4)

The clock, the expected answers and the comparison stay on this side; a program returns data. Tests that are programs themselves run in a second
jail and reach the candidate through this side, which passes plain data on (`check`). A sandbox holds one program at a time and is not shared
between threads; use one a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from ray_pipeline.sandbox.held import Nursery
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.outcome import Ended, Outcome, of_failure
from ray_pipeline.sandbox.running import Running
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.sandbox.timed import timed_calls

Accept = Callable[[int, Any], bool]


def _anything(place: int, answer: Any) -> bool:
    return True


class Sandbox:
    """Programs that nobody vouches for, one at a time."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self._nurseries: dict[str, Nursery] = {}
        self.held = self._nursery("candidate").held

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the jails."""
        for nursery in self._nurseries.values():
            nursery.close()
        self._nurseries.clear()

    def call(self, text: str, entry_point: str, calls: Sequence[Sequence[Any]], accept: Accept = _anything, wall: float | None = None) -> Outcome:
        """Run a program and call its function with each of the arguments. `accept(place, answer)` is asked for each answer; once it says no, the
        program is ended."""
        return self.call_encoded(text, entry_point, [plain.encode(list(one)) for one in calls], accept, wall)

    def call_encoded(self, text: str, entry_point: str, calls: Sequence[bytes], accept: Accept = _anything, wall: float | None = None) -> Outcome:
        """`call` with arguments that were encoded once for many programs."""
        answers: list[Any] = []
        with self._running("candidate", {"kind": "calls", "entry_point": entry_point, "echo": False}, wall) as program:
            program.talk.say([_bytes(text), *calls])
            for answer in program.answers():
                answers.append(answer)
                if not accept(len(answers) - 1, answer):
                    program.ended = "unwanted", f"the answer to call {len(answers) - 1} was refused"
                elif len(answers) == len(calls):
                    program.ended = "finished", ""
                if program.ended:
                    break
        return program.outcome(tuple(answers))

    def check(
        self, text: str, entry_point: str, tests: str, live: bool = False, wall: float | None = None, heard: list[Any] | None = None
    ) -> Outcome:
        """Run tests of a program: statements, and perhaps a function `check(candidate)`. The tests' process never holds the program, only a
        stand-in that asks it for answers; the arguments of each call are added to `heard`. `live` puts both into one process, for tests that
        need more than plain data: there a program can forge its verdict, and no call is heard."""
        if live:
            with self._running("candidate", {"kind": "checks", "live": True, "entry_point": entry_point}, wall) as both:
                both.talk.say([_bytes(tests), _bytes(text)])
                both.ended = _verdict(both, _nothing)
            return both.outcome()
        with self._running("candidate", {"kind": "calls", "entry_point": entry_point, "echo": True}, wall) as program:
            program.talk.say([_bytes(text)])
            first = next(program.told(), {})
            if "type" in first:
                program.ended = of_failure(first)
            elif "loaded" in first:
                with self._running("tests", {"kind": "checks", "live": False, "entry_point": entry_point}, wall) as tester:
                    tester.talk.say([_bytes(tests)])
                    tester.ended = _verdict(tester, lambda asked: _asked(program, asked, heard))
                program.ended = program.ended or tester.ended
        return program.outcome()

    def time(
        self,
        text: str,
        entry_point: str,
        calls: Sequence[bytes],
        repeats: int,
        processor: int | None,
        wall: float | None = None,
        counter: tuple[int, int] | None = None,
    ) -> Outcome:
        """Make each call `repeats` times in one fresh process and see how long that computes, by its clock as the kernel keeps it: reading arguments
        and writing answers is not in it, nor is what the pauses cost, which is measured first. `processor`: the one to stay on; `counter`: one of
        the kernel's, to be read with the clock (`inside/counter.py`)."""
        order = {"kind": "timed", "entry_point": entry_point, "repeats": repeats, "processor": processor, "counter": counter}
        with self._running("candidate", order, wall) as program:
            program.talk.say([_bytes(text)])
            timed = timed_calls(program, calls)
        counts = tuple(one.count for one in timed if one.count is not None)
        return replace(program.outcome(tuple(one.answer for one in timed)), times=tuple(one.seconds for one in timed), counts=counts)

    def run(self, text: str, wall: float | None = None) -> Outcome:
        """Run a program as a script; what it prints is kept."""
        last: dict[str, Any] = {}
        with self._running("candidate", {"kind": "script"}, wall) as program:
            program.talk.say([_bytes(text)])
            for last in program.told():
                program.ended = of_failure(last) if "type" in last else ("finished", "")
            program.talk.rest()
        code = last.get("exit")
        return program.outcome(exit_code=code if type(code) is int else None)

    def _running(self, name: str, order: dict[str, Any], wall: float | None) -> Running:
        return Running(self._nursery(name), self.settings.limits, order, wall)

    def _nursery(self, name: str) -> Nursery:
        """The jail of this name, started when it is first asked for and again after it broke."""
        found = self._nurseries.get(name)
        if found is None or found.broken:
            found = self._nurseries[name] = Nursery(self.settings)
        return found


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _verdict(tester: Running, answer: Callable[[Any], bytes | None]) -> tuple[Ended, str] | None:
    """What the tests say; None where they, or the program they asked, fell silent."""
    for said in tester.told():
        if "ask" in said:
            answered = answer(said["ask"])
            if answered is None:
                return None
            tester.talk.say([answered])
        elif said.get("passed") is True:
            return "finished", ""
        else:
            return of_failure(said)
    return None


def _asked(program: Running, arguments: Any, heard: list[Any] | None) -> bytes | None:
    """The program's answer as the tests' process may read it: decoded and written anew, so it is plain data whatever was sent."""
    if heard is not None:
        heard.append(arguments)
    program.talk.say([plain.encode(arguments)])
    try:
        answer = next(program.told(), None)
        return None if answer is None else plain.encode(answer)
    except (plain.MalformedError, plain.UnspeakableError) as problem:
        program.ended = "malformed", str(problem)
        return None


def _nothing(asked: Any) -> bytes | None:
    return None
