"""What runs in the jail: BFCL's simulators, begun anew and taken through all calls so far.

A program of the sandbox, given to it as text: it imports the standard library and the simulators, and nothing of this project. Everything is made
within one call of `replay` and gone after it. Peculiarities of the figures that BFCL prints are kept: an object is told in JSON, anything else that
is no text by `str`, an error by its words behind "Error during execution: ".
"""

from __future__ import annotations

import copy
import importlib
import json
from typing import Any

HOME = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
FILES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
STATELESS = ("MathAPI",)

Calls = list[list[Any]]  # each a name and its arguments


def replay(world: dict[str, Any], turns: list[list[Calls]], truth: list[Calls] | None) -> dict[str, Any]:
    """`turns`: of each turn so far its steps, and their calls. `results`: of each step, what its calls gave. `wrong`: where there is a truth, why a
    turn's end is not as the truth's, None where all are."""
    mine = _begun(world)
    told = [[[_called(mine, world["methods"], name, arguments) for name, arguments in step] for step in turn] for turn in turns]
    return {"results": told, "wrong": None if truth is None else _wrong(world, turns, truth)}


def _wrong(world: dict[str, Any], turns: list[list[Calls]], truth: list[Calls]) -> str | None:
    """Both worlds side by side. A turn in which nothing had to be called is not looked at, nor are calls too many that left no trace."""
    if len(turns) != len(truth):
        return f"ended in turn {len(turns)} of {len(truth)}"
    mine, theirs, results = _begun(world), _begun(world), []
    for at, (turn, right) in enumerate(zip(turns, truth, strict=True)):
        results += [_called(mine, world["methods"], name, arguments) for step in turn for name, arguments in step]
        expected = [_called(theirs, world["methods"], name, arguments) for name, arguments in right]
        if not right:
            continue
        if not any(turn):
            return f"turn {at}: nothing is called"
        other = next((name for name in world["classes"] if not _same(mine[name], theirs[name])), None)
        if other is not None:
            return f"turn {at}: {other} is not in the right state"
        left = list(results)  # of all turns so far: what was found out before need not be asked again
        for result in expected:
            if result not in left:
                return f"turn {at}: no call gave {result[:200]}"
            left.remove(result)
    return None


def _begun(world: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name in world["classes"]:
        made = getattr(importlib.import_module(f"{HOME}.{FILES[name]}"), name)()
        if name not in STATELESS:
            made._load_scenario(copy.deepcopy(world["config"].get(name, {})), long_context=world["long"])
        found[name] = made
    return found


def _called(instances: dict[str, Any], methods: dict[str, str], name: str, arguments: dict[str, Any]) -> str:
    try:
        if name not in methods:  # whatever else the object can do is not offered
            raise NameError(f"name {name!r} is not defined")
        result = getattr(instances[methods[name]], name)(**copy.deepcopy(arguments))
        if isinstance(result, dict):
            try:
                return json.dumps(result)
            except (TypeError, ValueError):
                return str(result)
        return str(result)
    except Exception as problem:
        return f"Error during execution: {problem}"


def _same(mine: Any, theirs: Any) -> bool:
    return all(getattr(mine, name) == value for name, value in vars(theirs).items() if not name.startswith("_"))
