"""The misconception rules: what each computes, by hand, and what all of them promise."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.labels import all_labels, corpus_labels, distractors
from ray_pipeline.data.misconceptions.notation import Over, bracket, dec, half, mixed, money, poly, power, show, worth
from ray_pipeline.data.misconceptions.question import draw_question, faulty_reasoning, word_question, written
from ray_pipeline.data.misconceptions.rule import Numbers, Rule, Variant
from ray_pipeline.data.misconceptions.rules import RULES
from ray_pipeline.schemas import CORPUS

BY_KEY = {rule.key: rule for rule in RULES}

# label, the question's numbers, the right answer, the wrong answer: all worked out by hand
HAND = [
    ("fraction-add-unlike.across", {"a": 1, "b": 2, "c": 1, "e": 3}, "5/6", "2/5"),
    ("fraction-subtract-unlike.across", {"a": 3, "b": 4, "c": 1, "e": 2}, "1/4", "2/2"),
    ("fraction-divide.no-flip", {"a": 1, "b": 2, "c": 3, "e": 4}, "2/3", "3/8"),
    ("fraction-simplest-form.stops-early", {"top": 8, "bottom": 12, "a": 2, "b": 3, "k": 4, "f": 2}, "2/3", "4/6"),
    ("mixed-to-improper.adds-whole", {"w": 2, "a": 3, "b": 4, "n": 11}, "11/4", "5/4"),
    (
        "decimal-add.parts-as-whole-numbers",
        {"i": 3, "j": 2, "t": 4, "uv": 15, "x": Decimal("3.4"), "y": Decimal("2.15")},
        "5.55",
        "5.19",
    ),
    ("decimal-multiply.one-place", {"m": 12}, "0.12", "1.2"),
    ("decimal-times-power-of-ten.zeros-appended", {"x": Decimal("3.47"), "k": 100, "z": 2}, "347", "3.4700"),
    ("negative-minus-positive.two-minuses-make-plus", {"a": 3, "b": 5}, "-8", "8"),
    ("sum-then-product.left-to-right", {"a": 2, "b": 3, "c": 4}, "14", "20"),
    ("power-of-number.multiplied-by-exponent", {"a": 2, "n": 3}, "8", "6"),
    ("percentage-increase.rate-added", {"n": 80, "p": 25, "part": 20}, "100", "105"),
    ("percentage-reverse.rate-of-final", {"n": 100, "p": 20, "after": 120}, "100", "96"),
    ("compound-interest.simple", {"start": 1000, "n": 2, "up": Decimal("1.1"), "year": 100}, "£1210", "£1200"),
    ("ratio-share.other-share", {"a": 2, "b": 3, "k": 4, "n": 20}, "8", "12"),
    ("map-scale.metres-as-km", {"k": 50000, "c": 4, "cm": 200000}, "2 km", "2000 km"),
    ("expand-single.first-only", {"a": 3, "b": 2, "c": 5}, "6x + 15", "6x + 5"),
    ("expand-double.first-and-last", {"a": 2, "b": 3, "s": 5, "p": 6}, "x² + 5x + 6", "x² + 6"),
    ("index-multiply.exponents-multiplied", {"ab": 6, "m": 4, "n": 2}, "6x⁶", "6x⁸"),
    ("solve-two-step-plus.constant-added", {"a": 2, "b": 3, "c": 11, "x": 4}, "x = 4", "x = 7"),
    ("inequality-negative-coefficient.not-reversed", {"k": 3}, "x > -3", "x < -3"),
    ("nth-term.n-plus-step", {"d": 3, "c": 2}, "3n + 2", "n + 3"),
    ("triangle-third-angle.full-turn", {"a": 50, "b": 60}, "70°", "250°"),
    ("triangle-area.not-halved", {"b": 6, "h": 4}, "12 cm²", "24 cm²"),
    ("pythagoras-leg.difference", {"a": 3, "b": 4, "c": 5}, "4 cm", "2 cm"),
    ("gradient-between-points.inverted", {"dx": 2, "dy": 6}, "3", "1/3"),
    ("mean-from-table.rows", {"total": 20, "n": 10}, "2", "5"),
    ("complement-probability.columns", {"q": Decimal("0.35"), "t": 3, "h": 5}, "0.65", "0.75"),
    ("without-replacement.replaced", {"r": 3, "n": 5}, "3/10", "9/25"),
]


@pytest.mark.parametrize(("label", "numbers", "correct", "wrong"), HAND, ids=[case[0] for case in HAND])
def test_answers_worked_out_by_hand(label: str, numbers: dict[str, object], correct: str, wrong: str) -> None:
    key, name = label.split(".")
    rule = BY_KEY[key]
    variant = next(v for v in rule.variants if v.key == name)
    drawn = SimpleNamespace(**numbers)
    assert written(rule, rule.correct(drawn)) == correct
    answer = variant.wrong(drawn)
    assert answer is not None
    assert written(rule, answer) == wrong


def test_there_are_as_many_rules_and_labels_as_promised() -> None:
    assert len(RULES) >= 60
    assert len(all_labels()) >= 400
    assert len(distractors()) >= 150
    assert all(len(rule.variants) >= 4 for rule in RULES)


def test_ids_and_texts_are_unique() -> None:
    table = corpus_labels()
    ids, texts = table.column("doc_id").to_pylist(), table.column("text").to_pylist()
    assert table.schema == CORPUS
    assert ids == sorted(set(ids))
    assert len({" ".join(text.lower().split()) for text in texts}) == len(texts) == len(all_labels()) + len(distractors())
    assert len({rule.key for rule in RULES}) == len(RULES)


def test_constructs_are_broader_than_rules_and_subjects_broader_than_constructs() -> None:
    constructs = {rule.construct for rule in RULES}
    subjects = {rule.subject for rule in RULES}
    assert len(subjects) < len(constructs) < len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_every_variant_shows_and_every_template_fills(rule: Rule) -> None:
    assert not set(rule.asks) & set(rule.held_out)
    for place, variant in enumerate(rule.variants):
        draw = Draw(f"test:{rule.key}:{place}")
        for _ in range(3):
            question = draw_question(rule, place, draw)
            assert question.wrong[place] != question.correct
            assert list(question.wrong.values()).count(question.wrong[place]) == 1
            reasoning = faulty_reasoning(question, place, draw)
            assert question.wrong[place] in reasoning
            texts = [word_question(question, template, draw) for template in rule.asks + rule.held_out]
            for text in [*texts, reasoning]:
                assert "{" not in text and "}" not in text and "*" not in text and "None" not in text, (variant.key, text)


def test_wordings_of_training_and_evaluation_differ_in_every_rule() -> None:
    asked = {template for rule in RULES for template in rule.asks}
    held_out = {template for rule in RULES for template in rule.held_out}
    assert not asked & held_out


def test_a_misconception_that_never_shows_alone_is_a_defect_with_its_name() -> None:
    same = Variant("same", "answers right", lambda p: p.a, lambda p: "")
    twin = Variant("twin", "answers like same", lambda p: p.a + 1, lambda p: "")
    rule = Rule("r", "s", "c", "w", lambda d: Numbers(a=d.whole(1, 9)), ("{a}?",), ("{a}!",), lambda p: p.a, (same, twin, twin))
    for variant in (0, 1):
        with pytest.raises(RuntimeError, match=r"^r\.(same|twin): no numbers"):
            draw_question(rule, variant, Draw("x"))


def test_notation() -> None:
    assert [show(x) for x in (3, Fraction(6, 4), Over(2, 4), Over(3, 1), Decimal("1.50"), Decimal("200"))] == ["3", "3/2", "2/4", "3", "1.5", "200"]
    assert worth(Over(2, 4)) == Fraction(1, 2) == Decimal("0.5")
    assert [dec(150, 2), dec(5, 3), dec(100, 0), dec(1200, 1)] == [Decimal("1.5"), Decimal("0.005"), 100, 120]
    assert str(dec(200, 1)) == "20"
    assert [poly((3, "x"), (-1, "y"), (0, "z"), (5, "")), poly((-1, "x"), (1, "")), poly((0, "x"))] == ["3x - y + 5", "-x + 1", "0"]
    assert [power("x", 0), power("x", 1), power("x", 12), power("x", -2)] == ["1", "x", "x¹²", "x⁻²"]
    assert [mixed(Fraction(11, 6)), mixed(Fraction(4, 2)), mixed(Fraction(1, 3))] == ["1 5/6", "2", "1/3"]
    assert [money(450), money(400), money(5)] == ["£4.50", "£4", "£0.05"]
    assert [half(6), half(7), bracket(-3)] == [3, Decimal("3.5"), "(x - 3)"]
