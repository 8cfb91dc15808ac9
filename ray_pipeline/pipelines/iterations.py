"""A loop of steps written once: what iteration 0 does, what each later one does, and how often.

    iterations:
      count: 2
      first: {mine: ..., train: ..., reranker: ...}     becomes iter0_mine, iter0_train, iter0_reranker
      each: {mine: {model: previous.train}, ...}        becomes iter1_mine, which reads iter0_train; iter2_mine, which reads iter1_train
    steps: {after: {model: last.train, ...}}            comes behind all iterations

Inside an iteration a name means the step of the same iteration where there is one; `previous.<name>` that of the one before, and
`last.<name>`, behind the iterations, that of the last one. What comes out are plain steps: all that holds for steps holds for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ray_pipeline.errors import SettingsError

_PREVIOUS: Final = "previous."
_LAST: Final = "last."
_NAMES: Final = (
    *("model", "groups", "pseudo", "against", "begins_with", "reranker", "rerankers", "evaluations", "policy"),
    *("solutions", "verdicts", "timings", "outcomes", "pairs", "baseline"),
)
"""Fields of steps that name steps."""


def with_iterations(values: Mapping[str, Any]) -> dict[str, Any]:
    """Pipeline settings whose `iterations` have become steps; without any they stay as they are."""
    given = dict(values)
    loop = given.pop("iterations", None)
    if loop is None:
        return given
    count, first, each = _parts(loop)
    steps: dict[str, Any] = {}
    for number in range(count):
        block = first if number == 0 else each
        for name, step in block.items():
            steps[_name(number, name)] = _renamed(step, number, block, first if number == 1 else each)
    for name, step in (given.get("steps") or {}).items():
        if name in steps:
            raise SettingsError(f"steps.{name}: an iteration has a step of this name; give it another")
        steps[name] = _behind(step, count, first if count == 1 else each)
    return {**given, "steps": steps}


def _parts(loop: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
    known = {"count", "first", "each"}
    if not isinstance(loop, Mapping) or set(loop) - known or "first" not in loop:
        raise SettingsError("iterations: takes count, first (the steps of iteration 0) and each (those of every later one)")
    count = loop.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SettingsError(f"iterations.count={count!r}: how many there are, 1 or more")
    if count > 1 and not loop.get("each"):
        raise SettingsError(f"iterations.count={count}, but iterations.each says nothing about what a later one does")
    return count, dict(loop["first"] or {}), dict(loop.get("each") or {})


def _name(number: int, step: str) -> str:
    return f"iter{number}_{step}"


def _renamed(step: Any, number: int, own: Mapping[str, Any], before: Mapping[str, Any]) -> Any:
    def one(name: Any) -> Any:
        if isinstance(name, str) and name.startswith(_PREVIOUS):
            if number == 0:
                raise SettingsError(f"iterations.first: {name!r}: nothing comes before the first iteration")
            return _of(number - 1, name.removeprefix(_PREVIOUS), before, f"iteration {number - 1}")
        return _name(number, name) if name in own else name

    return _with_names(step, one)


def _behind(step: Any, count: int, last: Mapping[str, Any]) -> Any:
    def one(name: Any) -> Any:
        if isinstance(name, str) and name.startswith(_LAST):
            return _of(count - 1, name.removeprefix(_LAST), last, "the last iteration")
        return name

    return _with_names(step, one)


def _of(number: int, name: str, steps: Mapping[str, Any], where: str) -> str:
    if name not in steps:
        raise SettingsError(f"iterations: {where} has no step {name!r}; it has {', '.join(steps) or 'none'}")
    return _name(number, name)


def _with_names(step: Any, change: Any) -> Any:
    if not isinstance(step, Mapping):
        return step  # the settings' own check will say what is wrong with it
    return {field: _changed(value, change) if field in _NAMES else value for field, value in step.items()}


def _changed(value: Any, change: Any) -> Any:
    """A name, or names; a section that is called as such a field elsewhere stays as it is."""
    if isinstance(value, list | tuple):
        return [change(one) for one in value]
    return change(value) if isinstance(value, str) else value
