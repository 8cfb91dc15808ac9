"""What last words say."""

from __future__ import annotations

import time

import pytest

from ray_pipeline.data.tasks.said import answers, last_integer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250 cents are on A17.", 250),
        ("first 3, then 4", 4),
        ("**42**", 42),
        ("It is -5.", -5),
        ("x=-5", -5),
        ("\N{MINUS SIGN}7", -7),
        ("10-5", 5),
        ("(3)-2", 2),
        ("- 5", 5),
        ("1,234", 1234),
        ("007", 7),
        ("5%)", 5),
        ("12, 34", 34),
        ("5 or 2.5", None),
        ("4.0", None),
        ("1e5", None),
        ("A17", None),
        ("", None),
        ("nine", None),
        ("1" * 5000, None),
        ("It is 5.Really", 5),
        ("3, or 1.2.3", 3),
        ("1,2345", 2345),
        ("1,234,567.", 1234567),
        ("x1,234", 234),
    ],
)
def test_the_last_number_is_read_exactly(text: str, value: int | None) -> None:
    assert last_integer(text) == value


@pytest.mark.parametrize(
    "text", ["1" * 200_000 + "a", "1,234" + ",234" * 50_000 + "a", "1." * 100_000 + "a", "-" * 200_000, "5" + "." * 200_000 + "a"]
)
def test_what_a_policy_babbles_is_read_in_no_time(text: str) -> None:
    started = time.monotonic()
    last_integer(text)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("text", "wanted", "right"),
    [
        ("It is 5.", {"number": 5}, True),
        ("5 and not 6", {"number": 5}, False),
        ("", {"number": 0}, False),
        ("Ben has more.", {"word": "Ben", "others": ["Ida"]}, True),
        ("Ben has more than Ida.", {"word": "Ben", "others": ["Ida"]}, False),
        ("Benjamin", {"word": "Ben", "others": []}, False),
        ("It is A17", {"word": "A1", "others": []}, False),
        ("I cannot do that", {"refusal": True}, True),
        ("That CAN'T be done", {"refusal": True}, True),
        ("That can\N{RIGHT SINGLE QUOTATION MARK}t be done", {"refusal": True}, True),
        ("Done.", {"refusal": True}, False),
        ("", {"refusal": True}, False),
        ("", {}, True),
    ],
)
def test_last_words_are_held_against_what_is_wanted(text: str, wanted: dict[str, object], right: bool) -> None:
    assert answers(text, wanted) is right
