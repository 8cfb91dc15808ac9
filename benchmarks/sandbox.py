"""Verdicts a second: our sandbox against evalplus's `check_correctness`, on canonical and mutated solutions of HumanEval+, two workers each.

    python -m benchmarks.sandbox --problems HumanEvalPlus-Mini.jsonl.gz --evalplus /path/to/its/venv/bin/python
    python -m benchmarks.sandbox --problems MbppPlus.jsonl.gz --mutants 3 --rounds 1 --evalplus ...     # the same verdicts there

evalplus 0.3.1 wants an older numpy, so it has an environment of its own: pip install --no-deps evalplus==0.3.1, then datasets, appdirs,
termcolor, tqdm, tempdir, wget, tree-sitter, tree-sitter-python, rich, numpy, psutil. Rounds take turns. Both wait 1 s and four times the
canonical program's time; both know the right answers before the clock starts. `alone` is the programs themselves, called in the same order
by two processes that hold them by nothing but an alarm: no judge can be faster, and `net` leaves it out on both sides. HumanEval/32 is left
out: evalplus fails every solution of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from benchmarks.report import finish, print_table
from ray_pipeline.data.problems.mutants import mutants
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.registry import read_problems
from ray_pipeline.data.problems.told import told
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.code.judging import Verdict, judge
from ray_pipeline.evaluation.code.question import PatienceSettings, Question, question
from ray_pipeline.metrics.code_answers import answers_agree
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings

LEFT_OUT: Final = "HumanEval/32"
PATIENCE: Final = PatienceSettings(least=1.0, times=4.0)
PEER: Final = Path(__file__).with_name("evalplus_peer.py")

Program = tuple[str, str]  # task_id and text
QUESTIONS: dict[str, Question] = {}
SANDBOXES: list[Sandbox] = []  # of this worker


class LateError(BaseException):
    """A program's time is up; no program catches it by accident."""


def judged(program: Program) -> Verdict:
    if not SANDBOXES:
        SANDBOXES.append(Sandbox(SandboxSettings()))
    return judge(QUESTIONS[program[0]], program[1], SANDBOXES[0])


def alone(program: Program) -> bool:
    """The program called by this process itself."""
    task, text = program
    for part in QUESTIONS[task].parts:
        signal.setitimer(signal.ITIMER_REAL, part.wall)
        try:
            names: dict[str, Any] = {"__name__": "solution"}
            exec(told(text, QUESTIONS[task].problem), names)
            for place, call in enumerate(part.encoded):
                answer = names[QUESTIONS[task].problem.entry_point](*plain.decode(call))
                if not answers_agree(answer, part.expected[place], part.calls[place], part.comparisons[place]):
                    return False
        except (Exception, LateError):  # a mutant's own; what it is does not matter here
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def _alone_in_here() -> None:
    def late(*_: object) -> None:
        raise LateError

    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


@contextlib.contextmanager
def evalplus(python: str, problems: str, programs: Sequence[Program], workers: int) -> Iterator[subprocess.Popen[str]]:
    """evalplus, ready to be asked for rounds."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "programs.json"
        given.write_text(json.dumps(programs), encoding="utf-8")
        with subprocess.Popen(
            [python, str(PEER), problems, str(given), str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as peer:
            assert peer.stdout is not None
            if peer.stdout.readline() != "ready\n":
                raise SystemExit(f"{python} {PEER}: did not start; is evalplus 0.3.1 installed there?")
            yield peer
            assert peer.stdin is not None
            peer.stdin.close()


def asked(peer: subprocess.Popen[str]) -> dict[str, Any]:
    assert peer.stdin is not None and peer.stdout is not None
    peer.stdin.write("again\n")
    peer.stdin.flush()
    found: dict[str, Any] = json.loads(peer.stdout.readline())
    return found


def timed(function: Any, programs: Sequence[Program], workers: int, prepare: Any = None) -> tuple[float, list[Any]]:
    """Seconds for all programs, the workers started and warm before."""
    with ProcessPoolExecutor(workers, mp_context=get_context("fork"), initializer=prepare) as pool:
        list(pool.map(function, programs[: 4 * workers]))
        started = time.perf_counter()
        found = list(pool.map(function, programs, chunksize=4))
        return time.perf_counter() - started, found


def trivial(runs: int = 300) -> list[float]:
    """Seconds from the order to the verdict of a program that does nothing much."""
    seconds = []
    with Sandbox(SandboxSettings()) as sandbox:
        for _ in range(runs):
            started = time.perf_counter()
            assert sandbox.call("def double(x): return 2 * x", "double", [(21,)]).answers == (42,)
            seconds.append(time.perf_counter() - started)
    return sorted(seconds)


def asked_of(problems: Sequence[Problem], sandbox: Sandbox) -> list[str]:
    """Make the problems ready; those whose canonical program gives answers larger than a judge reads are left out by name."""
    left_out = [one.task_id for one in problems if one.task_id == LEFT_OUT]
    for one in problems:
        if one.task_id == LEFT_OUT:
            continue
        try:
            QUESTIONS[one.task_id] = question(one, sandbox, PATIENCE)
        except DataError as problem:
            print(f"left out: {problem}")
            left_out.append(one.task_id)
    return left_out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", required=True, help="HumanEvalPlus-Mini.jsonl.gz, or a file of MBPP+")
    parser.add_argument("--evalplus", required=True, help="the Python of an environment that has evalplus 0.3.1")
    parser.add_argument("--mutants", type=int, default=7, help="of each canonical solution")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()

    with Sandbox(SandboxSettings()) as sandbox:
        left_out = asked_of(read_problems("evalplus", options.problems), sandbox)
        problems = [one.problem for one in QUESTIONS.values()]
        print(sandbox.held.sentence())
    canonical = [(one.task_id, one.canonical or "") for one in problems]
    mutated = [(task, text) for task, program in canonical for text in mutants(program, options.mutants, seed=0)]
    programs = [*canonical, *mutated]
    ours, theirs, bare = [], [], []
    with evalplus(options.evalplus, options.problems, programs, options.workers) as peer:
        for _ in range(options.rounds):
            seconds, verdicts = timed(judged, programs, options.workers)
            ours.append(seconds)
            answer = asked(peer)
            theirs.append(answer["seconds"])
            bare.append(timed(alone, programs, options.workers, _alone_in_here)[0])
    differing = [
        (task, one.reason, one.detail) for (task, _), one, passed in zip(programs, verdicts, answer["passed"], strict=True) if one.passed != passed
    ]
    for task, reason, detail in differing:
        print(f"{task}: {reason} ({detail}) here, {'failed' if reason == 'passed' else 'passed'} by evalplus")
    best = {"ours": min(ours), "evalplus": min(theirs), "alone": min(bare)}
    rows = [[name, len(programs) / seconds, seconds] for name, seconds in best.items()]
    print_table(["", "verdicts a second", "seconds"], rows)
    starts = trivial()
    reasons = {reason: sum(one.reason == reason for one in verdicts) for reason in sorted({one.reason for one in verdicts})}
    finish(
        "sandbox",
        best["evalplus"] / best["ours"],
        net=(best["evalplus"] - best["alone"]) / max(1e-9, best["ours"] - best["alone"]),
        verdicts=len(programs),
        mutants=len(mutated),
        a_second={name: len(programs) / seconds for name, seconds in best.items()},
        differing=len(differing),
        left_out=left_out,
        reasons=reasons,
        trivial_p50_ms=1000 * statistics.median(starts),
        trivial_p99_ms=1000 * starts[int(0.99 * len(starts))],
    )


if __name__ == "__main__":
    main()
