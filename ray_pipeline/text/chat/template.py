"""A model's chat template: conversations as text, and where in the text the model's own replies stand.

The text is transformers' own rendering. How a template marks a reply is not written anywhere, so it is asked: short conversations are
rendered and looked at. From them come

* `header`   what stands before every reply ("<|im_start|>assistant\\n");
* `supplied` what the generation prompt adds to it, which a model is given and does not write ("<think>\\n" in thinking templates);
* `ends`     the special tokens that end a reply, the last and an earlier one;
* `closing`  what stands between reasoning and answer, and under which key the template reads reasoning.

Replies are then found in order, and each has to hold what its message says: a text that spells the template's marks is refused, for
training on it would teach a turn that nobody took.

Traps. Templates drop the reasoning of earlier turns, or trim texts: a reply is what stands in the text. Arguments of calls are given as
objects (a text would be quoted by `tojson`), as vLLM does. Content of None is "" unless a call stands for it: some templates print "None".
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ray_pipeline.errors import DataError, ModelError
from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall

_REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking")
_ASKED, _FIRST, _LAST, _THOUGHT = "Question0", "Reply1", "Reply2", "Thought3"


class Tokenizer(Protocol):
    """What is needed of transformers' tokenizers."""

    all_special_tokens: list[str]

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Reply:
    """`text[start:end]` is what the model writes, the end mark included; `answer` is where the reasoning is over."""

    start: int
    answer: int
    end: int


