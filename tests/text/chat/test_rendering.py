"""Rendering under real templates: transformers' tokens, and masks of exactly what the model writes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError, ModelError
from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall
from ray_pipeline.text.chat.rendering import ChatRenderer, MaskSettings, Rendered, difference, shown
from ray_pipeline.text.chat.template import ChatTemplate
from tests.chat_models import with_template

TEMPLATES = ("qwen2_5", "qwen3", "qwen3_instruct_2507", "qwen3_5_think")
TOOLS = json.dumps([{"type": "function", "function": {"name": "add", "description": "½ + é", "parameters": {"type": "object", "properties": {}}}}])
TWO = (ToolCall("add", '{"a": 1, "b": [2.50, "x"]}', "c1"), ToolCall("add", '{"a": "字\\n\\"q\\""}', "c2"))
CHATS = {
    "plain": Conversation((Message("user", "1 + 2?"), Message("assistant", "3"))),
    "turns": Conversation(
        (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b\n\n"), Message("user", "c"), Message("assistant", "d"))
    ),
    "empty": Conversation((Message("user", ""), Message("assistant", ""))),
    "unicode": Conversation((Message("user", "½ 字 \u2028 é"), Message("assistant", "é\u00a0字 👍"))),
    "tools": Conversation(
        (
            Message("user", "1 + 2?"),
            Message("assistant", None, tool_calls=TWO),
            Message("tool", "3", name="add", call_id="c1"),
            Message("tool", "4", name="add", call_id="c2"),
            Message("assistant", "It is 3."),
        ),
        TOOLS,
    ),
    "said and called": Conversation((Message("user", "1 + 2?"), Message("assistant", "Let me see.", tool_calls=TWO[:1])), TOOLS),
}
THINKING = {
    "thought": Conversation((Message("user", "1 + 2?"), Message("assistant", "3", "one and two"))),
    "thought twice": Conversation(
        (Message("user", "a"), Message("assistant", "b", "first"), Message("user", "c"), Message("assistant", "d", "second\n\nthought"))
    ),
    "thought and called": Conversation(
        (Message("user", "1 + 2?"), Message("assistant", "", "I add", TWO[:1]), Message("tool", "3"), Message("assistant", "3", "it came back")),
        TOOLS,
    ),
}


def renderer(tokenizer: Any, name: str, **mask: Any) -> tuple[ChatRenderer, Any]:
    chosen = with_template(tokenizer, name)
    return ChatRenderer(chosen, ChatTemplate(chosen), MaskSettings(**mask)), chosen


def learned(rendered: Rendered, tokenizer: Any) -> str:
    return shown(rendered, tokenizer)


def cases() -> list[tuple[str, str]]:
    return [(name, chat) for name in TEMPLATES for chat in [*CHATS, *(THINKING if name in ("qwen3", "qwen3_5_think") else ())]]


@pytest.mark.parametrize(("name", "chat"), cases())
def test_the_tokens_are_transformers_own(chat_tokenizer: Any, name: str, chat: str) -> None:
    conversation = {**CHATS, **THINKING}[chat]
    made, tokenizer = renderer(chat_tokenizer, name)
    rendered = made.render(conversation)
    plain: list[dict[str, Any]] = []
    for message in conversation.messages:  # as transformers' users write them
        calls = [
            {"type": "function", "id": call.call_id, "function": {"name": call.name, "arguments": json.loads(call.arguments)}}
            for call in message.tool_calls or ()
        ]
        plain.append({"role": message.role, "content": message.content, **({"tool_calls": calls} if calls else {})})
        if message.reasoning is not None:
            plain[-1]["reasoning_content"] = message.reasoning
    tools = None if conversation.tools is None else json.loads(conversation.tools)
    assert rendered.ids.tolist() == tokenizer.apply_chat_template(plain, tools=tools, tokenize=True, return_dict=False)
    made.check(conversation, rendered, "row 1")


@pytest.mark.parametrize(("name", "chat"), cases())
def test_what_is_learned_is_what_the_model_writes(chat_tokenizer: Any, name: str, chat: str) -> None:
    """The last reply is what follows the prompt that a served model would be given."""
    conversation = {**CHATS, **THINKING}[chat]
    made, tokenizer = renderer(chat_tokenizer, name, replies="last")
    rendered = made.render(conversation)
    prompt = made.template.prompt(Conversation(conversation.messages[:-1], conversation.tools))
    assert rendered.text.startswith(prompt) or name == "qwen3_5_think"
    written = tokenizer.decode(rendered.ids[rendered.learned].tolist())
    assert written.endswith("<|im_end|>")
    start = rendered.text.rindex(made.template.header) + len(made.template.header)
    start += len(made.template.supplied) if rendered.text.startswith(made.template.supplied, start) else 0
    expected = rendered.text[start:].removesuffix("\n")
    spans = name == "qwen3_5_think" and not conversation.messages[-1].reasoning  # then the token of its two newlines begins in the prompt
    assert written == (expected.removeprefix("\n") if spans else expected)


def test_by_hand(chat_tokenizer: Any) -> None:
    made, tokenizer = renderer(chat_tokenizer, "qwen3")
    assert learned(made.render(CHATS["turns"]), tokenizer) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n⟦b\n\n<|im_end|>⟧\n"
        "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n⟦<think>\n\n</think>\n\nd<|im_end|>⟧\n"
    )
    last, _ = renderer(chat_tokenizer, "qwen3", replies="last")
    assert learned(last.render(CHATS["turns"]), tokenizer).count("⟦") == 1
    calling = learned(made.render(CHATS["tools"]), tokenizer)
    assert '⟦<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": [2.5, "x"]}}\n</tool_call>' in calling
    assert "<tool_response>\n3\n</tool_response>\n<tool_response>\n4\n</tool_response><|im_end|>\n<|im_start|>assistant\n⟦" in calling
    quiet, _ = renderer(chat_tokenizer, "qwen3", reasoning=False)
    assert learned(quiet.render(THINKING["thought"]), tokenizer).endswith("<think>\none and two\n</think>\n\n⟦3<|im_end|>⟧\n")


def test_a_template_that_supplies_the_opening_mark_is_not_taught_to_write_it(chat_tokenizer: Any) -> None:
    made, tokenizer = renderer(chat_tokenizer, "qwen3_5_think")
    assert (made.template.header, made.template.supplied) == ("<|im_start|>assistant\n", "<think>\n")
    assert "<think>\n⟦one and two\n</think>" in learned(made.render(THINKING["thought"]), tokenizer)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("chat", CHATS)
def test_masks_are_those_of_templates_that_mark_what_is_generated(chat_tokenizer: Any, name: str, chat: str) -> None:
    """trl's training templates count a newline behind the end mark, and some of what a prompt supplies: nothing else differs."""
    made, tokenizer = renderer(chat_tokenizer, name)
    rendered = made.render(CHATS[chat])
    marking = with_template(chat_tokenizer, f"{name}_training")
    template = ChatTemplate(marking)
    fields = [template._fields(message) for message in CHATS[chat].messages]
    tools = None if CHATS[chat].tools is None else json.loads(CHATS[chat].tools)  # type: ignore[arg-type]
    peer = marking.apply_chat_template(fields, tools=tools, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    theirs = Rendered("", np.array(peer["input_ids"]), np.array(peer["assistant_masks"], dtype=bool))
    if theirs.ids.tolist() != rendered.ids.tolist():
        thought = "<think>\n\n</think>\n\n"  # the peer keeps empty ones in earlier turns, where the model's own template drops them
        assert tokenizer.decode(theirs.ids).replace(thought, "") == rendered.text.replace(thought, "")
    ours, peers = ([piece.split("⟧")[0].strip() for piece in shown(one, tokenizer).split("⟦")[1:]] for one in (rendered, theirs))
    thoughts = ("<think>\n\n</think>\n\n", "</think>\n\n")
    assert [_without(one, thoughts) for one in ours] == [_without(one, thoughts) for one in peers]


def _without(text: str, starts: tuple[str, ...]) -> str:
    for start in starts:
        text = text.removeprefix(start)
    return text


pieces = st.text(alphabet=st.sampled_from('ab½字\n {}"<>/|é\\'), max_size=12)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(pieces, min_size=2, max_size=6), name=st.sampled_from(TEMPLATES), system=st.booleans())
def test_any_text_renders_and_masks_alike(chat_tokenizer: Any, texts: list[str], name: str, system: bool) -> None:
    messages = [Message("system", "s")] if system else []
    messages += [Message(("user", "assistant")[number % 2], text) for number, text in enumerate(texts[: len(texts) // 2 * 2])]
    conversation = Conversation(tuple(messages))
    made, tokenizer = renderer(chat_tokenizer, name)
    rendered = made.render(conversation)
    made.check(conversation, rendered, "row")
    runs = [piece.split("⟧")[0] for piece in learned(rendered, tokenizer).split("⟦")[1:]]
    replies = [message.content or "" for message in messages if message.role == "assistant"]
    assert len(runs) == len(replies)
    assert all(run.removesuffix("<|im_end|>").strip().endswith(reply.strip()) for run, reply in zip(runs, replies, strict=True))


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ((Message("user", "<|im_start|>assistant\nyes<|im_end|>"), Message("assistant", "no")), "a message spells the template's marks"),
        ((Message("user", "a"), Message("assistant", "b<|im_end|>c")), "is not in the reply"),
        ((Message("user", "a"), Message("assistant", "b"), Message("user", "<|im_start|>assistant\n")), "begins a reply"),
    ],
)
def test_texts_that_spell_marks_are_refused(chat_tokenizer: Any, messages: tuple[Message, ...], said: str) -> None:
    made, _ = renderer(chat_tokenizer, "qwen3")
    with pytest.raises(DataError, match=said):
        made.render(Conversation(messages))


def test_reasoning_where_a_template_has_no_place_for_it(chat_tokenizer: Any) -> None:
    made, _ = renderer(chat_tokenizer, "qwen2_5")
    with pytest.raises(DataError, match="no place for reasoning"):
        made.render(THINKING["thought"])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for message in messages %}{{ message.content }}{% endfor %}", "no generation prompt"),
        ("{% for message in messages %}{{ message.content }}{% endfor %}{% if add_generation_prompt %}Bot: {% endif %}", "no generation prompt"),
        (
            "{% for m in messages %}\n{{ m.role }}: {{ m.content }}{% endfor %}{% if add_generation_prompt %}\nassistant: {% endif %}",
            "no special token",
        ),
        ("{{ messages[-1].content }}", "one after another"),
    ],
)
def test_templates_that_say_too_little_are_refused(chat_tokenizer: Any, source: str, said: str) -> None:
    tokenizer = with_template(chat_tokenizer, "qwen3")
    tokenizer.chat_template = source
    with pytest.raises(ModelError, match=said):
        ChatTemplate(tokenizer)


def test_a_difference_is_shown(chat_tokenizer: Any) -> None:
    made, tokenizer = renderer(chat_tokenizer, "qwen3")
    rendered = made.render(CHATS["plain"])
    other = tokenizer(rendered.text.replace("1 + 2", "1 + 3"), add_special_tokens=False)["input_ids"]
    with pytest.raises(
        DataError, match=r"chats.jsonl:7: the tokens are not those of the chat template; at byte 21: .*1 \+ 2.* there, .*1 \+ 3.* here"
    ):
        made.check(CHATS["plain"], Rendered("", __import__("numpy").array(other), rendered.learned), "chats.jsonl:7")
    assert difference("a", "a") == "the texts are equal, and are cut into other tokens"
    assert difference("ab", "a").startswith("at byte 1:")
