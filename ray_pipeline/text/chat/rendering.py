"""Conversations as token ids with a mask of what is learned: the one function that training, evaluation and RL render with.

The ids are those of `apply_chat_template(..., tokenize=True)`: the whole text goes through the tokenizer once. A token is learned if it
begins inside what the model would have written, and never if it began before: one that spans the border was not the model's choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message
from ray_pipeline.text.chat.template import ChatTemplate, Tokenizer

_SHOWN: Final = 40  # bytes each side of a difference


class MaskSettings(Settings):
    """What of a conversation is learned. Tool results, users and systems never are."""

    replies: Literal["all", "last"] = identity("all", "the replies whose tokens count: all of a conversation's, or its last")
    reasoning: bool = identity(True, "whether reasoning counts; without it a thinking model is taught to answer, not to think")


@dataclass(frozen=True)
class Rendered:
    """A conversation in tokens. `learned`: true where a token counts."""

    text: str
    ids: NDArray[np.int64]
    learned: NDArray[np.bool_]
    straddling: int = 0  # tokens that begin before a reply and end within it: partly the model's, and not learned


class ChatTokenizer(Tokenizer, Protocol):
    """A fast tokenizer of transformers."""

    def __call__(self, text: str, **options: Any) -> Any: ...

    def decode(self, token_ids: Sequence[int]) -> str: ...


class Renderer(Protocol):
    """Makes conversations into tokens."""

    @property
    def supplied(self) -> str:
        """What a model is given of every reply, and does not write."""

    def render(self, conversation: Conversation, after: int = 0) -> Rendered:
        """`after`: replies among so many messages at the beginning are not learned."""

    def prompt(self, conversation: Conversation) -> list[int]:
        """The tokens that a model is given to answer a conversation's last message."""

    def between(self, conversation: Conversation, messages: Sequence[Message], written: Sequence[int]) -> list[int]:
        """The tokens between a reply that was `written` to a conversation and the next one, where these messages come after it."""

    def check(self, conversation: Conversation, rendered: Rendered, where: str) -> None:
        """Refuse a rendering that is not what the model will be given when it is used."""


class ChatRenderer:
    """Renders conversations for one tokenizer."""

    def __init__(self, tokenizer: ChatTokenizer, template: ChatTemplate, mask: MaskSettings) -> None:
        self._tokenizer, self.template, self._mask = tokenizer, template, mask

    @property
    def supplied(self) -> str:
        return self.template.supplied

    def render(self, conversation: Conversation, after: int = 0) -> Rendered:
        text = self.template.text(conversation)
        given = sum(message.role == "assistant" for message in conversation.messages[:after])
        replies = self.template.replies(conversation, text)[given:]
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        starts, ends = np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2).T
        learned, straddling = np.zeros(len(starts), dtype=bool), 0
        for reply in replies[-1:] if self._mask.replies == "last" else replies:
            begin = reply.start if self._mask.reasoning else reply.answer
            learned |= (starts >= begin) & (starts < reply.end)
            straddling += int(((starts < begin) & (ends > begin)).sum())
        return Rendered(text, np.array(encoded["input_ids"], dtype=np.int64), learned, straddling)

    def prompt(self, conversation: Conversation) -> list[int]:
        return self._ids(self.template.prompt(conversation))

    def between(self, conversation: Conversation, messages: Sequence[Message], written: Sequence[int]) -> list[int]:
        end, rest = self.template.between(conversation, messages)
        closing = self._ids(end)
        missing = [] if list(written[-len(closing) :]) == closing else closing  # it was stopped by another mark
        return missing + self._ids(rest)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def check(self, conversation: Conversation, rendered: Rendered, where: str) -> None:
        """Refuse a rendering that is not the template's own, showing where the two part."""
        own, ours = self.template.ids(conversation), rendered.ids.tolist()
        if own != ours:
            texts = self._tokenizer.decode(own), self._tokenizer.decode(ours)
            raise DataError(f"{where}: the tokens are not those of the chat template; {difference(*texts)}")


def difference(expected: str, found: str) -> str:
    """The first byte in which two texts differ, with what stands around it."""
    left, right = expected.encode(), found.encode()
    if left == right:
        return "the texts are equal, and are cut into other tokens"
    at = next((place for place, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), min(len(left), len(right)))
    shown = (repr(side[max(0, at - _SHOWN) : at + _SHOWN].decode(errors="replace")) for side in (left, right))
    return "at byte {}: {} there, {} here".format(at, *shown)


def shown(rendered: Rendered, tokenizer: ChatTokenizer) -> str:
    """The text with what is learned between brackets, for a person to look at."""
    runs = ((learned, tokenizer.decode(ids)) for learned, ids in _runs(rendered))
    return "".join(f"⟦{text}⟧" if learned else text for learned, text in runs)


def _runs(rendered: Rendered) -> Sequence[tuple[bool, list[int]]]:
    edges = [0, *(np.flatnonzero(np.diff(rendered.learned)) + 1).tolist(), len(rendered.ids)]
    return [(bool(rendered.learned[begin]), rendered.ids[begin:end].tolist()) for begin, end in itertools.pairwise(edges) if end > begin]
