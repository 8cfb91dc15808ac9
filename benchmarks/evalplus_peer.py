"""Run by benchmarks.sandbox in evalplus's own environment: the same programs judged by its `check_correctness`, in as many workers.

    python evalplus_peer.py PROBLEMS.jsonl.gz PROGRAMS.json WORKERS

Prints one line of JSON a round that it is asked for by a line on its input: the seconds, and whether each program passed. Answers of the canonical
programs are computed before, and not timed.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

PROBLEMS: dict[str, Any] = {}
EXPECTED: dict[str, Any] = {}


def verdict(program: tuple[int, str, str]) -> bool:
    from evalplus.evaluate import PASS, check_correctness  # type: ignore[import-not-found]

    number, task, text = program
    found = check_correctness("humaneval", number, PROBLEMS[task], text, EXPECTED[task], fast_check=True)
    return bool(found["base"][0] == PASS and found["plus"][0] == PASS)


def main(problems: str, programs: str, workers: int) -> None:
    from evalplus.gen.util import trusted_exec  # type: ignore[import-not-found]

    with gzip.open(problems, "rt", encoding="utf-8") as lines:
        PROBLEMS.update({row["task_id"]: row for row in map(json.loads, lines)})
    given = json.loads(Path(programs).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(io.StringIO()):
        for task in dict.fromkeys(task for task, _ in given):
            row, oracle = PROBLEMS[task], {}
            for part in ("base", "plus"):
                text = row["prompt"] + row["canonical_solution"]
                oracle[part], oracle[f"{part}_time"] = trusted_exec(text, row[f"{part}_input"], row["entry_point"], record_time=True)
            EXPECTED[task] = oracle
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        with ProcessPoolExecutor(workers) as pool:
            passed = list(pool.map(verdict, [(number, task, text) for number, (task, text) in enumerate(given)]))
        print(json.dumps({"seconds": time.perf_counter() - started, "passed": passed}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
