"""A prompt and its continuation as tokens, without a chat template: how base models are taught to complete code.

The two are made into tokens apart, as they are when the model answers: it is given the prompt's tokens and writes others, whatever one
tokenizer would have joined across the border. The end of text stands behind the continuation and is learned: who never sees it never
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ray_pipeline.errors import DataError, ModelError
from ray_pipeline.text.chat.conversation import Conversation, Message
from ray_pipeline.text.chat.rendering import Rendered


class PlainRenderer:
    """Renders pairs of one user's and one assistant's turn for one tokenizer."""

    supplied = ""  # a template's opening of every reply; here there is none

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise ModelError("the tokenizer has no token that ends a text; a model taught without one never ends")
        self._tokenizer = tokenizer

    def render(self, conversation: Conversation, after: int = 0) -> Rendered:
        roles = [message.role for message in conversation.messages]
        if roles != ["user", "assistant"] or conversation.tools is not None or any(message.tool_calls for message in conversation.messages):
            raise DataError(f"plain text is a prompt and its continuation, and this has {', '.join(roles)}; set render.form=chat")
        prompt, answer = (message.content or "" for message in conversation.messages)
        head = self._head(prompt)
        body = [*self._ids(answer), self._tokenizer.eos_token_id]
        learned = np.arange(len(head) + len(body)) >= len(head)
        return Rendered(prompt + answer + self._tokenizer.eos_token, np.array([*head, *body], dtype=np.int64), learned)

    def prompt(self, conversation: Conversation) -> list[int]:
        if [message.role for message in conversation.messages] != ["user"]:
            raise DataError("plain text is continued from one prompt, and this has more turns; set form=chat")
        return self._head(conversation.messages[0].content or "")

    def between(self, conversation: Conversation, messages: Sequence[Message], written: Sequence[int]) -> list[int]:
        raise DataError("plain text is continued once, and this would go on behind the continuation; set form=chat")

    def _head(self, prompt: str) -> list[int]:
        return self._ids(prompt) if prompt else [self._tokenizer.eos_token_id]  # something has to foretell the first token

    def check(self, conversation: Conversation, rendered: Rendered, where: str) -> None:
        """There is no template to be compared with: what stands in the data is what the tokens say, or the tokenizer loses some of it."""
        said = "".join(message.content or "" for message in conversation.messages)
        own = self._tokenizer.decode(rendered.ids[:-1].tolist(), clean_up_tokenization_spaces=False).removeprefix(self._tokenizer.eos_token)
        if own != said:
            raise DataError(f"{where}: the tokenizer does not keep this text: {said[:60]!r} comes back as {own[:60]!r}")

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
