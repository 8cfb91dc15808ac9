"""Timing: the faster program is the faster one, whatever it says of itself; what has no time says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import DataError, SandboxError
from ray_pipeline.evaluation.code.shards import CodeWork
from ray_pipeline.evaluation.code.time_shards import MakeTimeShard
from ray_pipeline.evaluation.code.timing import TimingSettings, own_processor, time_programs
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.inside.counter import INSTRUCTIONS, TASK_CLOCK, missing
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import LimitSettings, SandboxSettings

SETTINGS = TimingSettings(most_rounds=5, least_ms=1.0, wall=20.0)
SUM = "def f(n):\n    total = 0\n    for x in range(n): total += x\n    return total"
SLOW = "def f(n):\n    total = 0\n    for x in range(n):\n        for _ in range(8): total += x\n    return total // 8"
THREADED = "def f(n):\n    one = threading.Thread(target=g, args=(n,))\n    one.start()\n    one.join()\n    return n"
FAST = "def f(n): return n * (n - 1) // 2"
PROBLEM = Problem("own/1", "", "f", SUM, ((10,), (20_000,), (5,), (30_000,)), 2, None, None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(limits=LimitSettings(wall=20))) as found:
        yield found


def test_programs_are_put_in_the_order_of_their_work(sandbox: Sandbox) -> None:
    slow, plain_sum, fast = time_programs(PROBLEM, [SLOW, SUM, FAST], sandbox, SETTINGS, own_processor())
    assert [one.reason for one in (slow, plain_sum, fast)] == ["timed"] * 3
    assert slow.seconds and plain_sum.seconds and fast.seconds
    assert slow.seconds > 2 * plain_sum.seconds > 20 * fast.seconds
    assert len(slow.runs) == 5 and slow.spread is not None
    assert slow.repeats == plain_sum.repeats == fast.repeats


def test_calls_made_for_timing_come_first(sandbox: Sandbox) -> None:
    """Without them the slowest of the others are taken."""
    few = TimingSettings(most_rounds=5, least_ms=1.0, calls=1)
    (of_calls,) = time_programs(PROBLEM, [SUM], sandbox, few, None)
    (stressed,) = time_programs(replace(PROBLEM, stressed=((300_000,),)), [SUM], sandbox, few, None)
    assert of_calls.seconds and stressed.seconds and stressed.seconds > 4 * of_calls.seconds
    assert stressed.repeats == 1


def test_a_program_that_touches_the_clocks_is_timed_all_the_same(sandbox: Sandbox) -> None:
    lying = "import time, resource\ntime.process_time = time.time = time.perf_counter = lambda: 0.0\ntime.clock_gettime_ns = lambda c: 0\n" + SLOW
    honest, liar = time_programs(PROBLEM, [SLOW, lying], sandbox, SETTINGS, own_processor())
    assert honest.seconds and liar.seconds and 0.5 < liar.seconds / honest.seconds < 2


def test_threads_count(sandbox: Sandbox) -> None:
    """Work that another thread does while the call waits is the program's, too."""
    around = "import threading\ndef f(n):\n    found = []\n    one = threading.Thread(target=lambda: found.append(g(n)))\n"
    threaded = f"{SLOW.replace('def f', 'def g')}\n{around}    one.start()\n    one.join()\n    return found[0]"
    alone, elsewhere = time_programs(PROBLEM, [SLOW, threaded], sandbox, SETTINGS, own_processor())
    assert alone.seconds and elsewhere.seconds and elsewhere.seconds > 0.7 * alone.seconds


def test_what_has_no_time_says_why(sandbox: Sandbox) -> None:
    wrong = "def f(n): return n * (n - 1) // 2 if n < 1000 else 0"
    raises = "def f(n):\n    if n > 1000: raise MemoryError\n    return n * (n - 1) // 2"
    late = "def f(n):\n    while n > 1000: pass\n    return n * (n - 1) // 2"
    leaves = "import os\ndef f(n): os._exit(0)"
    short = TimingSettings(most_rounds=5, least_ms=1.0, wall=1.0)
    found = time_programs(PROBLEM, [wrong, raises, late, leaves, "def f(n) return", SUM], sandbox, short, None)
    assert [one.reason for one in found] == ["wrong", "memory", "timeout", "exit", "syntax", "timed"]
    assert all(one.seconds is None and not one.steady for one in found[:-1])


def test_reading_arguments_and_writing_answers_is_not_timed(sandbox: Sandbox) -> None:
    large = [list(range(200_000))]
    found = sandbox.time("def f(xs): return xs", "f", [plain.encode(large)], 1, None)
    assert found.ended == "finished" and found.times[0] < 0.1 * found.cpu


