"""Solutions that are the same program, kept once: the first sample.

Two texts are the same program if Python parses them to the same syntax tree, so spacing, comments and quotes do not count, while names and
docstrings do. A text that is no whole module (a completion without its first line, prose around the code) is compared as text, without
spaces at the ends of lines and empty lines at the end.

Copies of which one passed and another failed were judged by chance (a timeout, a random input): neither verdict is believed and all of
them are left out.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from ray_pipeline.data.pairs.solution import Solution


@dataclass(frozen=True)
class Distinct:
    """What is left of a problem's solutions, and how many went. `contradicted`: those left out for verdicts that differ."""

    solutions: tuple[Solution, ...]
    duplicates: int
    contradicted: int


def distinct(solutions: Sequence[Solution]) -> Distinct:
    """`solutions` without copies; of copies the first stays."""
    copies: dict[tuple[str, str], list[Solution]] = {}
    for one in solutions:
        copies.setdefault(program_of(one.text), []).append(one)
    agreed = [of for of in copies.values() if len({one.passed for one in of}) == 1]
    kept = sum(map(len, agreed))
    return Distinct(tuple(of[0] for of in agreed), kept - len(agreed), len(solutions) - kept)


def program_of(text: str) -> tuple[str, str]:
    """What two texts of one program have in common."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in a model's string is no matter of ours
            return "tree", ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no module; a null byte; brackets too deep for the parser
        lines = text.replace("\r\n", "\n").split("\n")
        return "text", "\n".join(line.rstrip() for line in lines).rstrip("\n")