class ChatTemplate:
    """Of one tokenizer. `options` go to every rendering: `enable_thinking` and the like."""

    def __init__(self, tokenizer: Tokenizer, options: Mapping[str, Any] | None = None) -> None:
        self._tokenizer, self._options = tokenizer, dict(options or {})
        user = {"role": "user", "content": _ASKED}
        asked, prompt = self._rendered([user]), self._rendered([user], add_generation_prompt=True)
        both = self._rendered([user, {"role": "assistant", "content": _FIRST}, user, {"role": "assistant", "content": _LAST}])
        first, last = both.find(_FIRST), both.find(_LAST)
        if not (prompt.startswith(asked) and both.startswith(asked) and 0 < first < last):
            raise ModelError("the chat template does not put turns one after another; replies cannot be told from the rest of its text")
        generation = prompt[len(asked) :]
        self.header = _common_start(generation, both[len(asked) : first])
        self.supplied = generation[len(self.header) :]
        if not self.header.strip():
            raise ModelError("the chat template has no generation prompt that stands before replies; take the model's own template")
        self.ends = tuple({self._special(both[first + len(_FIRST) :]), self._special(both[last + len(_LAST) :])})
        self.reasoning_key, self.closing = self._reasoning(user)

    def text(self, conversation: Conversation) -> str:
        """The whole conversation."""
        return str(self._applied(conversation, tokenize=False))

    def ids(self, conversation: Conversation) -> list[int]:
        """The whole conversation in tokens, as transformers gives them."""
        return list(self._applied(conversation, tokenize=True, return_dict=False))

    def prompt(self, conversation: Conversation) -> str:
        """What the model is given to answer to."""
        return str(self._applied(conversation, tokenize=False, add_generation_prompt=True))

    def between(self, conversation: Conversation, messages: Sequence[Message]) -> tuple[str, str]:
        """What ends a reply to the conversation, and what stands from there to the next reply, where these messages come after it.

        The reply is a short one of the kind that the messages answer: what stands behind a reply does not depend on what it says."""
        called = tuple(ToolCall(one.name or _LAST, "{}", one.call_id) for one in messages if one.role == "tool")
        reply = Message("assistant", _LAST, tool_calls=called or None)
        whole = Conversation((*conversation.messages, reply, *messages), conversation.tools)
        text, prompt = self.text(whole), self.prompt(whole)
        end = self.replies(whole, text)[-1].end
        mark = max((one for one in self.ends if text[:end].endswith(one)), key=len).strip()
        return mark, prompt[end:]

    def replies(self, conversation: Conversation, text: str) -> list[Reply]:
        """The assistant's messages in the text."""
        found, cursor = [], 0
        for number, message in enumerate(conversation.messages):
            if message.role == "assistant":
                reply = self._reply(number, message, text, cursor)
                found.append(reply)
                cursor = reply.end
        if text.find(self.header, cursor) >= 0:
            raise DataError(f"a message spells {self.header!r}, which begins a reply in the chat template; leave this conversation out")
        return found

    def _reply(self, number: int, message: Message, text: str, cursor: int) -> Reply:
        at = text.find(self.header, cursor)
        start = at + len(self.header)
        stops = [found + len(mark) for mark in self.ends if (found := text.find(mark, start)) >= 0]
        if at < 0 or not stops:
            raise DataError(f"messages[{number}]: the chat template renders no reply for it; two replies in a row are one turn: join them")
        end = min(stops)
        said = [message.content or "", *(call.name for call in message.tool_calls or ())]
        missing = next((one for one in said if one.strip() not in text[start:end]), None)
        if missing is not None:
            raise DataError(f"messages[{number}]: {missing.strip()[:60]!r} is not in the reply as rendered: a message spells the template's marks")
        if self.supplied and text.startswith(self.supplied, start):
            start += len(self.supplied)
        return Reply(start, self._answer(message, text, start, end), end)

    def _answer(self, message: Message, text: str, start: int, end: int) -> int:
        thought = (message.reasoning or "").strip()
        at = text.find(thought, start, end) if thought else -1
        if at < 0:
            return start  # it has none, or the template drops it from an earlier turn
        closed = text.find(self.closing.strip(), at + len(thought), end)
        after = closed + len(self.closing.strip()) if closed >= 0 else at + len(thought)
        return after + len(text[after:end]) - len(text[after:end].lstrip())

    def _fields(self, message: Message) -> dict[str, Any]:
        """A message in the template's words."""
        keeps_none = message.content is None and message.role == "assistant" and bool(message.tool_calls)
        found: dict[str, Any] = {"role": message.role, "content": None if keeps_none else message.content or ""}
        if message.reasoning is not None:
            if self.reasoning_key is None:
                raise DataError("the chat template has no place for reasoning; leave it out of the data, or take a thinking model's template")
            found[self.reasoning_key] = message.reasoning
        if message.name is not None:
            found["name"] = message.name
        if message.call_id is not None:
            found["tool_call_id"] = message.call_id
        if message.tool_calls is not None:
            found["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": json.loads(call.arguments)}}
                | ({} if call.call_id is None else {"id": call.call_id})
                for call in message.tool_calls
            ]
        return found

    def _applied(self, conversation: Conversation, **how: Any) -> Any:
        fields = [self._fields(message) for message in conversation.messages]
        offered = None if conversation.tools is None else json.loads(conversation.tools)
        return self._tokenizer.apply_chat_template(fields, tools=offered, **self._options, **how)

    def _rendered(self, messages: list[dict[str, Any]], **more: Any) -> str:
        """Of the short conversations that the template is asked with."""
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, **self._options, **more))

    def _special(self, tail: str) -> str:
        """The text up to and with the special token that ends a reply."""
        found = next((token for token in self._tokenizer.all_special_tokens if token and tail.lstrip().startswith(token)), None)
        if found is None:
            raise ModelError(f"no special token of the tokenizer ends a reply in the chat template; behind it stands {tail[:30]!r}")
        return tail[: tail.index(found)] + found

    def _reasoning(self, user: dict[str, str]) -> tuple[str | None, str]:
        for key in _REASONING_KEYS:
            text = self._rendered([user, {"role": "assistant", key: _THOUGHT, "content": _LAST}])
            if _THOUGHT in text:
                return key, text[text.index(_THOUGHT) + len(_THOUGHT) : text.index(_LAST)]
        return None, ""


def _common_start(one: str, other: str) -> str:
    return "".join(left for left, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
