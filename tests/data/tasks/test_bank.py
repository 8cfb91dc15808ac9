"""Generated tasks of a bank: they depend on their row alone, and what is right in them is what the reference's calls lead to."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from ray_pipeline.data.chats.table import conversations
from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tasks.bank.generate import BankSpec, bank_tasks, solution, tool_task_chats
from ray_pipeline.data.tasks.bank.levels import FOLLOWING, LEVELS, move_if
from ray_pipeline.data.tasks.bank.world import BANK_TOOLS, Bank
from ray_pipeline.data.tasks.task import tasks_of, tasks_table
from ray_pipeline.data.tasks.tool import ToolError, result_text
from ray_pipeline.errors import SettingsError
from ray_pipeline.text.chat.conversation import faults

SPEC = BankSpec(400, seed=3)
TWO = {"A11": {"owner": "Ben", "cents": 50}, "A12": {"owner": "Cem", "cents": 0}}


def test_a_row_depends_on_its_number_alone() -> None:
    few, many = bank_tasks(replace(SPEC, rows=20)), bank_tasks(SPEC)
    assert many[:20] == few == bank_tasks(replace(SPEC, rows=20))
    assert bank_tasks(replace(SPEC, rows=20, seed=4)) != few
    assert Counter(task.facts["level"] for task in many) == dict.fromkeys((1, 2, 3, 4, 5), 80)
    assert {task.facts["level"] for task in bank_tasks(replace(SPEC, levels=(4,)))} == {4}


def test_tasks_survive_their_table() -> None:
    tasks = bank_tasks(replace(SPEC, rows=20))
    assert list(tasks_of(tasks_table(tasks))) == tasks


@pytest.mark.parametrize("level", LEVELS)
def test_every_request_of_a_level_is_drawn(level: int) -> None:
    """All wordings lead to some task; a builder that never fits a world would not be seen elsewhere."""
    tasks = bank_tasks(BankSpec(300, levels=(level,), further_share=0.0))
    drawn = {len(one.facts["requests"][0]["turns"]) for one in tasks}
    steps = {1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 4: {2, 4}, 5: {0, 1}}[level]
    assert drawn == steps
    names = {name for task in tasks for turn in task.facts["requests"][0]["turns"] for name, _ in turn}
    assert names <= {tool["function"]["name"] for tool in json.loads(BANK_TOOLS)}


@pytest.mark.parametrize("builder", [one for level in LEVELS.values() for one in level] + list(FOLLOWING))
def test_what_is_right_is_what_the_calls_lead_to(builder: object) -> None:
    """Both are written on their own: `after` on plain numbers, the turns as calls, which are made here."""
    for number in range(60):
        draw = Draw(f"{number}")
        task = bank_tasks(BankSpec(1, seed=number, accounts=3 + number % 5))[0]
        request = builder(task.facts["accounts"], draw)  # type: ignore[operator]
        bank = Bank(task.facts["accounts"])
        tools = {one.name: one for one in bank.tools()}
        for turn in request.turns:
            for name, arguments in turn:
                tools[name].run(**arguments)
        assert bank.accounts == request.after, request


def test_a_condition_is_what_its_words_say() -> None:
    both = set()
    for task in bank_tasks(BankSpec(200)):
        request = move_if(task.facts["accounts"], Draw(task.task_id))
        read = re.fullmatch(
            r"If (\w+) holds more than (\d+) cents, move (\d+) cents from \1 to (\w+)\. If not, say how much \1 holds\.", request.text
        )
        assert read is not None
        source, bar, cents, target = read[1], int(read[2]), int(read[3]), read[4]
        held = {number: one["cents"] for number, one in task.facts["accounts"].items()}
        met = held[source] > bar
        assert dict(request.answer) == ({} if met else {"number": held[source]})
        moved = {source: held[source] - cents, target: held[target] + cents} if met else {}
        assert {number: one["cents"] for number, one in request.after.items()} == {**held, **moved}
        both.add(met)
    assert both == {True, False}


def test_reference_conversations_are_whole_and_their_results_the_worlds() -> None:
    tasks = bank_tasks(SPEC)
    chats = list(conversations(tool_task_chats(SPEC)))
    assert [one for chat in chats for one in faults(chat)] == []
    assert [chat.chat_id for chat in chats] == [task.task_id for task in tasks]
    for task, chat in zip(tasks, chats, strict=True):
        assert chat.messages[: len(task.messages)] == task.messages
        assert chat.messages[-1].content == solution(task)[-1].says
        made = [call for message in chat.messages for call in message.tool_calls or ()]
        results = [message for message in chat.messages if message.role == "tool"]
        assert [call.name for call in made] == [result.name for result in results]
        looked = [json.loads(result.content or "") for result in results]
        assert not any("error" in one for one in looked)
    first = next(chat for chat in chats if chat.messages[-1].content == "Done." and len(chat.messages) == 5)
    assert [message.role for message in first.messages] == ["system", "user", "assistant", "tool", "assistant"]


def test_the_words_are_few() -> None:
    """A tiny model has to learn them: without numbers and account names there are less than two hundred."""
    words = {
        word
        for chat in conversations(tool_task_chats(SPEC))
        for message in chat.messages
        if message.role != "tool"
        for word in (message.content or "").split()
    }
    assert len([word for word in words if not any(sign.isdigit() for sign in word)]) < 200


def test_the_tools_do_what_they_say() -> None:
    bank = Bank(TWO)
    assert bank.find_account("Cem") == {"account": "A12"} and bank.find_account("Ida") == {"account": None}
    assert bank.transfer("A11", "A12", 50) == {"moved": 50}
    assert (bank.balance("A11"), bank.balance("A12")) == ({"cents": 0}, {"cents": 50})
    assert bank.close_account("A11") == {"closed": "A11"}
    assert bank.open_account("Ida") == {"account": "A13"}
    assert bank.accounts == {"A12": {"owner": "Cem", "cents": 50}, "A13": {"owner": "Ida", "cents": 0}}
    assert TWO["A11"]["cents"] == 50  # of the task, which other rollouts begin with


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("transfer", {"source": "A11", "target": "A12", "cents": 51}, "A11 holds 50 cents"),
        ("transfer", {"source": "A11", "target": "A11", "cents": 5}, "one account"),
        ("transfer", {"source": "A11", "target": "A99", "cents": 5}, "no account A99"),
        ("balance", {"account": "Ben"}, "no account Ben"),
        ("open_account", {"owner": "Ben"}, "Ben has account A11"),
        ("open_account", {"owner": ""}, "has a name"),
        ("close_account", {"account": "A11"}, "A11 holds 50 cents"),
    ],
)
def test_what_a_tool_refuses_changes_nothing(name: str, arguments: dict[str, object], said: str) -> None:
    bank = Bank(TWO)
    with pytest.raises(ToolError, match=said):
        next(one for one in bank.tools() if one.name == name).run(**arguments)
    assert bank.accounts == TWO


def test_a_result_can_be_read_whatever_stands_in_it() -> None:
    assert result_text({"name": "\ud800 é"}) == '{"name": "? é"}'


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rows": 0}, "rows: must be at least 1"),
        ({"seed": -1}, "seed: must be 0 or more"),
        ({"levels": ()}, "levels: must be some of 1, 2, 3, 4, 5"),
        ({"levels": (6,)}, "levels: must be some of"),
        ({"accounts": 2}, "accounts: must be from 3 to 10"),
        ({"accounts": 11}, "accounts: must be from 3 to 10"),
        ({"further_share": 1.5}, "further_share"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        BankSpec(**{"rows": 5, **values})  # type: ignore[arg-type]
