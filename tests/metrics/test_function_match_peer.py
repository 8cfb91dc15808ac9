"""Our checker against BFCL's own, over its ground truth and seeded mistakes in all categories.

The peer's module imports a client of every vendor and parsers of Java, none of which its Python part uses: stand-ins take their place while it
is imported, and only then.
"""

from __future__ import annotations

import importlib
import random
import sys
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest

from ray_pipeline.data.bfcl.categories import CATEGORIES, MULTI_TURN, WITHOUT_ANSWERS
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.metrics.function_match import why_wrong
from ray_pipeline.metrics.tool_calls import Call

ASKED = [one for one in CATEGORIES if one not in MULTI_TURN and one not in WITHOUT_ANSWERS]
MUTANTS = 6  # of each entry
Calls = list[dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def peer() -> Iterator[Callable[..., dict[str, Any]]]:
    vendor = types.SimpleNamespace(underscore_to_dot=False)
    converters = "bfcl_eval.eval_checker.ast_eval.type_convertor"
    stand_ins = {
        "bfcl_eval.constants.model_config": {"MODEL_CONFIG_MAPPING": defaultdict(lambda: vendor)},
        f"{converters}.java_type_converter": {"java_type_converter": None},
        f"{converters}.js_type_converter": {"js_type_converter": None},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, values in stand_ins.items():
            module = types.ModuleType(name)
            module.__dict__.update(values)
            patch.setitem(sys.modules, name, module)
        found = importlib.import_module("bfcl_eval.eval_checker.ast_eval.ast_checker")
        python = importlib.import_module("bfcl_eval.constants.enums").Language.PYTHON

        def check(functions: Any, calls: Calls, possible: Any, category: str) -> dict[str, Any]:
            verdict: dict[str, Any] = found.ast_checker(functions, calls, possible, python, category, "anyone")
            return verdict

        yield check
    sys.modules.pop("bfcl_eval.eval_checker.ast_eval.ast_checker", None)


def first(values: Sequence[Any]) -> Any:
    return next((one for one in values if one != ""), "")


def members(right: Any) -> Any:
    """An object as a model would write it: an answer's object holds a list of right values for each member."""
    return {key: first(values) for key, values in right.items() if "" not in values} if isinstance(right, dict) else right


def first_right(values: Sequence[Any]) -> Any:
    value = first(values)
    return [members(one) for one in value] if isinstance(value, list) else members(value)


def right_calls(possible: Any) -> Calls:
    given = [(name, arguments) for one in possible for name, arguments in one.items()]
    return [{name: {key: first_right(values) for key, values in arguments.items() if any(one != "" for one in values)}} for name, arguments in given]


def other_value(value: Any, drawn: random.Random) -> Any:
    """Something near: of another type, spelt otherwise, shorter, wrapped, or wrong."""
    ways: list[Any] = [None, "", True, 1, 1.0, [], {}, [value], {"a": value}, str(value)]
    if isinstance(value, str):
        ways += [value.upper(), value.replace(" ", ""), f"{value}.", value.replace("'", '"'), f"{value} more", value[:-1]] * 2
    if isinstance(value, bool):
        ways += [not value, int(value)] * 3
    elif isinstance(value, int | float):
        ways += [float(value), int(value), value + 1, -value] * 2
    if isinstance(value, list):
        ways += [value[::-1], value[:-1], [*value, *value[:1]], [other_value(one, drawn) for one in value]] * 2
        ways += [[float(one) if type(one) is int else one for one in value]] * 2
    if isinstance(value, dict):
        ways += [{key: other_value(one, drawn) for key, one in value.items()}, dict(list(value.items())[1:]), {**value, "more": 1}] * 3
    return deepcopy(drawn.choice(ways))


def mutant(calls: Calls, functions: Any, possible: Any, drawn: random.Random) -> Calls:
    calls = deepcopy(calls)
    kind = drawn.choice(["value", "value", "value", "accepted", "accepted", "drop", "add", "name", "fewer", "more", "order"])
    at = drawn.randrange(len(calls))
    ((name, arguments),) = calls[at].items()
    if kind == "fewer":
        del calls[at]
    elif kind == "more":
        calls.append(deepcopy(calls[at]))
    elif kind == "order":
        drawn.shuffle(calls)
    elif kind == "name":
        calls[at] = {drawn.choice([one["name"] for one in functions] + [f"{name}x"]): arguments}
    elif kind == "add":
        others = [key for one in functions if one["name"] == name for key in one["parameters"]["properties"]]
        arguments[drawn.choice([*others, "never_heard_of"])] = drawn.choice(["", 0, True, "x", 1.5])
    elif arguments:
        key = drawn.choice(list(arguments))
        if kind == "drop":
            del arguments[key]
        elif kind == "accepted":
            ((_, answer),) = possible[at].items()
            arguments[key] = deepcopy(drawn.choice(answer[key]))
        else:
            arguments[key] = other_value(arguments[key], drawn)
    return calls


@pytest.mark.parametrize("category", ASKED)
def test_verdicts_are_those_of_bfcl(category: str, peer: Callable[..., dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for number, task in enumerate(bfcl_tasks(category)):  # type: ignore[arg-type]
        drawn = random.Random(f"{category}{number}")
        functions, possible = task.facts["functions"], task.facts["possible"]
        truth = right_calls(possible)
        for calls in [truth, *(mutant(truth, functions, possible, drawn) for _ in range(MUTANTS))]:
            ours = why_wrong([Call(name, arguments) for one in calls for name, arguments in one.items()], functions, possible)
            try:
                theirs = peer(functions, calls, possible, category)
            except (AttributeError, TypeError, KeyError, IndexError):  # it breaks where an object is no object; that is no right answer
                seen["broke"] += 1
                assert ours is not None
                continue
            assert (ours is None) == theirs["valid"], (task.task_id, calls, possible, ours, theirs)
            seen["right" if ours is None else "wrong"] += 1
    print(category, dict(seen))
    assert seen["right"] > 0
    assert seen["wrong"] > 0
