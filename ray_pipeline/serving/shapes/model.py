"""How requests are read: types as they are written, no guessing between text and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ray_pipeline.serving.request_error import RequestError


class OurRequest(BaseModel):
    """A request of our own routes: an unknown name is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class TheirRequest(BaseModel):
    """A request that another service's clients send: names that mean nothing here are ignored, nulls are defaults."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


R = TypeVar("R", bound=BaseModel)


def read(shape: type[R], body: Any) -> R:
    """`body` in this shape, or a refusal that names its first fault."""
    if not isinstance(body, dict):
        raise RequestError("invalid_request", f"a JSON object is needed, not {_named(body)}")
    if issubclass(shape, TheirRequest):
        body = {name: value for name, value in body.items() if value is not None}
    try:
        return shape.model_validate(body)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not _is_choice(part))
        raise RequestError("invalid_request", f"{where or 'the body'}: {_said(first)}", where or None) from None


def _is_choice(part: object) -> bool:
    """pydantic names the alternative of a union that it tried."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "constrained-str"))


def _said(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting here"
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should", "should")


def _named(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)


def given_texts(texts: Sequence[str], where: str) -> Sequence[str]:
    """Refuses an empty list, and a text without a character."""
    if not texts:
        raise RequestError("empty_input", f"{where}: nothing was given", where)
    empty = next((row for row, text in enumerate(texts) if not text), None)
    if empty is not None:
        raise RequestError("empty_input", f"{where}.{empty}: the text is empty", f"{where}.{empty}")
    return texts
