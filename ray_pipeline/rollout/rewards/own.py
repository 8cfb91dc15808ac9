"""A reward of the user's own: `file.py:function`, which takes a sample (a dictionary) and gives a number.

It runs in a process of its own (`rollout/own_program.py`). A sample that it does not answer in time, raises at or answers with no finite number is
marked as failed; the process is then started anew where it hangs or has gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from ray_pipeline.rollout.own_program import OwnProgram
from ray_pipeline.rollout.rewards.sample import Sample


class Failed(str):
    """Why a sample has no reward."""


class OwnReward:
    """The running function. `seconds`: what it may take for a sample."""

    def __init__(self, where: str, seconds: float) -> None:
        self._program = OwnProgram("reward", where, seconds)

    def __enter__(self) -> OwnReward:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __call__(self, samples: Sequence[Sample]) -> list[float | Failed]:
        return [self._asked(one) for one in samples]

    def close(self) -> None:
        """End the process."""
        self._program.close()

    def _asked(self, sample: Sample) -> float | Failed:
        try:
            answer = self._program.ask(sample.plain())
        except TimeoutError:
            self._program.restart()
            return Failed(f"no answer within {self._program.seconds:g} s")
        except (OSError, EOFError):
            self._program.restart()
            return Failed("its process ended")
        return float(answer["value"]) if "value" in answer else Failed(answer["failed"])
