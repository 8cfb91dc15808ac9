"""Giving back what a training had reserved when the process that ran it is ended from outside.

Ray Train's controller reserves a placement group for its workers. The group outlives a controller that is killed (Ray frees it
when the whole job ends), so Train starts a detached cleaner beside each controller. Trap: that cleaner asks the dashboard
whether its controller is alive, and an embedded Ray has none. It then waits for ever: a CPU is lost, and a process stays, with
every trial that a scheduler stops. The one here asks Ray's control store, which is always there.

It stands in a file of its own, without Ray Train and torch, so that its process starts in a fraction of a second.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import ray
from ray._private.state import actors
from ray.util.placement_group import remove_placement_group

_LOOK_EVERY: Final = 0.5  # seconds


class Cleaner:
    """Waits for the end of a controller, and then frees its placement groups."""

    def __init__(self, controller: str) -> None:
        self.controller = controller
        self.groups: list[Any] = []

    async def register_placement_group(self, group: Any) -> None:
        self.groups.append(group)

    async def start_monitoring(self) -> None:
        while _alive(self.controller):
            await asyncio.sleep(_LOOK_EVERY)
        for group in self.groups:
            remove_placement_group(group)
        ray.actor.exit_actor()

    async def stop(self) -> None:
        """The controller came to its own end, and freed them itself."""
        ray.actor.exit_actor()


def _alive(actor: str) -> bool:
    state: str = actors(actor).get("State", "DEAD")  # of one long dead it knows nothing
    return state != "DEAD"
