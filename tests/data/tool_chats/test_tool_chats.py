"""Generated conversations: no faults, calls that follow from what users say, shares, order, round trips."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.data.chats.formats import read_chats, write_chats
from ray_pipeline.data.chats.selection import digests, turns
from ray_pipeline.data.chats.table import conversations
from ray_pipeline.data.tool_chats.domains import DOMAINS
from ray_pipeline.data.tool_chats.generate import kinds, tool_chats
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.errors import SettingsError
from ray_pipeline.schemas import CHATS
from ray_pipeline.text.chat.conversation import Conversation, Message, faults

GOLDEN = "e265e7644b31868a0855c7583d85d7c1f0154b8970cf319088191aa3052319d5"
ROWS = 5000
TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return tool_chats(ToolChatSpec(ROWS))


@pytest.fixture(scope="module")
def chats(table: pa.Table) -> list[Conversation]:
    return list(conversations(table))


def offered(chat: Conversation) -> dict[str, Any]:
    """The schemas of the parameters, by the names of the functions."""
    tools = [tool["function"] for tool in json.loads(chat.tools or "[]")]
    assert len({tool["name"] for tool in tools}) == len(tools)
    return {tool["name"]: tool["parameters"] for tool in tools}


def breaches(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Where a value is not what its JSON schema says."""
    kind = schema["type"]
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{value!r} is no {kind}"
    elif kind == "array":
        for one in value:
            yield from breaches(one, schema["items"])
    elif kind == "object":
        yield from (f"{name} is missing" for name in schema["required"] if name not in value)
        yield from (f"{name} is unknown" for name in value if name not in schema["properties"])
        if list(value) != [name for name in schema["properties"] if name in value]:
            yield f"{', '.join(value)} is not the order of the schema"
        for name in value.keys() & schema["properties"].keys():
            yield from breaches(value[name], schema["properties"][name])
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is none of {schema['enum']}"


