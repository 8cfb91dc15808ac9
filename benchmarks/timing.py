"""Are two programs that differ by a tenth put in the right order, while another program keeps the other processor busy?

    python -m benchmarks.timing

A trial times two programs by turns as jobs.time does and asks for the interval of the ratio of their medians. In half of the trials one does 1.10
times the work of the other: the trial is right if the faster one has the lower median. In the other half both are one program (A/A): the interval
should hold 1. The peer of the claim is timing as scripts do it: one process after the other, each program once by the clock on the wall. `ratio`
is the share of trials that are put in the right order over the peer's share.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable

from benchmarks.report import finish, print_table
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.evaluation.code.timing import TimingSettings, time_programs
from ray_pipeline.metrics.run_times import interval_of_ratio
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings

WORK = "def f(n):\n    total = 0\n    for x in range(n * {times} // 10): total += x\n    return n"
QUICK, SLOW = WORK.format(times=10), WORK.format(times=11)


def busy(processor: int) -> None:
    """Keep a processor working, with pauses that come when they come."""
    os.sched_setaffinity(0, [processor])
    while True:
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            sum(range(10_000))
        time.sleep(0.002)


def by_turns(sandbox: Sandbox, settings: TimingSettings, processor: int, problem: Problem, texts: list[str]) -> tuple[bool, bool]:
    """Whether the first has the lower median, and whether the interval of their ratio leaves out 1."""
    first, second = time_programs(problem, texts, sandbox, settings, processor)
    rounds = min(len(first.runs), len(second.runs))
    ratio = interval_of_ratio(first.runs[:rounds], second.runs[:rounds], seed=0)
    return ratio.ratio < 1, ratio.shown


def once_by_the_wall(sandbox: Sandbox, problem: Problem, texts: list[str]) -> bool:
    """Whether the first took less, each run once from start to end."""
    seconds = []
    for text in texts:
        started = time.perf_counter()
        sandbox.call(text, problem.entry_point, problem.calls)
        seconds.append(time.perf_counter() - started)
    return seconds[0] < seconds[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--milliseconds", type=float, default=5.0, help="what a run computes at least")
    options = parser.parse_args()
    allowed = sorted(os.sched_getaffinity(0))
    own, other = allowed[0], allowed[-1]
    settings = TimingSettings(least_ms=options.milliseconds, most_rounds=options.rounds)
    problem = Problem("two programs", "", "f", QUICK, ((100_000,),), 1, None, None)
    noise = multiprocessing.get_context("spawn").Process(target=busy, args=(other,), daemon=True)
    noise.start()
    try:
        with Sandbox(SandboxSettings()) as sandbox:
            trial: Callable[[list[str]], tuple[bool, bool]] = lambda texts: by_turns(sandbox, settings, own, problem, texts)  # noqa: E731
            ordered, told, same, peer = [], [], [], []
            for number in range(options.trials):
                turned = number % 2 == 1  # the faster one first and second, alike often
                first_is_less, shown = trial([SLOW, QUICK] if turned else [QUICK, SLOW])
                ordered.append(first_is_less != turned)
                told.append(shown)
                same.append(trial([QUICK, QUICK + "\n# a comment"])[1])
                peer.append(once_by_the_wall(sandbox, problem, [SLOW, QUICK] if turned else [QUICK, SLOW]) != turned)
    finally:
        noise.kill()
        noise.join()
    shares = {"ordered": sum(ordered), "told apart": sum(told), "A/A told apart": sum(same), "ordered by the wall, once": sum(peer)}
    print_table(["", "share of trials"], [[name, count / options.trials] for name, count in shares.items()])
    finish(
        "timing",
        sum(ordered) / max(1, sum(peer)),
        trials=options.trials,
        ordered=sum(ordered) / options.trials,
        told_apart=sum(told) / options.trials,
        same_told_apart=sum(same) / options.trials,
        peer_ordered=sum(peer) / options.trials,
        rounds=options.rounds,
    )


if __name__ == "__main__":
    main()
