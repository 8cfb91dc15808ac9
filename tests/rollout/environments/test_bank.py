"""The bank: the reference is worth 1 everywhere, nothing and every planted mistake are worth 0, and mistakes in calls are told."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ray_pipeline.data.tasks.bank.generate import BankSpec, bank_tasks, conversed, solution
from ray_pipeline.data.tasks.bank.request import OWNERS
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.bank import BankEnvironments
from ray_pipeline.rollout.environments.environment import Reply, Standing
from ray_pipeline.text.chat.conversation import Message, ToolCall
from tests.rollout.environments.replies import called, results, said, told

TASKS = bank_tasks(BankSpec(500, seed=1))


def replayed(task: Task, without: int | None = None, cents: int = 0, says: str | None = None) -> tuple[Standing, list[Message]]:
    """The reference's rollout; with a turn left out, other sums, or other last words, where that is asked for."""
    environment, heard, number = BankEnvironments().begin(task), [], 0
    for solved in solution(task):
        for turn in solved.turns:
            if number != without:
                heard += environment.answer(called(*(_changed(call, cents) for call in turn)))
            number += 1
        heard += environment.answer(said(solved.says if says is None else says))
    return environment.standing(), heard


def _changed(call: ToolCall, cents: int) -> ToolCall:
    arguments = json.loads(call.arguments)
    if "cents" in arguments:
        arguments["cents"] = max(1, arguments["cents"] - cents)
    return ToolCall(call.name, json.dumps(arguments))


def test_the_reference_does_every_task() -> None:
    for task in TASKS:
        standing, heard = replayed(task)
        assert (standing.worth, standing.failed) == (1.0, 0), task
        assert standing.calls == sum(len(turn) for solved in solution(task) for turn in solved.turns)
        assert results(heard) == results(conversed(task))  # what is imitated is what the environment says


def test_doing_nothing_is_worth_nothing() -> None:
    for task in TASKS:
        environment = BankEnvironments().begin(task)
        assert environment.answer(said("")) == ()
        assert environment.standing() == Standing(0.0)
        assert BankEnvironments().begin(task).standing() == Standing(0.0)


def test_a_wrong_sum_a_missing_step_and_wrong_words_are_worth_less() -> None:
    several = 0
    for task in TASKS:
        requests = task.facts["requests"]
        turns = [turn for one in requests for turn in one["turns"]]
        changes = [any(name not in ("find_account", "balance") for name, _ in turn) for turn in turns]
        for place, change in enumerate(changes):
            if change:
                assert replayed(task, without=place)[0].worth < 1, task
        moved = [arguments["cents"] for turn in turns for name, arguments in turn if name == "transfer"]
        if moved and max(moved) > 1:
            assert replayed(task, cents=1)[0].worth < 1, task
        if any(one["answer"] for one in requests):
            assert replayed(task, says=f"{' '.join(OWNERS)} 3.5")[0].worth < 1, task
        several += len(requests) > 1
    assert several > 30


def test_a_further_request_is_told_once_the_first_is_done() -> None:
    task = next(one for one in TASKS if len(one.facts["requests"]) == 2)
    first, second = solution(task)
    environment = BankEnvironments().begin(task)
    for turn in first.turns:
        environment.answer(called(*turn))
    assert told(environment, said(first.says)) == [task.facts["requests"][1]["text"]]
    assert environment.standing().worth == 0.5
    for turn in second.turns:
        environment.answer(called(*turn))
    assert environment.answer(said(second.says)) == []
    assert environment.standing().worth == 1.0


def test_what_was_cut_off_is_no_last_word() -> None:
    task = TASKS[0]
    environment = BankEnvironments().begin(task)
    for turn in solution(task)[0].turns:
        environment.answer(called(*turn))
    assert environment.answer(said(solution(task)[0].says, whole=False)) == ()
    assert environment.standing().worth == 0.0


def test_a_call_where_none_is_needed_is_a_mistake() -> None:
    task = next(one for one in TASKS if not one.facts["requests"][0]["calls"])
    environment = BankEnvironments().begin(task)
    environment.answer(called(("find_account", {"owner": "Anna"})))
    environment.answer(said(solution(task)[0].says))
    assert environment.standing() == Standing(0.0, 1, 0)


