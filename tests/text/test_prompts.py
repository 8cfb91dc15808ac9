"""The strings, byte for byte as the models' cards have them."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.config import Settings, identity_of, parse, section
from ray_pipeline.errors import SettingsError
from ray_pipeline.text.prompts import Example, IclPrompt, PlainPrompt, Prompt, Side

DEFAULT_TASK = "Given a web search query, retrieve relevant passages that answer the query"


class Holder(Settings):
    prompt: Prompt = section(PlainPrompt(), "a prompt")


def whole(side: Side, body: str, **prompt: Any) -> bytes:
    wrapped = parse(Holder, {"prompt": prompt}).prompt.wrap(side)
    return (wrapped.prefix + body + wrapped.suffix).encode()


@pytest.mark.parametrize(
    ("prompt", "query", "document"),
    [
        ({}, b"t", b"t"),
        ({"kind": "plain"}, b"t", b"t"),
        ({"kind": "e5"}, b"query: t", b"passage: t"),
        ({"kind": "e5-mistral", "task": "Find it"}, b"Instruct: Find it\nQuery: t", b"t"),
        ({"kind": "qwen3-embedding", "task": "Find it"}, b"Instruct: Find it\nQuery:t", b"t"),
        ({"kind": "qwen3-embedding"}, f"Instruct: {DEFAULT_TASK}\nQuery:t".encode(), b"t"),
        ({"kind": "bge-icl", "task": "Find it"}, b"<instruct>Find it\n<query>t\n<response>", b"t"),
        ({"kind": "custom", "query_prefix": "Q{", "query_suffix": "}", "document_prefix": "D ", "document_suffix": "\n"}, b"Q{t}", b"D t\n"),
        ({"kind": "custom"}, b"t", b"t"),
    ],
)
def test_exact_strings(prompt: dict[str, Any], query: bytes, document: bytes) -> None:
    assert whole("query", "t", **prompt) == query
    assert whole("document", "t", **prompt) == document


def test_few_shot_examples_stand_before_the_query_in_order() -> None:
    examples = [
        {"query": "1+1", "response": "adds"},
        {"query": "2*2", "response": "doubles", "task": "Name it"},
        {"query": "3", "response": "", "task": ""},
    ]
    assert whole("query", "t", kind="bge-icl", task="Find it", examples=examples) == (
        b"<instruct>Find it\n<query>1+1\n<response>adds\n\n"
        b"<instruct>Name it\n<query>2*2\n<response>doubles\n\n"
        b"<instruct>\n<query>3\n<response>\n\n"
        b"<instruct>Find it\n<query>t\n<response>"
    )
    assert whole("document", "t", kind="bge-icl", task="Find it", examples=examples) == b"t"


def test_braces_in_a_text_or_task_stay() -> None:
    assert whole("query", "{x}", kind="e5-mistral", task="{task}") == b"Instruct: {task}\nQuery: {x}"


def test_every_string_is_identity() -> None:
    prompt = IclPrompt(task="a", examples=(Example(query="q", response="r"),))
    assert identity_of(prompt) == {"kind": "bge-icl", "task": "a", "examples": [{"query": "q", "response": "r", "task": None}]}


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ({"kind": "bge-icl"}, "prompt.task: required"),
        ({"kind": "e5-mistrl"}, "prompt.kind: no such choice 'e5-mistrl'; did you mean 'e5-mistral'?"),
        ({"kind": "e5", "task": "x"}, "prompt.task: no such setting"),
        ({"kind": "bge-icl", "task": "x", "examples": [{"query": "q", "reponse": "r"}]}, "prompt.examples.0.reponse: no such setting; did you mean"),
    ],
)
def test_a_prompt_that_does_not_exist_is_refused(prompt: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(Holder, {"prompt": prompt})
    assert said in str(caught.value)
