"""One generated question: numbers that show a misconception alone, put into words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.notation import Answer, show, typeset, worth
from ray_pipeline.data.misconceptions.phrasing import CLOSINGS, NAMES
from ray_pipeline.data.misconceptions.rule import Numbers, Rule

MAX_DRAWS: Final = 2000


@dataclass(frozen=True)
class Question:
    rule: Rule
    numbers: Numbers
    correct: str
    wrong: dict[int, str]  # variant -> its wrong answer, where no other variant of the rule gives the same


def draw_question(rule: Rule, variant: int, draw: Draw) -> Question:
    """A question to which `variant` gives a wrong answer that tells it from the rule's other variants.

    The wrong answer differs from the right one and from every other variant's; other numbers are drawn until it does.
    """
    for _ in range(MAX_DRAWS):
        numbers = rule.draw(draw)
        answers = [v.wrong(numbers) for v in rule.variants]
        if answers[variant] is None:
            continue
        correct = rule.correct(numbers)
        values = [None if answer is None else worth(answer) for answer in answers]
        values.append(worth(correct))
        if values.count(values[variant]) > 1:
            continue
        right = written(rule, correct)
        texts = {v: written(rule, a) for v, a in enumerate(answers) if a is not None and values.count(values[v]) == 1}
        written_once = Counter([right, *texts.values()])  # an answer given as text may look like another's number
        wrong = {v: text for v, text in texts.items() if written_once[text] == 1}
        if variant in wrong:
            return Question(rule, numbers, right, wrong)
    raise RuntimeError(f"{rule.label_id(variant)}: no numbers in {MAX_DRAWS} draws show this misconception alone")


def written(rule: Rule, answer: Answer) -> str:
    return typeset(answer if isinstance(answer, str) else rule.form.format(show(answer)))


def word_question(question: Question, template: str, draw: Draw) -> str:
    return typeset(template.format(name=draw.pick(NAMES), **vars(question.numbers)))


def faulty_reasoning(question: Question, variant: int, draw: Draw) -> str:
    """The pupil's own steps to the wrong answer of `variant`."""
    steps = question.rule.variants[variant].thought(question.numbers)
    return typeset(steps) + draw.pick(CLOSINGS).format(question.wrong[variant])
