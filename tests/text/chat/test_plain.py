"""A prompt and its continuation without a template."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message
from ray_pipeline.text.chat.plain import PlainRenderer


def pair(prompt: str, answer: str) -> Conversation:
    return Conversation((Message("user", prompt), Message("assistant", answer)))


def test_by_hand(chat_tokenizer: Any) -> None:
    made = PlainRenderer(chat_tokenizer).render(pair("the user ask", "s and"))
    prompt, answer = (chat_tokenizer(text)["input_ids"] for text in ("the user ask", "s and"))
    assert made.ids.tolist() == [*prompt, *answer, chat_tokenizer.eos_token_id]
    assert made.learned.tolist() == [False] * len(prompt) + [True] * (len(answer) + 1)
    assert made.ids.tolist()[:-1] != chat_tokenizer("the user asks and")["input_ids"]  # which one word across the border would have been


def test_an_empty_prompt_has_a_token_that_foretells(chat_tokenizer: Any) -> None:
    made = PlainRenderer(chat_tokenizer).render(pair("", "the"))
    assert made.ids[0] == chat_tokenizer.eos_token_id
    assert not made.learned[0]
    assert made.learned[1:].all()


@settings(max_examples=40, deadline=None)
@given(prompt=st.text(max_size=20), answer=st.text(max_size=20))
def test_any_text_is_kept(chat_tokenizer: Any, prompt: str, answer: str) -> None:
    renderer, conversation = PlainRenderer(chat_tokenizer), pair(prompt, answer)
    renderer.check(conversation, renderer.render(conversation), "here")


def test_a_tokenizer_that_loses_text_is_refused(chat_tokenizer: Any) -> None:
    from tokenizers import normalizers

    from tests.chat_models import byte_tokenizer

    lossy = byte_tokenizer()
    lossy.backend_tokenizer.normalizer = normalizers.Lowercase()
    renderer, conversation = PlainRenderer(lossy), pair("Def F", "x")
    with pytest.raises(DataError, match=r"row 3: the tokenizer does not keep this text: 'Def Fx' comes back as 'def fx'"):
        renderer.check(conversation, renderer.render(conversation), "row 3")


@pytest.mark.parametrize(
    "given", [Conversation((Message("user", "a"),)), Conversation((Message("system", "s"), Message("user", "a"), Message("assistant", "b")))]
)
def test_other_turns_are_refused(chat_tokenizer: Any, given: Conversation) -> None:
    with pytest.raises(DataError, match=r"set render\.form=chat"):
        PlainRenderer(chat_tokenizer).render(given)
