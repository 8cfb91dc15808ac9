"""A problem: what a model is asked, which function is then called with what, and how its answers are judged.

Values are plain Python: None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict. Lists and tuples stay apart, because
the benchmarks hold them apart.

Traps of who runs the calls.
* evalplus runs the base calls in one process and the others in another: a program is executed anew in between, and within each of the two
  it keeps what it remembers from call to call.
* Calls share no values, so a function may change its arguments in place; but a call that is run twice has to get them anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Arguments: TypeAlias = tuple[Any, ...]
Kind: TypeAlias = Literal["equal", "set", "not_none", "anything", "or_zero", "pyramid_surface", "digit_distance", "root"]


@dataclass(frozen=True)
class Comparison:
    """How an answer is held against the expected one; `ray_pipeline/metrics/code_answers.py` says what each kind is.

    equal            they are equal, or close where floats are expected
    set              the same elements, in any order and number
    not_none         both are something, or both are None (a match of a regular expression is no plain value)
    anything         whatever is answered is right
    or_zero          equal, or 0
    pyramid_surface  equal, or the surface of the square pyramid that the arguments give
    digit_distance   equal, or the sum of the differences of the arguments' digits
    root             a root of the polynomial that the arguments give; the expected answer does not matter
    """

    kind: Kind = "equal"
    atol: float = 0.0  # what floats may differ by; 0: 1e-6 from the first float on that is expected


@dataclass(frozen=True)
class Problem:
    """One problem. What a format does not have is None, or empty."""

    task_id: str
    prompt: str  # what a model continues, or is asked
    entry_point: str  # the function that is called
    canonical: str | None  # a whole program that solves it
    calls: tuple[Arguments, ...]  # the base benchmark's first
    base_calls: int  # how many of them are the base benchmark's
    expected: tuple[Any, ...] | None  # an answer a call where the file states them; else the canonical program is asked
    tests: str | None  # a program that defines check(candidate), or assertions
    comparison: Comparison = field(default_factory=Comparison)
    stressed: tuple[Arguments, ...] = ()  # calls that are large, to take the time of

    def __post_init__(self) -> None:
        if not 0 <= self.base_calls <= len(self.calls):
            raise ValueError(f"{self.task_id}: base_calls={self.base_calls} of {len(self.calls)} calls")
        if self.expected is not None and len(self.expected) != len(self.calls):
            raise ValueError(f"{self.task_id}: {len(self.expected)} expected answers to {len(self.calls)} calls")
