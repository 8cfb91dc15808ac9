"""Sentences of hand-made leaderboards, whole and with lost characters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ray_pipeline.data.leaderboards.short_names import ShortNames
from ray_pipeline.data.leaderboards.statements import THE_BASELINE, Statement, Words, statements_of

WORDS = Words({"mbpp": "mbpp", "mbpp+": "mbppplus"}, {"long-sft", "a", "b-1"}, ShortNames.of(["sft=long-sft"]), {"sft": "long-sft"})
BASE, SFT = (THE_BASELINE,), ("long-sft",)


def read(text: str, benchmark: str | None = "mbpp") -> list[tuple[tuple[str, ...], tuple[str, ...], str | None, str | None]]:
    return [(one.names, one.references, one.speed, one.correctness) for one in statements_of(1, text, benchmark, WORDS)]


@pytest.mark.parametrize(
    ("text", "references", "speed", "correctness"),
    [
        ("准确率与效率优于基准：", BASE, "better", "better"),
        ("准确\ufffd与效\ufffd优\ufffd基准：", BASE, "better", "better"),
        ("高效，并且pass@1高于基准", BASE, "better", "better"),
        ("比基准高效，准确率差于基准", BASE, "better", "worse"),
        ("时间优于基准，pass@1低于基准", BASE, "better", "worse"),
        ("效\ufffd由\ufffd基准，准确率\ufffd\ufffd基准", BASE, "better", "worse"),
        ("准确率和效率不如sft", SFT, "worse", "worse"),
        ("时间\ufffd如sft", SFT, "worse", None),
        ("时间与基准持平，pass@1优于基准", BASE, "level", "better"),
        ("战胜基准", BASE, "better", "better"),
        ("优于基准和sft", (*BASE, *SFT), "better", "better"),
    ],
)
def test_headings_of_lists(text: str, references: tuple[str, ...], speed: str, correctness: str | None) -> None:
    assert read(text) == [((), references, speed, correctness)]


def test_names_stand_before_what_is_said_of_them() -> None:
    assert read("`a , b-1`比sft高效，准确率不如sft") == [(("a", "b-1"), SFT, "better", "worse")]


def test_another_model_or_benchmark_begins_another_statement() -> None:
    first, second, third = statements_of(7, "a, b-1在mbpp, mbpp+优于基准；a在mbpp上时间与基准持平，在mbpp+上不如sft", None, WORDS)
    assert (first.names, first.benchmarks, first.references) == (("a", "b-1"), ("mbpp", "mbppplus"), BASE)
    assert (second.names, second.benchmarks, second.speed, second.correctness) == (("a",), ("mbpp",), "level", None)
    assert third == Statement(7, ("a",), ("mbppplus",), SFT, "worse", "worse")
    # What is not named again is taken over: here the benchmarks.
    taken = statements_of(1, "a在mbpp上优于基准，b-1不如基准", None, WORDS)
    assert [(one.names, one.benchmarks, one.speed) for one in taken] == [(("a",), ("mbpp",), "better"), (("b-1",), ("mbpp",), "worse")]


def test_none_is_an_empty_list_and_percents_are_kept() -> None:
    none, one = statements_of(1, "没有一个战胜基准，a的时间与基准持平，pass@1比基准高2.5%", "mbpp", WORDS)
    assert (none.names, none.exhaustive, none.speed, none.correctness) == ((), True, "better", "better")
    assert (one.names, one.exhaustive, one.speed, one.correctness, one.percent) == (("a",), False, "level", "better", Decimal("2.5"))


def test_a_list_gives_both_verdicts_in_a_benchmarks_own_section() -> None:
    for text, benchmark, exhaustive in (
        ("a效率优于基准，准确率不如基准", "mbpp", True),
        ("a在mbpp上效率优于基准，准确率不如基准", None, False),
        ("a效率优于基准", "mbpp", False),
        ("a效率优于基准，准确率与基准持平", "mbpp", False),
    ):
        assert [one.exhaustive for one in statements_of(1, text, benchmark, WORDS)] == [exhaustive], text


def test_what_is_held_against_nothing_is_no_statement() -> None:
    assert read("🥇 时间短，Pass@1 高") == []
    assert read("a 由基础模型训练") == []
    assert WORDS.name_a_model("see a for more")
    assert not WORDS.name_a_model("see 3 for more")