def test_calls_for_one_request_are_no_mistake_in_the_next() -> None:
    looking = {"text": "", "after": {}, "answer": {"word": "none", "others": []}, "calls": True}
    task = Task(
        "own/1",
        (Message("user", "Has Ben an account?"),),
        None,
        {"accounts": {}, "requests": [looking, {**looking, "text": "Sure?", "calls": False}]},
    )
    environment = BankEnvironments().begin(task)
    assert told(environment, called(("find_account", {"owner": "Ben"}))) == [{"account": None}]
    assert told(environment, said("none")) == ["Sure?"]
    assert told(environment, said("none")) == [] and environment.standing() == Standing(1.0, 1, 0)


def test_rollouts_of_one_task_do_not_see_each_other() -> None:
    task = next(one for one in TASKS if one.facts["requests"][0]["turns"][-1:] and one.facts["requests"][0]["turns"][-1][0][0] == "transfer")
    assert [replayed(task)[0].worth for _ in range(3)] == [1.0] * 3


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<tool_call>{no json}</tool_call>", "a call is <tool_call>"),
        ('<tool_call>{"name": "balance", "arguments": {"account": "A1"}}', "a call is <tool_call>"),
        ('<tool_call>{"name": "rob", "arguments": {}}</tool_call>', 'there is no tool "rob"; there are find_account, balance'),
        ('<tool_call>{"name": "balance", "arguments": {}}</tool_call>', "'account' is a required property"),
        ('<tool_call>{"name": "balance", "arguments": {"account": 17}}</tool_call>', "account: 17 is not of type 'string'"),
        ('<tool_call>{"name": "balance", "arguments": {"account": "A1", "x": 1}}</tool_call>', "'x' was unexpected"),
        ('<tool_call>{"name": "balance", "arguments": {"account": "no"}}</tool_call>', "there is no account no"),
        ('<tool_call>{"name": "balance", "arguments": {"account": "\\ud800"}}</tool_call>', "there is no account ?"),
        ('<tool_call>{"name": "transfer", "arguments": {"source": "A1", "target": "A2", "cents": true}}</tool_call>', "cents: True is not of type"),
        ('<tool_call>{"name": "transfer", "arguments": {"source": "A1", "target": "A2", "cents": -5}}</tool_call>', "cents: -5 is less than"),
        ('<tool_call>{"name": "transfer", "arguments": {"source": "A1", "target": "A2", "cents": 2.5}}</tool_call>', "cents: 2.5 is not of type"),
    ],
)
def test_a_faulty_call_is_answered_by_its_error_and_counted(text: str, error: str) -> None:
    environment = BankEnvironments().begin(TASKS[0])
    (answer,) = environment.answer(said(text))
    assert answer.role == "tool" and error in json.loads(answer.content or "")["error"]
    assert environment.standing() == Standing(0.0, 1, 1)


def test_arguments_of_any_depth_are_an_error_and_no_more() -> None:
    """What JSON's reader takes cannot always be quoted: here, where less of the stack is left than when it was read."""

    def deeper(reply: Reply, frames: int) -> Sequence[Message]:
        return deeper(reply, frames - 1) if frames else environment.answer(reply)

    for depth in (50, *range(800, 1010, 10), 5000):
        environment = BankEnvironments().begin(TASKS[0])
        reply = said(f'<tool_call>{{"name": "balance", "arguments": {{"account": {"[" * depth}{"]" * depth}}}}}</tool_call>')
        (answer,) = deeper(reply, 60)
        assert "error" in json.loads(answer.content or "") and len(answer.content or "") < 300
        assert environment.standing() == Standing(0.0, 1, 1)


def test_an_error_does_not_quote_without_end_and_the_next_call_is_made() -> None:
    number = next(iter(TASKS[0].facts["accounts"]))
    reply = called(("balance", {"account": "x" * 9999}), ("balance", {"account": number}))
    environment = BankEnvironments().begin(TASKS[0])
    first, second = environment.answer(reply)
    assert len(first.content or "") < 300
    assert json.loads(second.content or "") == {"cents": TASKS[0].facts["accounts"][number]["cents"]}
    assert environment.standing() == Standing(0.0, 2, 1)


def test_a_whole_number_with_a_point_is_whole() -> None:
    task = next(one for one in TASKS if one.facts["requests"][0]["turns"] and one.facts["requests"][0]["turns"][0][0][0] == "transfer")
    (call,) = solution(task)[0].turns[0]
    arguments = json.loads(call.arguments)
    environment = BankEnvironments().begin(task)
    (answer,) = environment.answer(called(("transfer", {**arguments, "cents": float(arguments["cents"])})))
    assert answer.content == f'{{"moved": {arguments["cents"]}}}'
