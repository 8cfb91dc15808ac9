"""Whether calls are among the answers that BFCL takes for right: a pure function of calls, functions and answers.

An answer names a function and, for each argument, the values that are right; "" among them says that it may be left out. A value is first of the
type that the function's description names, then one of those values. The rules are BFCL's, so that figures compare with its own, also where
they are lax:

* text is compared without case and without spaces and `,./-_*^`, and ' is ";
* an integer will do for a float, though not within a list;
* a value may have the type of the first right value in place of the described one (a variable's name in place of a value);
* within a list only one level of types is looked at, within an object none;
* parallel calls may come in any order; each answer takes the first call that fits, and does not give it back to a later one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.tool_calls import Call

_TYPES: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_DROPPED: Final = re.compile(r"[ ,./\-_*^]")
OPTIONAL: Final = ""

Function = Mapping[str, Any]  # `name` and `parameters`, as BFCL describes it
Answer = Mapping[str, Mapping[str, Sequence[Any]]]  # {function: {argument: values that are right}}


def why_wrong(found: Sequence[Call], functions: Sequence[Function], answers: Sequence[Answer]) -> str | None:
    """None where the calls are right; else the first thing that is wrong, in words."""
    if len(found) != len(answers):
        return f"{len(found)} calls in place of {len(answers)}"
    described = {one["name"]: one for one in functions}
    left = list(found)
    for answer in answers:
        ((name, arguments),) = answer.items()
        if name not in described:
            raise DataError(f"the answer calls {name!r}, which is none of the functions {', '.join(described)}")
        problems = [_why_wrong_call(call, described[name], arguments) for call in left]
        if None not in problems:
            return problems[0] if len(answers) == 1 else f"no call fits the answer {name}: {'; '.join(map(str, problems))}"
        del left[problems.index(None)]
    return None


def _why_wrong_call(call: Call, function: Function, answer: Mapping[str, Sequence[Any]]) -> str | None:
    if call.name != function["name"]:
        return f"{call.name} is called in place of {function['name']}"
    described = function["parameters"]["properties"]
    missing = next((name for name in function["parameters"].get("required", ()) if name not in call.arguments), None)
    if missing is not None:
        return f"{missing} is required and missing"
    for name, value in call.arguments.items():
        if name not in described or name not in answer:
            return f"{name} is no argument here"
        problem = _why_wrong_value(value, described[name], answer[name])
        if problem is not None:
            return f"{name}: {problem}"
    missing = next((name for name, values in answer.items() if name not in call.arguments and OPTIONAL not in values), None)
    return None if missing is None else f"{missing} is missing, and has to be given"


def _why_wrong_value(value: Any, described: Mapping[str, Any], right: Sequence[Any]) -> str | None:
    kind, inner = _type(described), _type(described["items"]) if described["type"] in ("array", "tuple") else None
    if described["type"] == "float" and type(value) is int:
        value = float(value)
    first = _type_of_first(right)
    if type(value) is kind and inner is not None and not any(_items_fit(value, one, inner) for one in right):
        return f"{value!r} has items that are no {inner.__name__}"
    if type(value) is not kind and type(value) is not first:
        return f"{value!r} is no {described['type']}"
    if type(value) is not kind or (first is not None and first is not kind):  # a variable's name in place of a value
        fits = value in right
    elif kind is dict:
        fits = any(_object_fits(value, one) for one in right)
    elif inner is dict:
        fits = any(_objects_fit(value, one) for one in right)
    elif kind is str:
        fits = _standard(value) in [_standard(one) for one in right if type(one) is str]
    elif kind is list:
        fits = _standard_list(value) in [_standard_list(one) for one in right if type(one) is list or one == OPTIONAL]
    else:
        fits = value in right
    return None if fits else f"{value!r} is none of {list(right)!r}"


def _type(described: Mapping[str, Any]) -> type:
    if described.get("type") not in _TYPES:
        raise DataError(f"type {described.get('type')!r} of a parameter is none of {', '.join(_TYPES)}")
    return _TYPES[described["type"]]


def _type_of_first(right: Sequence[Any]) -> type | None:
    """Of the first value that is one; None where there is only "may be left out"."""
    return next((type(one) for one in right if one != OPTIONAL), None)


def _items_fit(value: Any, right: Any, inner: type) -> bool:
    """Whether the types of a list's items are those described, or that of the right list's first."""
    return type(right) is not list or all(type(one) is inner or type(one) is _type_of_first(right) for one in value)


def _object_fits(value: Any, right: Any) -> bool:
    """`right`: an object whose members are lists of values that are right."""
    if type(value) is not dict or type(right) is not dict:
        return False
    if any(key not in right or _standard(one) not in [_standard(other) for other in right[key]] for key, one in value.items()):
        return False
    return all(key in value or OPTIONAL in values for key, values in right.items())


def _objects_fit(value: Any, right: Any) -> bool:
    return len(value) == len(right) and all(map(_object_fits, value, right))


def _standard(value: Any) -> Any:
    """Text as it is compared; anything else as it is."""
    return _DROPPED.sub("", value).lower().replace("'", '"') if type(value) is str else value


def _standard_list(value: Any) -> list[Any]:
    return [_standard(one) for one in value]
