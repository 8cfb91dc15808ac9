"""The live line of a training run, logged at most every so many seconds and at the end:

    step 120 of 1,000 (12%)  epoch 0.96  loss 1.2345  lr 1.00e-04  5,321 tokens/s  3.2 GB  ETA 1:03:20

The loss is the mean and the speed the rate since the line before, so that a change shows at once; the time left comes from
the whole of this start, evaluations and checkpoints included, and from its steps only: those of an earlier start that a
resumed run has behind it took no time here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ray_pipeline.progress import duration

logger = logging.getLogger(__name__)


@dataclass
class Console:
    """Collects steps into lines."""

    total_steps: int
    every: float = 10.0
    write: Callable[[str], None] = logger.info
    already: int = 0  # steps that an earlier start did
    started: float = field(default_factory=time.monotonic)
    logged: float = field(default_factory=time.monotonic)
    losses: list[float] = field(default_factory=list)
    tokens: int = 0

    def step(self, step: int, epoch: float, loss: float, lr: float, tokens: int, memory: int) -> None:
        """`step` updates are done; the last took `tokens` tokens, and this process now holds `memory` bytes."""
        self.losses.append(loss)
        self.tokens += tokens
        now = time.monotonic()
        if now - self.logged >= self.every or step >= self.total_steps:
            self.write(self.line(step, epoch, lr, memory, now))
            self.logged, self.losses, self.tokens = now, [], 0

    def line(self, step: int, epoch: float, lr: float, memory: int, now: float) -> str:
        share = 100 * step / max(self.total_steps, 1)
        loss = sum(self.losses) / max(len(self.losses), 1)
        speed = self.tokens / max(now - self.logged, 1e-9)
        elapsed = now - self.started
        left = max(self.total_steps - step, 0) * elapsed / max(step - self.already, 1)
        ending = f"ETA {duration(left)}" if left else f"took {duration(elapsed)}"
        return (
            f"step {step:,} of {self.total_steps:,} ({share:.0f}%)  epoch {epoch:.2f}  loss {loss:.4f}  lr {lr:.2e}  "
            f"{speed:,.0f} tokens/s  {memory / 1e9:.1f} GB  {ending}"
        )
