"""Formats of conversations: each read and written, nothing lost on the way, what is wrong told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.chats.formats import FORMATS, read_chats, write_chats
from ray_pipeline.data.chats.table import conversations
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CHATS
from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}, {"name": "über", "description": "½"}]
CALLS = (ToolCall("add", '{"a": 1, "b": [2, 3]}', "c1"), ToolCall("über", "{}", "c2"))
WHOLE = Conversation(
    (
        Message("system", "Be brief."),
        Message("user", "1 + 2 + 3? ½", name="Ada"),
        Message("assistant", None, "I should add.", CALLS),
        Message("tool", "6", name="add", call_id="c1"),
        Message("tool", "", call_id="c2"),
        Message("assistant", "6", "Done."),
    ),
    json.dumps(TOOLS, ensure_ascii=False),
    "x1",
)
SUMS = (Message("user", "1 + 2?"), Message("assistant", "3"), Message("user", "+1"), Message("assistant", "4"))
PLAIN = Conversation((Message("system", "Be brief."), *SUMS))
ADDING = Message("assistant", "Let me see.", tool_calls=(ToolCall("add", '{"a": 1}'),))
CALLING = Conversation((Message("user", "1 + 2?"), ADDING, Message("tool", "3"), Message("assistant", "3")), WHOLE.tools)


def written(tmp_path: Path, lines: list[Any], name: str = "chats.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(line + "\n" if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("format_name", "conversation"),
    [
        ("openai", WHOLE),
        ("completions", WHOLE),
        ("verl", WHOLE),
        ("openai", PLAIN),
        ("sharegpt", PLAIN),
        ("alpaca", PLAIN),
        ("completions", PLAIN),
        ("verl", PLAIN),
        ("sharegpt", CALLING),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_conversation_comes_back_whole(tmp_path: Path, format_name: Any, conversation: Conversation, ending: str) -> None:
    first = written(tmp_path, [FORMATS[format_name].line(conversation)])
    chats = read_chats(first, format_name).chats
    again = str(tmp_path / f"again.{ending}")
    write_chats(chats, again, format_name)
    found = read_chats(again, format_name).chats
    assert chats.schema == CHATS
    assert list(conversations(found)) == list(conversations(chats)) == [conversation]


def test_parquet_keeps_what_the_first_row_lacks(tmp_path: Path) -> None:
    chats = read_chats(written(tmp_path, [FORMATS["openai"].line(one) for one in (PLAIN, WHOLE)]), "openai").chats
    write_chats(chats, str(tmp_path / "again.parquet"), "openai")
    assert list(conversations(read_chats(str(tmp_path / "again.parquet"), "openai").chats)) == [PLAIN, WHOLE]


words = st.text(alphabet=st.sampled_from('a½"\\\n\t</>{}é字 \u2028'), max_size=8)
arguments = st.dictionaries(words, st.one_of(st.integers(), st.booleans(), st.none(), words, st.lists(st.integers(), max_size=2)), max_size=2)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": st.one_of(words, st.just([{"type": "text", "text": "a"}]))}),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": st.one_of(st.none(), words)},
            optional={
                "reasoning_content": words,
                "thinking": words,
                "weight": st.integers(0, 1),
                "tool_calls": st.lists(
                    st.fixed_dictionaries(
                        {"function": st.fixed_dictionaries({"name": st.just("f"), "arguments": st.one_of(arguments, arguments.map(json.dumps))})}
                    ),
                    max_size=2,
                ),
            },
        ),
        st.fixed_dictionaries({"role": st.just("tool"), "content": words}, optional={"tool_call_id": words}),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(messages, st.booleans(), st.sampled_from([None, (",", ":")]), st.booleans()), min_size=1, max_size=3))
def test_not_a_byte_is_lost_through_parquet(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[Any], bool, Any, bool]]) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    lines = []
    for turns, ascii_only, separators, more in rows:
        row = {"messages": turns, **({"source": "a", "tools": [{"name": "f"}]} if more else {})}
        lines.append(json.dumps(row, ensure_ascii=ascii_only, separators=separators))
    path = written(folder, lines)
    pq.write_table(read_chats(path, "openai").chats, folder / "kept.parquet")
    write_chats(pq.read_table(folder / "kept.parquet"), str(folder / "again.jsonl"), "openai")
    assert (folder / "again.jsonl").read_bytes() == Path(path).read_bytes()


def test_a_changed_conversation_is_written_anew(tmp_path: Path) -> None:
    chats = read_chats(written(tmp_path, ['{"messages":[{"role":"user","content":"a"}]}']), "openai").chats
    assert chats.column("source").to_pylist() == ['{"messages":[{"role":"user","content":"a"}]}']
    changed = chats.set_column(chats.column_names.index("source"), "source", pa.nulls(1, pa.string()))
    write_chats(changed, str(tmp_path / "again.jsonl"), "openai")
    assert (tmp_path / "again.jsonl").read_text() == '{"messages": [{"role": "user", "content": "a"}]}\n'


@pytest.mark.parametrize(
    ("format_name", "row", "said"),
    [
        ("openai", {"messages": [{"content": "a"}]}, r"messages\[0\] has no role; its keys are content"),
        ("openai", {"messages": []}, "there are no messages"),
        ("openai", {"messages": "a"}, "messages is text, not a list"),
        ("openai", {"text": "a"}, "field 'messages' is missing; the fields are text"),
        ("openai", {"messages": [{"role": "bot", "content": "a"}]}, "the role 'bot' is none of system"),
        ("openai", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "only text parts"),
        ("openai", {"messages": [{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{a"}]}]}, "arguments of 'f' are not JSON"),
        ("openai", {"messages": [{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "[1]"}]}]}, "arguments of 'f' are not an object"),
        ("openai", {"messages": [{"role": "assistant", "tool_calls": [{"arguments": "{}"}]}]}, "needs the name"),
        (
            "openai",
            {"messages": [{"role": "assistant", "tool_calls": [{"name": "g"}]}], "tools": [{"name": "f"}]},
            r"'g', which is not among the tools \(f\)",
        ),
        ("openai", {"messages": [{"role": "user", "tool_calls": [{"name": "g"}]}]}, "only an assistant calls tools"),
        ("openai", {"messages": [{"role": "user", "content": "a"}], "tools": "[1"}, "tools are not JSON"),
        ("openai", {"messages": [{"role": "user", "content": "a"}], "id": "#1"}, "begins as the names of rows"),
        ("sharegpt", {"conversations": [{"value": "a"}]}, "has no `from`"),
        ("sharegpt", {"conversations": [{"from": "bing", "value": "a"}]}, "`from` is 'bing'"),
        ("sharegpt", {"conversations": [{"from": "function_call", "value": "f(1)"}]}, "the call is not JSON"),
        ("alpaca", {"instruction": "a"}, "field 'output' is missing"),
        ("alpaca", {"instruction": "a", "output": "b", "history": [["c"]]}, r"history\[0\] is a list, not a pair"),
        ("completions", {"prompt": "a"}, "field 'completion' is missing"),
        ("verl", {"prompt": [{"role": "user", "content": "a"}]}, "field 'reward_model' is missing"),
    ],
)
def test_what_is_no_conversation_is_told_with_its_line(tmp_path: Path, format_name: Any, row: dict[str, Any], said: str) -> None:
    good = {
        "openai": {"messages": [{"role": "user", "content": "a"}]},
        "sharegpt": {"conversations": [{"from": "human", "value": "a"}]},
        "alpaca": {"instruction": "a", "output": "b"},
        "completions": {"prompt": "a", "completion": "b"},
        "verl": {"prompt": [{"role": "user", "content": "a"}], "reward_model": {"ground_truth": "b"}},
    }[format_name]
    path = written(tmp_path, [good, row])
    with pytest.raises(DataError, match=rf"chats\.jsonl:2: .*{said}"):
        read_chats(path, format_name)
    found = read_chats(path, format_name, malformed="drop")
    assert (found.chats.num_rows, len(found.malformed)) == (1, 1)
    assert "chats.jsonl:2" in found.malformed[0]


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    row = {"id": "a", "messages": [{"role": "user", "content": "a"}]}
    with pytest.raises(DataError, match=r"jsonl:2: the id 'a' stands in .*jsonl:1 too"):
        read_chats(written(tmp_path, [row, row]), "openai")


@pytest.mark.parametrize(
    ("format_name", "conversation", "said"),
    [
        ("sharegpt", WHOLE, "no place for"),
        ("alpaca", WHOLE, "Alpaca's format holds texts"),
        ("verl", Conversation((Message("user", "a"),)), "the ground truth is an assistant's"),
        ("completions", Conversation((Message("user", "a"),)), "a completion is an assistant's"),
    ],
)
def test_what_a_format_cannot_hold_is_not_written(format_name: Any, conversation: Conversation, said: str) -> None:
    with pytest.raises(DataError, match=said):
        FORMATS[format_name].line(conversation)
