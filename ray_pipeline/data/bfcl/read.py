"""BFCL's entries as tasks.

`facts` of a single turn: `names` (BFCL's name of each tool), `functions` (their parameters) and `possible` (the answers that are right). Of several
turns: `users` (what is said once a turn is over, turn by turn), `classes` and `config` (the simulators and how they begin), `methods` (whose each
function is), `parameters` (of each, in order), `truth` (the calls that are right, turn by turn, as Python). Functions that a model does not get at
first come with a user's words, as BFCL gives them to models that are asked through a template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ray_pipeline.data.bfcl.categories import CATEGORIES, MULTI_TURN, WITHOUT_ANSWERS, Category
from ray_pipeline.data.bfcl.functions import as_tools, for_checking, original_names
from ray_pipeline.data.bfcl.package import json_lines
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Message

DOCUMENTED: Final = {  # a class's functions stand in this file
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
MORE_FUNCTIONS: Final = "{functions}\nI have updated some more functions you can choose from. What about now?"

Entry = Mapping[str, Any]


def bfcl_tasks(category: Category) -> list[Task]:
    """All entries of a category, in BFCL's order."""
    if category not in CATEGORIES:
        raise DataError(f"category {category!r} is none of {', '.join(CATEGORIES)}")
    entries = json_lines(f"BFCL_v4_{category}.json")
    answers = [] if category in WITHOUT_ANSWERS else json_lines(f"possible_answer/BFCL_v4_{category}.json")
    if answers and [one["id"] for one in answers] != [one["id"] for one in entries]:
        raise DataError(f"BFCL_v4_{category}.json: its entries and their answers are not in one order")
    truths: list[Any] = [one["ground_truth"] for one in answers] or [None] * len(entries)
    if category not in MULTI_TURN:
        return [_single(category, entry, truth) for entry, truth in zip(entries, truths, strict=True)]
    documents = {name: json_lines(f"multi_turn_func_doc/{file}.json") for name, file in DOCUMENTED.items()}
    return [_several(category, entry, truth, documents) for entry, truth in zip(entries, truths, strict=True)]


def _single(category: str, entry: Entry, possible: Any) -> Task:
    functions = entry["function"]
    facts = {
        "category": category,
        "names": original_names(functions),
        "functions": [for_checking(one) for one in functions],
        "possible": possible,
    }
    return Task(entry["id"], _messages(entry["question"][0]), as_tools(functions), facts)


def _several(category: str, entry: Entry, truth: Any, documents: Mapping[str, Sequence[Mapping[str, Any]]]) -> Task:
    classes = entry["involved_classes"]
    functions = {one["name"]: one for name in classes for one in documents[name]}
    later = {int(turn): [functions[name] for name in names] for turn, names in entry.get("missed_function", {}).items()}
    held_back = {one["name"] for each in later.values() for one in each}
    turns = [
        [{"role": "user", "content": MORE_FUNCTIONS.format(functions=as_tools(later[at]))}] if at in later else turn for at, turn in _turns(entry)
    ]
    facts = {
        "category": category,
        "users": turns[1:],
        "classes": classes,
        "config": entry["initial_config"],
        "long": category == "multi_turn_long_context",
        "methods": {one["name"]: name for name in classes for one in documents[name]},
        "parameters": {name: list(one["parameters"]["properties"]) for name, one in functions.items()},
        "truth": truth,
    }
    return Task(entry["id"], _messages(turns[0]), as_tools([one for name, one in functions.items() if name not in held_back]), facts)


def _turns(entry: Entry) -> list[tuple[int, list[dict[str, str]]]]:
    return list(enumerate(entry["question"]))


def _messages(said: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(one["role"], one["content"]) for one in said)
