"""The program in what a model wrote."""

from __future__ import annotations

import pytest

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.programs import program_in

PROMPT = 'def add(a, b):\n    """The sum."""\n'
ADD = Problem("own/1", PROMPT, "add", None, ((1, 2),), 1, (3,), None)
WHOLE = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (WHOLE, WHOLE),
        (f"Here it is:\n```python\n{WHOLE}```\nIt adds.", WHOLE),
        (f"First:\n```\ndef add(a, b): pass\n```\nBetter:\n```python\n{WHOLE}```\n```python\nprint(add(1, 2))\n```", WHOLE),
        ("    return a + b\n", PROMPT + "    return a + b\n"),
        ("    return a + b\n\nprint(add(1, 2)\nThat is all.", PROMPT + "    return a + b\n\n"),
        ("    return a + b\n\ndef other():\n    return 1\n\nclass", PROMPT + "    return a + b\n\ndef other():\n    return 1\n\n"),
        ("add = lambda a, b: a + b", "add = lambda a, b: a + b"),
        ("I cannot.", PROMPT + "I cannot."),
        ("", PROMPT),
        ("(" * 10_000, PROMPT + "(" * 10_000),
        ("\0", PROMPT + "\0"),
    ],
)
def test_the_program_is_found(text: str, program: str) -> None:
    assert program_in(text, ADD) == program


def test_a_block_of_another_function_is_no_answer() -> None:
    assert program_in("```python\ndef subtract(a, b): return a - b\n```\n", ADD).startswith(PROMPT)
