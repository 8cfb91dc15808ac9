"""Run independent pieces of tensor work on the process's threads, one piece a thread.

torch splits every single operation over its threads and waits for all of them at its end. A chain of many short
operations then stalls at each of them whenever another process holds one of the cores: on a busy machine searching ran
ten times slower. Here a thread takes a whole piece and runs its operations alone, so nobody waits before the last piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")


def threads(device: torch.device) -> int:
    """Pieces that run at once: torch's threads on a CPU, one stream of work on an accelerator."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def each(work: Callable[[Piece], None], pieces: Iterable[Piece], count: int) -> None:
    """`work` on every piece, `count` of them at a time; the first error is raised. Pieces must not write to the same place."""
    if count == 1:
        for piece in pieces:
            work(piece)
        return
    own = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in pool.map(work, pieces):
                pass
    finally:
        torch.set_num_threads(own)  # the setting is a thread's own, but it is also what threads born later start with