def test_what_a_program_does_is_counted_from_outside(sandbox: Sandbox) -> None:
    """By the counter that every kernel has, nanoseconds of tasks: the counter of instructions is opened and read the same way."""
    found = sandbox.time(SLOW, "f", [plain.encode([20_000]), plain.encode([200_000])], 1, None, counter=TASK_CLOCK)
    assert found.ended == "finished" and len(found.counts) == 2
    for seconds, nanoseconds in zip(found.times, found.counts, strict=True):
        assert 0.7 < nanoseconds / 1e9 / seconds < 1.4
    threaded = f"import threading\ndef g(n): return sum(range(n))\n{THREADED}"
    counted = sandbox.time(threaded, "f", [plain.encode([3_000_000])], 1, None, counter=TASK_CLOCK)
    assert counted.counts[0] / 1e9 > 0.7 * counted.times[0]
    assert sandbox.time(SUM, "f", [plain.encode([9])], 1, None).counts == ()


def test_a_counter_that_the_machine_does_not_have_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="cannot be counted in this jail: .*perf_event_open"):
        sandbox.time(SUM, "f", [plain.encode([9])], 1, None, counter=(0, 999))
    assert sandbox.time(SUM, "f", [plain.encode([9])], 1, None).ended == "finished"


def test_instructions_are_counted_or_refused(tmp_path: Path) -> None:
    work = CodeWork(lambda: [PROBLEM], SandboxSettings(), str(tmp_path), "attempts/one")
    plan = MakeTimeShard(work, SETTINGS.model_copy(update={"instructions": True}))
    if missing(*INSTRUCTIONS) is not None:
        with pytest.raises(SandboxError, match="time.timing.instructions=true: this machine shows no counter of instructions"):
            plan("cpu")
        return
    worker = plan("cpu")
    rows = worker.rows(PROBLEM, [{"text": text} for text in (SLOW, SUM)])
    worker.close()
    assert rows[0]["instructions"] > 2 * rows[1]["instructions"] > 0


def test_each_repeat_has_arguments_of_its_own(sandbox: Sandbox) -> None:
    found = sandbox.time("def f(xs):\n    xs.append(1)\n    return len(xs)", "f", [plain.encode([[]])], 50, None)
    assert found.answers == (1,)


def test_a_canonical_program_that_fails_is_told(sandbox: Sandbox) -> None:
    with pytest.raises(DataError, match="own/1"):
        time_programs(replace(PROBLEM, canonical="def f(n): raise KeyError"), [SUM], sandbox, SETTINGS, None)


def test_without_a_canonical_program_the_first_that_works_sets_the_repeats(sandbox: Sandbox) -> None:
    broken, found = time_programs(replace(PROBLEM, canonical=None), ["def f(n): raise KeyError", FAST], sandbox, SETTINGS, None)
    assert (broken.reason, found.reason) == ("exception", "timed") and found.repeats > 1


def test_without_calls_and_tests_there_is_nothing_to_time_by(sandbox: Sandbox) -> None:
    (found,) = time_programs(replace(PROBLEM, calls=(), base_calls=0), [SUM], sandbox, SETTINGS, None)
    assert (found.reason, found.seconds) == ("no_calls", None)


def test_calls_that_tests_make_are_timed_where_there_are_no_others(sandbox: Sandbox) -> None:
    """As in HumanEval's and Code-Optimise's files: a `check`, and perhaps no canonical program."""
    tests = "def check(candidate):\n    for n in (10, 20_000, 30_000):\n        assert candidate(n) in (n * (n - 1) // 2, None)"
    told = Problem("own/2", "", "f", None, (), 0, None, tests)
    silent = "def f(n): return None"  # the tests let it pass, so no answer but theirs counts
    slow, fast, other = time_programs(told, [SLOW, FAST, silent], sandbox, SETTINGS, own_processor())
    assert [one.reason for one in (slow, fast, other)] == ["timed"] * 3
    assert slow.seconds and fast.seconds and slow.seconds > 20 * fast.seconds
    assert slow.repeats == fast.repeats


def test_tests_that_call_with_no_plain_data_give_nothing_to_time_by(sandbox: Sandbox) -> None:
    told = Problem("own/3", "", "f", None, (), 0, None, "def check(candidate): assert candidate(object()) is None")
    (found,) = time_programs(told, ["def f(x): return None"], sandbox, SETTINGS, None)
    assert (found.reason, found.seconds) == ("no_calls", None)
    assert "no call with plain data" in found.detail
