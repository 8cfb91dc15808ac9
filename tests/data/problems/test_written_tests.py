"""Assertions in what a model wrote, whatever stands around them."""

from __future__ import annotations

import pytest

from ray_pipeline.data.problems.written_tests import tests_in as assertions


def test_in_prose_in_fences_in_a_function_and_cut_off() -> None:
    answer = """Sure! I assert that these help:
```python
assert add(1, 2) == 3, "three"
def check(candidate):
    assert add(
        [1],
        [2],
    ) == [1, 2]
    assert not add('', '')
```
assert that all is well
assert add(1, 2) == 3
assert other(1) == 1
assert add(4, """
    assert assertions(answer, "add", 9) == ["assert add(1, 2) == 3", "assert add([1], [2]) == [1, 2]", "assert not add('', '')"]
    assert assertions(answer, "add", 2) == ["assert add(1, 2) == 3", "assert add([1], [2]) == [1, 2]"]


@pytest.mark.parametrize(
    "text",
    [
        "assert add(1, 2)",
        "assert 1 == 1",
        "assert",
        "assertion add(1) == 1",
        "assert x.add(1) == 1",
        "assert add == 1",
        "assert (\x00add(1)) == 1",
        "",
    ],
)
def test_what_says_nothing_of_the_function_is_left_out(text: str) -> None:
    assert assertions(text, "add", 9) == []


def test_two_statements_in_a_line_are_no_test() -> None:
    assert assertions("assert add(1) == 1; import os", "add", 9) == []
