"""Clients that ask without pause, and the processes that answer them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.processes import title
from tests.serve.conftest import Served


class Load:
    """Clients that ask without pause until the block ends; `answers` holds what each got."""

    def __init__(self, served: Served, clients: int, path: str, body: dict[str, Any]) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.failures: list[Exception] = []
        self._served, self._path, self._body = served, path, body
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self) -> None:
        with self._served.client() as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(self._path, json=self._body)
                    self.answers.append((answer.status_code, answer.json()))
                except Exception as problem:  # every one is looked at by the test
                    self.failures.append(problem)

    def until(self, happened: Callable[[], bool], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def replicas(part: str) -> list[int]:
    """The processes of a part of the service."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if f"ServeReplica:service:{part}" in title(int(path.name))]
