"""BFCL's entries as tasks: counts, schemas by hand, names and back, and what is said where the package is not there."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from ray_pipeline.data.bfcl import package
from ray_pipeline.data.bfcl.categories import CATEGORIES, MULTI_TURN
from ray_pipeline.data.bfcl.functions import FLOAT, PYTHON, as_tools, original_names
from ray_pipeline.data.bfcl.package import json_lines
from ray_pipeline.data.bfcl.read import bfcl_tasks
from ray_pipeline.data.tasks.task import tasks_of, tasks_table
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import faults

COUNTS = {
    "simple_python": 400, "multiple": 200, "parallel": 200, "parallel_multiple": 200, "irrelevance": 240, "live_simple": 258, "live_multiple": 1053,
    "live_parallel": 16, "live_parallel_multiple": 24, "live_irrelevance": 884, "live_relevance": 16, "multi_turn_base": 200,
    "multi_turn_miss_func": 200, "multi_turn_miss_param": 200, "multi_turn_long_context": 200,
}  # fmt: skip
RANGE = {
    "name": "shop.find",
    "description": "Find.",
    "parameters": {
        "type": "dict",
        "properties": {
            "prices": {"type": "tuple", "items": {"type": "float"}, "description": "From and to."},
            "least": {"type": "float", "description": "Stars."},
            "how": {"type": "dict", "properties": {"by": {"type": "any", "enum": ["name"]}}},
        },
        "required": ["prices"],
    },
}


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_entry_is_a_task_that_can_be_asked(category: str) -> None:
    tasks = bfcl_tasks(category)  # type: ignore[arg-type]
    assert len(tasks) == COUNTS[category]
    assert len({task.task_id for task in tasks}) == len(tasks)
    for task in tasks:
        assert faults(task.conversation()) == []
        assert task.messages[-1].role == "user"
    schemas = {json.dumps(tool["function"]["parameters"]) for task in tasks[::10] for tool in json.loads(task.tools or "")}
    for schema in sorted(schemas)[::5]:
        jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    assert list(tasks_of(tasks_table(tasks[:20]))) == tasks[:20]


def test_a_function_as_a_tool_by_hand() -> None:
    (tool,) = json.loads(as_tools([RANGE]))
    assert tool == {
        "type": "function",
        "function": {
            "name": "shop_find",
            "description": f"Find.{PYTHON}",
            "parameters": {
                "type": "object",
                "properties": {
                    "prices": {"type": "array", "items": {"type": "number"}, "description": "From and to."},
                    "least": {"type": "number", "description": f"Stars.{FLOAT}", "format": "float"},
                    "how": {"type": "object", "properties": {"by": {"type": "string", "enum": ["name"]}}},
                },
                "required": ["prices"],
            },
        },
    }
    assert original_names([RANGE]) == {"shop_find": "shop.find"}


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ([{**RANGE, "parameters": {"type": "dict", "properties": {"a": {"type": "hash"}}}}], "function shop.find: type 'hash' is none of"),
        ([{**RANGE, "strict": True}], "function shop.find: strict: not known"),
    ],
)
def test_what_is_not_known_of_a_function_is_refused(functions: list[dict[str, object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_tools(functions)


@pytest.mark.parametrize(("names", "message"), [(["a.b", "a_b"], "two of them are one tool"), (["a b"], "'a b': no name for a tool")])
def test_names_that_are_none_of_a_tool_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        original_names([{**RANGE, "name": name} for name in names])


def test_functions_that_come_later_are_not_among_the_first_tools_and_come_with_the_user() -> None:
    for entry, task in zip(json_lines("BFCL_v4_multi_turn_miss_func.json"), bfcl_tasks("multi_turn_miss_func"), strict=True):
        offered = {tool["function"]["name"] for tool in json.loads(task.tools or "")}
        for turn, names in entry["missed_function"].items():
            (words,) = task.facts["users"][int(turn) - 1]
            assert not offered & set(names)
            assert set(names) <= set(task.facts["methods"])
            told, _, rest = words["content"].partition("\n")
            assert [tool["function"]["name"] for tool in json.loads(told)] == names
            assert rest == "I have updated some more functions you can choose from. What about now?"


@pytest.mark.parametrize("category", MULTI_TURN)
def test_each_turn_has_its_truth(category: str) -> None:
    for task in bfcl_tasks(category):  # type: ignore[arg-type]
        assert len(task.facts["truth"]) == len(task.facts["users"]) + 1
        assert all(said and said[-1]["role"] == "user" for said in task.facts["users"])


def test_an_unknown_category_names_the_known_ones() -> None:
    with pytest.raises(DataError, match="category 'web_search' is none of simple_python, "):
        bfcl_tasks("web_search")  # type: ignore[arg-type]


def test_without_the_package_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install --no-deps bfcl-eval==2026.3.23"):
        bfcl_tasks("simple_python")


def test_a_package_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(package, "package_folder", lambda: tmp_path)
    with pytest.raises(DataError, match="BFCL_v4_simple_python.json: not there; the package is of another version"):
        bfcl_tasks("simple_python")


def test_answers_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(package, "package_folder", lambda: tmp_path)
    (tmp_path / "data/possible_answer").mkdir(parents=True)
    (tmp_path / "data/BFCL_v4_multiple.json").write_text('{"id": "multiple_0"}\n')
    (tmp_path / "data/possible_answer/BFCL_v4_multiple.json").write_text('{"id": "multiple_1", "ground_truth": []}\n')
    with pytest.raises(DataError, match="not in one order"):
        bfcl_tasks("multiple")
