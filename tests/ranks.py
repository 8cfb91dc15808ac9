"""Ranks of a process group without Ray: the test's own file, run as a script once a rank."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_ranks(script: str, world: int, *arguments: str, patience: float = 240) -> None:
    """Run `script RANK ARGUMENTS...` for every rank at once, to the end of all; what they said where one failed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    commands = [[sys.executable, script, str(rank), *arguments] for rank in range(world)]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        said = [process.communicate(timeout=patience)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * world, "\n".join(said)[-6000:]
