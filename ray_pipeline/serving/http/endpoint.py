"""An endpoint: a method, a path, who may call it, the words its errors are told in, and what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel

from ray_pipeline.serving.keys import Right
from ray_pipeline.serving.request_error import RequestError

Method = Literal["GET", "POST"]
WriteError = Callable[[RequestError], Any]
Lines = AsyncIterator[tuple[int, Any]]  # each line's number, from 1, and what it holds
LINES_TYPE: Final = "application/x-ndjson"


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status=status, headers=headers or {})


@dataclass(frozen=True)
class Endpoint:
    """One line of the service's table. `shape`: how a body is read; None where there is none."""

    method: Method
    path: str
    summary: str
    act: Callable[[Any], Awaitable[Answer]]  # given the body as plain values, or None
    write_error: WriteError
    right: Right | None = "read"  # None: anybody
    shape: type[BaseModel] | None = None
    lines: Callable[[Lines], Awaitable[Answer]] | None = None  # what it does with a stream of JSON lines, where it takes one
    result: Any = None  # an example of what comes back, for the documentation
    tag: str = "service"
