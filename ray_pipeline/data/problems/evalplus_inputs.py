"""The inputs of MBPP+ as its functions want them.

JSON has lists only, and the functions of some tasks want tuples, sets or complex numbers. Which ones is written nowhere in the file: evalplus
knows it by the numbers of the tasks (`evalplus/data/mbpp.py`, version 0.3.1), and so does this file. Text is iterable too, so a text where a
tuple is wanted becomes a tuple of its characters; the benchmark's answers are made from such inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ray_pipeline.data.problems.problem import Arguments

Shape: TypeAlias = Callable[[Sequence[Any]], Arguments]


def _as_they_are(given: Sequence[Any]) -> Arguments:
    return tuple(given)


def _tuples(given: Sequence[Any]) -> Arguments:
    return tuple(map(tuple, given))


def _lists_of_tuples(given: Sequence[Any]) -> Arguments:
    return tuple([tuple(inner) for inner in one] for one in given)


def _tuples_of_tuples(given: Sequence[Any]) -> Arguments:
    return tuple(tuple(tuple(inner) for inner in one) for one in given)


def _list_of_tuples_and_one(given: Sequence[Any]) -> Arguments:
    return [tuple(inner) for inner in given[0]], given[1]


def _tuple_and_one(given: Sequence[Any]) -> Arguments:
    return tuple(given[0]), given[1]


def _one_and_tuple(given: Sequence[Any]) -> Arguments:
    return given[0], tuple(given[1])


def _tuple_and_two(given: Sequence[Any]) -> Arguments:
    return tuple(given[0]), given[1], given[2]


def _list_of_sets(given: Sequence[Any]) -> Arguments:
    """What is empty, or no list, becomes an empty dictionary: evalplus writes `{}`, and means a set."""
    return ([set(inner) if isinstance(inner, list) and inner else {} for inner in given[0]],)


def _tuple_with_tuples(given: Sequence[Any]) -> Arguments:
    return (tuple(tuple(inner) if isinstance(inner, list) else inner for inner in given[0]),)


def _table_of_tuples(given: Sequence[Any]) -> Arguments:
    return {key: tuple(value) for key, value in given[0].items()}, *given[1:]


def _real_and_complex(given: Sequence[Any]) -> Arguments:
    return float(given[0]), complex(given[1])


def _complex(given: Sequence[Any]) -> Arguments:
    return (complex(given[0]),)


def _tuples_all_the_way(given: Sequence[Any]) -> Arguments:
    return tuple(_tuples_all_the_way(one) if isinstance(one, list) else one for one in given)


_TASKS: Final[Mapping[Shape, tuple[int, ...]]] = {
    _tuples: (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    _lists_of_tuples: (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _tuples_of_tuples: (259, 401, 445),
    _list_of_tuples_and_one: (75, 413, 444, 753),
    _tuple_and_one: (250, 405, 446, 617, 720, 763, 808),
    _one_and_tuple: (106, 750),
    _tuple_and_two: (307,),
    _list_of_sets: (115,),
    _tuple_with_tuples: (278,),
    _table_of_tuples: (722,),
    _real_and_complex: (124,),
    _complex: (252,),
    _tuples_all_the_way: (580, 615, 791),
}
_SHAPES: Final[Mapping[int, Shape]] = {number: shape for shape, numbers in _TASKS.items() for number in numbers}


def mbpp_arguments(task: int, given: Sequence[Any]) -> Arguments:
    """One call's arguments as task number `task` wants them. Raises what Python raises where they have another shape."""
    return _SHAPES.get(task, _as_they_are)(given)
