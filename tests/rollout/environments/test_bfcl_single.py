"""BFCL's single turns as environments: the right calls are right in every entry, and what is wrong is said."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.data.bfcl.categories import CATEGORIES, MULTI_TURN, WITHOUT_ANSWERS
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.bfcl_single import BfclSingle
from ray_pipeline.rollout.environments.environment import Reply, Standing
from tests.metrics.test_function_match_peer import first_right
from tests.rollout.environments.replies import called, said

ANSWERED = [one for one in CATEGORIES if one not in MULTI_TURN and one not in WITHOUT_ANSWERS]
UNANSWERABLE = {
    "live_simple_106-63-0",
    "live_simple_112-68-0",
    "live_multiple_862-181-3",
    "live_multiple_964-207-0",
}  # BFCL's checker refuses their answers, too
AREA = bfcl_tasks("simple_python")[0]


def why(task: Task, reply: Reply) -> str | None:
    environment = BfclSingle(task)
    assert environment.answer(reply) == []
    assert environment.standing() == Standing(float(environment.why is None), len(reply.calls or ()))
    return environment.why


def right(task: Task) -> list[tuple[str, dict[str, Any]]]:
    """Only what has to be given; as a policy calls it, by the names that it was shown."""
    shown = {name: tool for tool, name in task.facts["names"].items()}
    required = {one["name"]: one["parameters"]["required"] for one in task.facts["functions"]}
    return [
        (shown[name], {key: first_right(values) for key, values in arguments.items() if "" not in values or key in required[name]})
        for one in task.facts["possible"]
        for name, arguments in one.items()
    ]


@pytest.mark.parametrize("category", ANSWERED)
def test_the_right_calls_are_right_and_others_are_not(category: str) -> None:
    tasks = bfcl_tasks(category)  # type: ignore[arg-type]
    assert {task.task_id for task in tasks if why(task, called(*right(task))) is not None} == {
        one for one in UNANSWERABLE if one.startswith(category)
    }
    assert [task.task_id for task in tasks if why(task, said("I cannot help with that.")) is None] == []
    assert [task.task_id for task in tasks if why(task, called(*right(task), right(task)[0])) is None] == []


def test_what_is_wrong_is_said() -> None:
    (name, arguments) = right(AREA)[0]
    assert why(AREA, called((name, {**arguments, "base": 11}))) == "base: 11 is none of [10]"
    assert why(AREA, said("<tool_call>{</tool_call>")) == "a call that cannot be read"
    assert why(AREA, called(("area", {}))) == "area is called, and is no function here"
    assert BfclSingle(AREA).why == "nothing was replied"


def test_a_function_with_a_dot_is_called_by_its_tools_name() -> None:
    task = bfcl_tasks("multiple")[0]
    ((name, arguments),) = right(task)
    assert name == "triangle_properties_get"
    assert why(task, called((name, arguments))) is None
    assert why(task, called(("triangle_properties.get", arguments))) == "triangle_properties.get is called, and is no function here"


@pytest.mark.parametrize("category", ["irrelevance", "live_irrelevance"])
def test_where_nothing_fits_silence_is_right(category: str) -> None:
    for task in bfcl_tasks(category)[::10]:  # type: ignore[arg-type]
        assert why(task, said("None of these fits.")) is None
        assert why(task, said("<tool_call>{</tool_call>")) is None
        assert why(task, called(("anything", {}))) == "anything is called, and nothing here is what was asked for"


def test_where_something_fits_any_call_is_right() -> None:
    task = bfcl_tasks("live_relevance")[0]
    assert why(task, called(("anything", {}))) is None
    assert why(task, said("no")) == "nothing is called"
    assert why(task, said("<tool_call>{</tool_call>")) == "a call that cannot be read"
