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
    found = check_correctness(data_set(task), number, PROBLEMS[task], text, EXPECTED[task], fast_check=True)
    return bool(found["base"][0] == PASS and found["plus"][0] == PASS)


def data_set(task: str) -> str:
    return "mbpp" if task.startswith("Mbpp/") else "humaneval"


def main(problems: str, programs: str, workers: int) -> None:
    from evalplus.data.mbpp import mbpp_deserialize_inputs  # type: ignore[import-not-found]
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS  # type: ignore[import-not-found]
    from evalplus.gen.util import trusted_exec  # type: ignore[import-not-found]

    with gzip.open(problems, "rt", encoding="utf-8") as lines:
        PROBLEMS.update({row["task_id"]: row for row in map(json.loads, lines)})
    given = json.loads(Path(programs).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(io.StringIO()):
        for task in dict.fromkeys(task for task, _ in given):
            row, oracle = PROBLEMS[task], {}
            not_none = data_set(task) == "mbpp" and row["entry_point"] in MBPP_OUTPUT_NOT_NONE_TASKS
            for part in ("base", "plus"):
                text, name, asked = row["prompt"] + row["canonical_solution"], row["entry_point"], f"{part}_input"
                if data_set(task) == "mbpp":
                    row[asked] = mbpp_deserialize_inputs(task, row[asked])
                oracle[part], oracle[f"{part}_time"] = trusted_exec(text, row[asked], name, record_time=True, output_not_none=not_none)
            EXPECTED[task] = oracle
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        with ProcessPoolExecutor(workers) as pool:
            passed = list(pool.map(verdict, [(number, task, text) for number, (task, text) in enumerate(given)]))
        print(json.dumps({"seconds": time.perf_counter() - started, "passed": passed}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
