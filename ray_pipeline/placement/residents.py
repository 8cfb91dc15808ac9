"""Objects that live in processes of their own, wherever there is room: made there, called from here, made anew where their process dies or hangs.

Each is called in a thread of its process, so it can be asked how it is while it works (`moved`: the time at which it last got on with something,
by its own clock). One that has not moved for too long, or does not even say so, is hung: its process is ended and another takes its place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from ray_pipeline.errors import TrainingError

logger = logging.getLogger(__name__)
_LOOK: Final = 2.0  # seconds between looks at those that work
_SAYS: Final = 20.0  # seconds that one may take to say how it is
_THREADS: Final = 4


class _Resident:
    """The actor. What it holds is made in its own process."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._held = make()

    def call(self, method: str, args: Sequence[Any]) -> Any:
        found = getattr(self._held, method)
        return found(*args) if callable(found) else found

    def still(self) -> float:
        """Seconds since it last moved."""
        return time.monotonic() - float(self._held.moved)


class Residents:
    """`needs`: of each (`num_cpus`, `num_gpus`); `hung`: seconds without a move; `restarts`: of all together, after which the next is an error;
    `settle`: asked to bring a new one to where the others are, before anything else is asked of it."""

    def __init__(
        self, make: Callable[[], Any], count: int, needs: Mapping[str, float], hung: float, restarts: int, settle: Callable[[int], None]
    ) -> None:
        self._make, self._needs, self._hung, self._restarts, self._settle = make, dict(needs), hung, restarts, settle
        self.restarted = 0
        self._actors = [self._started() for _ in range(count)]

    def __len__(self) -> int:
        return len(self._actors)

    def one(self, place: int, method: str, *args: Any) -> Any:
        """Call one of them and wait; an error where it dies over it."""
        return ray.get(self._actors[place].call.remote(method, args))

    def tell(self, method: str, *args: Any) -> None:
        """Call all of them and wait for none."""
        for actor in self._actors:
            actor.call.remote(method, args)

    def all(self, method: str, args: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Call those, each with its own arguments, at once; whoever dies or hangs over it is replaced, and the new one is called again."""
        found: dict[int, Any] = {}
        waiting = {self._actors[place].call.remote(method, given): place for place, given in args.items()}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK)
            for ref in ready:
                place = waiting.pop(ref)
                try:
                    found[place] = ray.get(ref)
                except RayActorError as problem:
                    self._replace(place, f"its process ended ({_short(problem)})")
                    waiting[self._actors[place].call.remote(method, args[place])] = place
            if not ready:
                for ref, place in [(ref, place) for ref, place in waiting.items() if self._hangs(place)]:
                    del waiting[ref]
                    self._replace(place, f"it has not moved for more than {self._hung:g} s")
                    waiting[self._actors[place].call.remote(method, args[place])] = place
        return found

    def close(self) -> None:
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _started(self) -> Any:
        actor = ray.remote(_Resident).options(**self._needs, max_concurrency=_THREADS, max_restarts=0).remote(self._make)
        ray.get(actor.__ray_ready__.remote())
        return actor

    def _hangs(self, place: int) -> bool:
        try:
            return float(ray.get(self._actors[place].still.remote(), timeout=_SAYS)) > self._hung
        except GetTimeoutError:
            return True
        except RayActorError:
            return False  # it died, which whoever waits for it is about to hear

    def _replace(self, place: int, why: str) -> None:
        self.restarted += 1
        if self.restarted > self._restarts:
            raise TrainingError(f"engine {place}: {why}; {self._restarts} were replaced before, and no more are (engines.restarts)")
        logger.warning("engine %d: %s; another takes its place (%d of %d)", place, why, self.restarted, self._restarts)
        ray.kill(self._actors[place])
        self._actors[place] = self._started()
        self._settle(place)


def _short(problem: Exception) -> str:
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)[:160]
