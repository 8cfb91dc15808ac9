"""Ranks of a process group without Ray: the test's own file, run as a script once a rank."""

from __future__ import annotations

import os
import tempfile
import time

from tests.forks import ROOT, Forked

AHEAD = (
    "pytest",
    "torch.distributed.fsdp",
    "transformers.models.bert.modeling_bert",
    "transformers.models.qwen2.modeling_qwen2",
    "ray_pipeline.tasks.run",
)


def run_ranks(script: str, world: int, *arguments: str, patience: float = 240) -> None:
    """Run `script RANK ARGUMENTS...` for every rank at once, to the end of all; what they said where one failed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryFile("w+") as said:
        started = [Forked(script, [str(rank), *arguments], environment, said, said, AHEAD) for rank in range(world)]
        deadline = time.monotonic() + patience
        try:
            for process in started:
                process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for process in started:
                process.kill()
        said.seek(0)
        assert [process.returncode for process in started] == [0] * world, said.read()[-6000:]
