"""Arithmetic: the right number is worth 1, any other nothing; a calculator answers where the task offers one."""

from __future__ import annotations

from ray_pipeline.data.tasks.arithmetic import ArithmeticSpec, arithmetic_tasks
from ray_pipeline.rollout.environments.arithmetic import ArithmeticEnvironments
from ray_pipeline.rollout.environments.environment import Standing
from tests.rollout.environments.replies import called, said, told


def test_the_right_number_is_worth_one_and_others_nothing() -> None:
    for task in arithmetic_tasks(ArithmeticSpec(100)):
        value = task.facts["value"]
        replies = {
            f"<think>9 or 8?</think>It is {value}.": 1.0,
            f"It is {value + 1}.": 0.0,
            f"{value} or {value + 1}": 0.0,
            "": 0.0,
            f"{value}.5": 0.0,
        }
        for reply, worth in replies.items():
            environment = ArithmeticEnvironments().begin(task)
            assert list(environment.answer(said(reply))) == []
            assert environment.standing() == Standing(worth), (task, reply)


def test_what_was_cut_off_is_no_answer() -> None:
    task = arithmetic_tasks(ArithmeticSpec(1))[0]
    environment = ArithmeticEnvironments().begin(task)
    environment.answer(said(f"It is {task.facts['value']}", whole=False))
    assert environment.standing().worth == 0.0


def test_the_calculator_answers_and_the_policy_has_to_say_it() -> None:
    for task in arithmetic_tasks(ArithmeticSpec(50, calculator=True)):
        environment = ArithmeticEnvironments().begin(task)
        assert told(environment, called(("calculator", {"expression": task.facts["expression"]}))) == [{"value": task.facts["value"]}]
        assert environment.standing() == Standing(0.0, 1, 0)
        assert told(environment, called(("calculator", {"expression": "2 / 0"})))[0]["error"].startswith("'/' cannot be read")
        assert told(environment, said(f"{task.facts['value']}")) == []
        assert environment.standing() == Standing(1.0, 2, 1)


def test_without_a_tool_there_is_none_to_call() -> None:
    environment = ArithmeticEnvironments().begin(arithmetic_tasks(ArithmeticSpec(1))[0])
    assert told(environment, called(("calculator", {"expression": "1"}))) == [{"error": 'there is no tool "calculator"; there are none'}]
    assert environment.standing() == Standing(0.0, 1, 1)