def scalars(value: Any) -> Iterator[str]:
    """Texts and numbers as they have to be said. Booleans are the one exception: they are said as "on", "with the speaker off" and so on."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from scalars(one)
    elif not isinstance(value, bool):
        yield value if isinstance(value, str) else json.dumps(value)


def stands_in(said: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(said)}(?!\w|\.\d)", text) is not None


def calling(chat: Conversation) -> list[Message]:
    return [message for message in chat.messages if message.tool_calls]


@pytest.mark.parametrize("breach", [{}, {"a": "1"}, {"a": 1, "c": 2}, {"a": True}, {"a": 1, "b": ["x", 1]}, {"b": ["x"], "a": 1}, {"a": 1, "d": "r"}])
def test_the_checker_sees_planted_faults(breach: dict[str, Any]) -> None:
    properties = {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "string"}}, "d": {"type": "string", "enum": ["q"]}}
    schema = {"type": "object", "properties": properties, "required": ["a"]}
    assert list(breaches(breach, schema))
    assert not list(breaches({"a": 1, "b": ["x"], "d": "q"}, schema))
    assert not stands_in("5", "15 minutes and 2.5 km")
    assert stands_in("5", "for 5.")


def test_first_hundred_rows_are_the_golden_ones(table: pa.Table) -> None:
    """Another wording is another data set: raise ALGORITHM of the stage that makes it."""
    text = json.dumps(table.slice(0, 100).to_pylist(), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize("spec", [ToolChatSpec(300, 7), ToolChatSpec(300, 8, most_tools=1), ToolChatSpec(300, 9, domains=1, most_tools=9)])
def test_no_conversation_has_faults_whatever_the_spec(spec: ToolChatSpec) -> None:
    found = list(conversations(tool_chats(spec)))
    assert not [faults(chat) for chat in found if faults(chat)]
    assert all(1 <= len(offered(chat)) <= spec.most_tools for chat in found)


def test_no_conversation_has_faults(chats: list[Conversation]) -> None:
    assert not [faults(chat) for chat in chats if faults(chat)]
    assert {len(offered(chat)) for chat in chats} == {1, 2, 3, 4}


def test_arguments_are_what_the_offered_schema_says(chats: list[Conversation]) -> None:
    for chat in chats:
        schemas = offered(chat)
        for call in (call for message in calling(chat) for call in message.tool_calls or ()):
            value = json.loads(call.arguments)
            assert not list(breaches(value, schemas[call.name])), call
            assert call.arguments == json.dumps(value, ensure_ascii=False)


def test_arguments_stand_in_what_the_user_said_so_far(chats: list[Conversation]) -> None:
    for chat in chats:
        said = ""
        for message in chat.messages:
            said += f"{message.content}\n" if message.role == "user" else ""
            for call in message.tool_calls or ():
                assert not [value for value in scalars(json.loads(call.arguments)) if not stands_in(value, said)], (said, call)


def test_messages_come_in_turns_and_results_answer_their_calls(chats: list[Conversation]) -> None:
    for chat in chats:
        calls = [call for message in calling(chat) for call in message.tool_calls or ()]
        assert [call.call_id for call in calls] == [f"call_{number}" for number in range(len(calls))]
        waiting: list[Any] = []
        assert chat.messages[0].role == "user"
        for before, message in itertools.pairwise(chat.messages):
            if message.role == "user":
                assert before.role == "assistant"
            elif message.role == "assistant":
                assert before.role in ("user", "tool")
                assert not waiting
                assert (message.content is None) == bool(message.tool_calls)
                waiting = list(message.tool_calls or ())
            else:
                answered = waiting.pop(0)
                assert (message.name, message.call_id) == (answered.name, answered.call_id)
                assert isinstance(json.loads(message.content or ""), dict)
        assert chat.messages[-1].role == "assistant"


def test_shares_are_those_asked_for(table: pa.Table, chats: list[Conversation]) -> None:
    calls = [[len(message.tool_calls or ()) for message in calling(chat)] for chat in chats]
    several_turns = (turns(table) > 1).tolist()
    assert sum(not counts for counts in calls) / ROWS == pytest.approx(0.15, abs=0.001)
    assert sum(max(counts, default=0) > 1 for counts in calls) / ROWS == pytest.approx(0.2, abs=0.001)
    assert sum(several_turns) / ROWS == pytest.approx(0.2, abs=0.001)
    assert {len(counts) for counts, several in zip(calls, several_turns, strict=True) if several} == {2}
    once = [chat for chat, counts in zip(chats, calls, strict=True) if len(counts) == 1]
    assert sum(chat.messages[-1].tool_calls is None for chat in once) / len(once) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("kind", "share"), [("parallel", "parallel_share"), ("multi-turn", "multi_turn_share"), ("no call", "no_call_share")])
def test_a_kind_can_be_all_or_none(kind: str, share: str) -> None:
    none = {"parallel_share": 0.0, "multi_turn_share": 0.0, "no_call_share": 0.0}
    assert set(kinds(ToolChatSpec(50, **none))) == {"single"}
    assert set(kinds(ToolChatSpec(50, **{**none, share: 1.0}))) == {kind}


def test_without_a_call_the_assistant_speaks_and_says_why(chats: list[Conversation]) -> None:
    silent = [chat for chat in chats if not calling(chat)]
    asking = sum((chat.messages[-1].content or "").endswith("?") for chat in silent)
    refusing = [
        chat for chat in silent if re.search("my tools can|no tool to|with the tools I have|the tools that I have", chat.messages[-1].content or "")
    ]
    assert all(len(chat.messages) == 2 for chat in silent)
    assert 0.25 < asking / len(silent) < 0.5
    assert 0.25 < len(refusing) / len(silent) < 0.42
    descriptions = {function.name: function.description for domain in DOMAINS.values() for function in domain}
    for chat in refusing:
        assert not [name for name in offered(chat) if descriptions[name].lower() in (chat.messages[-1].content or "").lower()]


def test_fewer_rows_are_a_prefix_and_a_seed_is_one_table(table: pa.Table) -> None:
    assert table.schema == CHATS
    assert table.column("chat_id").to_pylist()[:2] == ["t000000", "t000001"]
    assert len(set(table.column("chat_id").to_pylist())) == ROWS
    assert table.column("source").null_count == table.column("format").null_count == ROWS
    assert tool_chats(ToolChatSpec(137)).equals(table.slice(0, 137))
    assert tool_chats(ToolChatSpec(137, seed=1)).column("messages").to_pylist() != table.slice(0, 137).column("messages").to_pylist()


def test_conversations_are_distinct(table: pa.Table) -> None:
    assert len(set(digests(table))) >= 0.97 * ROWS
    asked = Counter(row[0]["content"] for row in table.column("messages").to_pylist())
    assert len(asked) >= 0.85 * ROWS


def test_every_function_is_called_and_every_domain_distracts(chats: list[Conversation]) -> None:
    called = {call.name for chat in chats for message in calling(chat) for call in message.tool_calls or ()}
    assert called == {function.name for domain in DOMAINS.values() for function in domain}


def test_the_first_domains_alone_can_be_taken() -> None:
    names = {function.name for domain in list(DOMAINS.values())[:2] for function in domain}
    found = list(conversations(tool_chats(ToolChatSpec(400, domains=2))))
    assert {name for chat in found for name in offered(chat)} == names


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_they_come_back_from_openais_format(tmp_path: Path, table: pa.Table, chats: list[Conversation], ending: str) -> None:
    path = str(tmp_path / f"chats.{ending}")
    write_chats(table.slice(0, 400), path, "openai")
    found = read_chats(path, "openai")
    assert list(conversations(found.chats)) == chats[:400]
    assert found.chats.column("source").null_count == 400


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": 0}, "rows: must be at least 1"),
        ({"seed": -1}, "seed: must be 0 or more"),
        ({"domains": 0}, "domains: must be from 1 to 12"),
        ({"domains": 13}, "leave it out to take all"),
        ({"most_tools": 0}, "most_tools: must be at least 1"),
        ({"parallel_share": -0.1}, "parallel_share: must be a share"),
        ({"multi_turn_share": 1.1}, "multi_turn_share: must be a share"),
        ({"no_call_share": float("nan")}, "no_call_share: must be a share"),
        ({"parallel_share": 0.5, "multi_turn_share": 0.5, "no_call_share": 0.1}, "must be at most 1, not 1.1; lower one"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ToolChatSpec(**{"rows": 10, **wrong})
    ToolChatSpec(rows=1, parallel_share=0.7, multi_turn_share=0.2, no_call_share=0.1)
