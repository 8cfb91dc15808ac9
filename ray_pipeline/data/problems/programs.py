"""Programs in what a model wrote.

A chat model explains and puts its program between fences; a model that continues goes on after the function is done, with further functions, tests or
prose. So, in this order: the last fenced block that defines the function; the text itself if it does; prompt and text together, up to the last line
with which they are Python. What defines the function nowhere is given as it stands, to be judged as what it is.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

from ray_pipeline.data.problems.problem import Problem

_FENCED: Final = re.compile(r"^```[^\n`]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINES_TRIED: Final = 200  # of a continuation; what comes after so many is no part of one function


def program_in(text: str, problem: Problem) -> str:
    """The program that an answer to a problem holds."""
    blocks = [block for block in _FENCED.findall(text) if _defines(block, problem.entry_point)]
    if blocks:
        return str(blocks[-1])
    if _defines(text, problem.entry_point):
        return text
    lines = text.splitlines(keepends=True)[:_LINES_TRIED]
    for count in range(len(lines), 0, -1):
        candidate = problem.prompt + "".join(lines[:count])
        if _defines(candidate, problem.entry_point) and not _only_prompt(lines[:count]):
            return candidate
    return problem.prompt + text


def _only_prompt(lines: list[str]) -> bool:
    return not "".join(lines).strip()


def _defines(text: str, name: str) -> bool:
    """Whether the text is Python that defines a function, class or value of this name at its top."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of a program that is not ours
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser's ways to say that this is no Python it can hold
        return False
    return any(_names(node, name) for node in body)


def _names(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    return isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
