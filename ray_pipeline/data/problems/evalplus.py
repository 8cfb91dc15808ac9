"""HumanEval+ and MBPP+: a line {task_id, prompt, entry_point, canonical_solution, base_input, plus_input, atol}, and tests where there are any.

The id says which of the two a line is of: `HumanEval/32`, `Mbpp/124`. An input is the list of one call's arguments; expected answers stand
nowhere: the canonical program, prompt and solution together, is asked for them. `contract` (assertions that an input must pass) serves who
makes more inputs and is not read.

Traps. How answers are compared is written nowhere either: evalplus knows some functions of MBPP by their names
(`evalplus/eval/__init__.py`, version 0.3.1), and those names are below. `test` (HumanEval+) and `assertion` (MBPP+) hold the base benchmark's
calls only, compared more strictly, and HumanEval+ Mini has none. Where there are no
further inputs (MBPP 793), `plus_input` is `{}`. evalplus finds every solution of HumanEval/32 wrong, the canonical one too.

Source: https://github.com/evalplus/humanevalplus_release, https://github.com/evalplus/mbppplus_release
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ray_pipeline.data.problems.evalplus_inputs import mbpp_arguments
from ray_pipeline.data.problems.problem import Arguments, Comparison, Kind, Problem
from ray_pipeline.data.problems.problem_lines import each_once, function_name
from ray_pipeline.data.row import Row, kind_of

_HUMANEVAL_KINDS: Final[Mapping[str, Kind]] = {"find_zero": "root"}
_MBPP_KINDS: Final[Mapping[str, Kind]] = {
    "are_equivalent": "anything",
    "sum_div": "or_zero",
    "surface_Area": "pyramid_surface",
    "digit_distance_nums": "digit_distance",
    "check_str": "not_none",
    "text_match_three": "not_none",
    "text_starta_endb": "not_none",
    "similar_elements": "set",
    "find_char_long": "set",
    "common_in_nested_lists": "set",
    "extract_singly": "set",
    "larg_nnum": "set",
    "intersection_array": "set",
    "find_dissimilar": "set",
    "Diff": "set",
}


def read_evalplus(path: str) -> list[Problem]:
    return each_once(path, _problem)


def _problem(row: Row) -> Problem:
    task_id, prompt, entry_point = row.text("task_id"), row.text("prompt"), function_name(row)
    benchmark, _, number = task_id.rpartition("/")
    if benchmark not in ("HumanEval", "Mbpp") or not (number.isascii() and number.isdigit()):
        raise row.error(f"task_id {task_id!r} is of neither benchmark", "write HumanEval/<number> or Mbpp/<number>")
    of_mbpp = benchmark == "Mbpp"
    base, plus = (_calls(row, key, int(number) if of_mbpp else None) for key in ("base_input", "plus_input"))
    return Problem(
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        canonical=prompt + row.text("canonical_solution"),
        calls=base + plus,
        base_calls=len(base),
        expected=None,
        tests=row.optional_text("assertion" if of_mbpp else "test"),
        comparison=Comparison((_MBPP_KINDS if of_mbpp else _HUMANEVAL_KINDS).get(entry_point, "equal"), _tolerance(row)),
    )


def _calls(row: Row, key: str, task: int | None) -> tuple[Arguments, ...]:
    """The calls under `key`; `task` is the number of a task of MBPP."""
    row.require(key)
    inputs = row.fields[key]
    if inputs == {}:
        return ()
    if not isinstance(inputs, list):
        raise row.error(f"field {key!r} is {kind_of(inputs)}, not a list of calls")
    return tuple(_call(row, f"{key}[{at}]", given, task) for at, given in enumerate(inputs))


def _call(row: Row, place: str, given: Any, task: int | None) -> Arguments:
    if not isinstance(given, list):
        raise row.error(f"{place} is {kind_of(given)}, not the list of a call's arguments")
    if task is None:
        return tuple(given)
    try:
        return mbpp_arguments(task, given)
    except (TypeError, ValueError, IndexError, AttributeError) as problem:
        raise row.error(f"{place} has another shape than task {task} of MBPP+: {problem}", "take the published file") from problem


def _tolerance(row: Row) -> float:
    row.require("atol")
    value = row.fields["atol"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise row.error(f"field 'atol' is {kind_of(value)}, not a number of 0 or more")
    return float(value)
