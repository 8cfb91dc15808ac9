from __future__ import annotations

import pytest

from ray_pipeline.data.leaderboards.short_names import USUAL_SHORT_NAMES, ShortNames
from ray_pipeline.errors import SettingsError

MODELS = ("sft-25-original-data-1b", "sft-25-original-data-1b-dpo-pvf-qts", "startcode1b-original-data-dpo-pvf-qts", "sft-codedpo")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sft-pvf-qts", MODELS[1]),
        ("pvf-qts", MODELS[2]),  # though the other name ends so too
        ("sft", MODELS[0]),
        ("sft-codedpo", "sft-codedpo"),  # a row's own name comes before every rule
        ("opt", None),
        ("sft-nothing", None),
    ],
)
def test_a_name_is_a_row_or_one_rule(written: str, meant: str | None) -> None:
    assert ShortNames.of(USUAL_SHORT_NAMES).full(written, MODELS) == meant


def test_rules_are_read_the_longest_beginning_first() -> None:
    short = ShortNames.of(["a-=one-", "a-b-=two-"])
    assert short.full("a-b-c", ["one-b-c", "two-c"]) == "two-c"
    assert short.full("a-c", ["one-c"]) == "one-c"
    assert ShortNames.of(["x=long"]).full("x", ["other"]) is None
    assert ShortNames.of(["x=long"]).words_for("long") == ("long", "x")


def test_a_rule_that_says_nothing_is_refused() -> None:
    for rule in ("sft", "sft="):
        with pytest.raises(SettingsError, match="give SHORT=FULL"):
            ShortNames.of([rule])
