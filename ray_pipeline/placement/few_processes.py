"""An embedded Ray without the processes that nobody asks anything of.

`ray.init` starts three Python processes beside the ones that do its work, and waits for one of them: an autoscaler's monitor, though one machine
cannot grow; the dashboard's server, in part also where no dashboard is wanted; and what carries the workers' stderr to the driver, also where
the driver does not listen. That is two to three seconds at every start of a job. No argument of Ray's leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private.node import Node


@contextmanager
def few_processes(hear_workers: bool) -> Iterator[None]:
    """Around the start of an embedded Ray. `hear_workers`: what they write on stderr is carried to this process."""
    unused = ["start_monitor", "start_api_server", *([] if hear_workers else ["start_log_monitor"])]
    before = {name: getattr(Node, name) for name in unused}
    for name in unused:
        setattr(Node, name, _left_out)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _left_out(node: Node, **settings: Any) -> None: ...
