"""What Ray Train and Ray Tune read from the process they are called in: its environment, and how much their loggers may say."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(wanted: Mapping[str, str], *, theirs_stay: bool) -> Iterator[None]:
    """For the time of a run; `theirs_stay`: where the user has set one of them, it keeps their value."""
    ours = {name: value for name, value in wanted.items() if not (theirs_stay and name in os.environ)}
    before = {name: os.environ[name] for name in ours if name in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def quiet(*names: str, level: int = logging.ERROR) -> Iterator[None]:
    """These loggers keep their own account of a run to themselves, but for what is as grave as `level`."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.setLevel(was)
