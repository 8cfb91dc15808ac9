"""BFCL's simulators in the jail: ground truth is worth 1 everywhere, mistakes 0, nothing leaks, and verdicts are those of BFCL's own checker."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, get_args

import pytest

from ray_pipeline.data.bfcl.categories import MultiTurn
from ray_pipeline.data.bfcl.package import json_lines
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError
from ray_pipeline.rollout.environments.bfcl import STEPS, BfclEnvironments, Replay, right_calls
from ray_pipeline.rollout.environments.environment import EnvironmentFault, Standing
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.text.chat.conversation import Message
from tests.rollout.environments.replies import called, results, said

BASE = bfcl_tasks("multi_turn_base")
FILES = next(task for task in BASE if task.task_id == "multi_turn_base_0")  # a file system, and four turns
SUMS = next(task for task in BASE if "MathAPI" in task.facts["classes"])
BLANK = next(task for task in BASE if [] in task.facts["truth"])  # has a turn in which nothing is to be called

MUTANTS = 1  # of each entry


@pytest.fixture(scope="module")
def environments() -> Iterator[BfclEnvironments]:
    found = BfclEnvironments(EnvironmentSettings(kind="bfcl"))
    yield found
    found.close()


def right_turns(task: Task) -> list[Any]:
    """The right calls, each a step of its own."""
    return [[[call] for call in turn] for turn in right_calls(task)]


def played(environments: BfclEnvironments, task: Task) -> tuple[list[str | None], Standing]:
    """The ground truth as a rollout: a step a turn, then a reply that calls nothing."""
    environment, heard = environments.begin(task), []
    for turn in right_calls(task):
        if turn:
            heard += results(environment.answer(called(*((name, arguments) for name, arguments in turn))))
        environment.answer(said("done"))
    return heard, environment.standing()


@pytest.mark.parametrize("category", get_args(MultiTurn))
def test_ground_truth_is_right_in_every_entry(category: MultiTurn, environments: BfclEnvironments) -> None:
    tasks = bfcl_tasks(category)
    found = environments.replay([Replay(task, right_turns(task), right_calls(task)) for task in tasks])
    assert [one["wrong"] for one in found] == [None] * 200


def test_ground_truth_as_rollouts(environments: BfclEnvironments) -> None:
    for task in [*BASE[::20], BLANK]:
        heard, standing = played(environments, task)
        calls = sum(map(len, task.facts["truth"]))
        assert (standing.worth, standing.calls, len(heard)) == (1.0, calls, calls), task.task_id


def test_a_policy_that_is_wrong_on_purpose_is_never_right(environments: BfclEnvironments) -> None:
    """It says nothing; it calls what is right a turn late; it stops a turn early; it calls with no arguments."""
    truths = [(task, right_turns(task), right_calls(task)) for task in BASE]
    for mistaken in (
        [Replay(task, [[] for _ in turns], truth) for task, turns, truth in truths],
        [Replay(task, [[], *turns[:-1]], truth) for task, turns, truth in truths],
        [Replay(task, turns[:-1], truth) for task, turns, truth in truths],
        [Replay(task, [[[[name, {}] for name, _ in step] for step in turn] for turn in turns], truth) for task, turns, truth in truths],
    ):
        assert sum(one["wrong"] is None for one in environments.replay(mistaken)) == 0


def test_the_same_calls_give_the_same_whatever_was_rolled_out_before(environments: BfclEnvironments) -> None:
    first = played(environments, FILES)
    spoilt = environments.begin(FILES)
    spoilt.answer(called(("rm", {"file_name": "document"}), ("mkdir", {"dir_name": "document2"})))
    assert spoilt.standing().worth == 0.0
    assert played(environments, FILES) == first
    side, by = environments.begin(FILES), environments.begin(FILES)  # two rollouts of an entry at once
    side.answer(called(("mkdir", {"dir_name": "mine"})))
    (seen,) = results(by.answer(called(("ls", {}))))
    assert "mine" not in (seen or "")


def test_a_turn_ends_with_a_reply_that_calls_nothing_or_cannot_be_read(environments: BfclEnvironments) -> None:
    environment = environments.begin(FILES)
    said_next = FILES.facts["users"][0][0]["content"]
    assert environment.answer(said("I am done")) == [Message("user", said_next)]
    assert [one.role for one in environment.answer(said("<tool_call>{</tool_call>"))] == ["user"]
    assert [one.role for one in environment.answer(called(("ls", {}), ("pwd", {})))] == ["tool", "tool"]
    assert [one.role for one in environment.answer(said("next"))] == ["user"]
    assert environment.answer(said("done")) == []
    assert environment.standing() == Standing(0.0, 2, 0)


def test_a_rollout_that_ends_early_is_wrong_and_one_cut_off_behind_its_last_call_is_not(environments: BfclEnvironments) -> None:
    environment = environments.begin(FILES)
    assert environment.standing().worth == 0.0
    assert environment.why == "ended in turn 1 of 4"
    turns = right_calls(FILES)
    for place, turn in enumerate(turns):
        environment.answer(called(*((name, arguments) for name, arguments in turn)))
        if place + 1 < len(turns):
            assert environment.standing().worth == 0.0
            environment.answer(said("done"))
    assert environment.standing().worth == 1.0


def test_errors_are_told_and_counted(environments: BfclEnvironments) -> None:
    environment = environments.begin(FILES)
    asked = [("cd", {"folder": "nowhere"}), ("cd", {"where": "document"}), ("no_such", {}), ("_load_scenario", {"scenario": {}}), ("pwd", {})]
    heard = results(environment.answer(called(*asked)))
    assert "error" in json.loads(heard[0] or "")
    assert heard[1] == "Error during execution: GorillaFileSystem.cd() got an unexpected keyword argument 'where'"
    assert heard[2] == "Error during execution: name 'no_such' is not defined"
    assert heard[3] == "Error during execution: name '_load_scenario' is not defined"  # what is not offered is not there
    assert (environment.standing().calls, environment.standing().failed) == (5, 4)


def test_what_is_written_in_arguments_is_never_run(environments: BfclEnvironments) -> None:
    environment = environments.begin(FILES)
    text = "__import__('os').system('true') or sort(1)"
    (heard,) = results(environment.answer(called(("echo", {"content": text}))))
    assert json.loads(heard or "") == {"terminal_output": text}


def test_a_turn_has_so_many_steps(environments: BfclEnvironments) -> None:
    environment = environments.begin(FILES)
    for _ in range(STEPS):
        assert environment.answer(called(("pwd", {})))
    assert environment.answer(called(("pwd", {}))) == []
    assert environment.standing() == Standing(0.0, STEPS + 1, 0)


def test_a_call_that_hangs_is_ended_and_is_a_fault() -> None:
    environments = BfclEnvironments(EnvironmentSettings(kind="bfcl", seconds=0.5))
    environment = environments.begin(SUMS)
    with pytest.raises(EnvironmentFault, match=rf"{SUMS.task_id}: the simulators ended with timeout"):
        environment.answer(called(("power", {"base": 10, "exponent": 10**10})))
    other = environments.begin(SUMS)
    assert results(other.answer(called(("power", {"base": 2, "exponent": 3})))) == ['{"result": 8}']
    environments.close()


def test_a_task_that_is_not_of_bfcl_is_refused(environments: BfclEnvironments) -> None:
    with pytest.raises(DataError, match="sum-1: no task of BFCL's"):
        environments.begin(Task("sum-1", (Message("user", "1 + 1?"),)))


def test_a_right_call_that_cannot_be_read_is_refused(environments: BfclEnvironments) -> None:
    task = replace(FILES, facts={**FILES.facts, "truth": [["cd(folder=x)"]]})
    with pytest.raises(DataError, match=r"multi_turn_base_0: the right call cd\(folder=x\) cannot be read"):
        environments.begin(task).standing()


def mutant(task: Task, drawn: random.Random) -> list[Any]:
    """The ground truth with mistakes, some of which change nothing that counts."""
    turns = right_turns(task)
    for _ in range(drawn.randint(1, 2)):
        at = drawn.randrange(len(turns))
        kind = drawn.choice(["drop", "twice", "order", "merge", "later", "look", "value", "broken", "silent"])
        if kind == "look":
            turns[at].insert(0, [[drawn.choice([name for name, parameters in task.facts["parameters"].items() if not parameters] or ["ls"]), {}]])
        elif kind == "broken":
            turns[at].append([["no_such", {"x": 1}]])
        elif not turns[at]:
            continue
        elif kind == "drop":
            del turns[at][drawn.randrange(len(turns[at]))]
        elif kind == "twice":
            turns[at].append(deepcopy(drawn.choice(turns[at])))
        elif kind == "order":
            drawn.shuffle(turns[at])
        elif kind == "merge":
            turns[at] = [[call for step in turns[at] for call in step]]
        elif kind == "later" and at + 1 < len(turns):
            turns[at + 1].insert(0, turns[at].pop())
        elif kind == "silent":
            turns[at] = []
        elif kind == "value":
            call = drawn.choice(turns[at])[0]
            if call[1]:
                key = drawn.choice(list(call[1]))
                call[1][key] = drawn.choice([1, "other", None, [call[1][key]], str(call[1][key])])
    return turns


def test_verdicts_and_what_is_told_are_those_of_bfcl(environments: BfclEnvironments) -> None:
    """Each rollout under a name of its own there, or the peer's simulators would still hold what the one before did."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

    entries = {one["id"]: one for one in json_lines("BFCL_v4_multi_turn_base.json")}
    asked = [Replay(task, mutant(task, random.Random(f"{task.task_id} {number}")), right_calls(task)) for task in BASE for number in range(MUTANTS)]
    found, verdicts = environments.replay(asked), []
    for number, (one, ours) in enumerate(zip(asked, found, strict=True)):
        entry, name = entries[one.task.task_id], f"rollout{number}"
        written = [
            [[f"{call}({', '.join(f'{key}={value!r}' for key, value in given.items())})" for call, given in step] for step in turn]
            for turn in one.turns
        ]
        theirs = multi_turn_checker(written, one.task.facts["truth"], entry, "multi_turn_base", name)
        assert (ours["wrong"] is None) == theirs["valid"], (one.task.task_id, one.turns, ours["wrong"], theirs)
        world = (entry["initial_config"], entry["involved_classes"], f"told{number}", entry["id"])
        told = [[execute_multi_turn_func_call(step, *world)[0] for step in turn] for turn in written]
        assert ours["results"] == told, one.task.task_id
        verdicts.append(theirs["valid"])
    assert 20 < sum(verdicts) < len(verdicts) - 20
