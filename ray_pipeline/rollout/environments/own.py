"""An environment of the user's own: `file.py:Class`.

    class Guess:
        def __init__(self, task): ...        # {"task_id", "messages", "tools", "facts"}
        def answer(self, reply): ...         # {"text", "said", "calls", "whole"} -> messages [{"role": "user" or "tool", "content"}]; [] ends it
        def standing(self): ...              # a number, or {"worth", "calls", "failed"}

All rollouts' objects live in one process beside this one (`rollout/own_program.py`), which is started and checked before any engine is. What raises,
hangs or answers nonsense fails its own rollout. A process that hangs or has gone is started anew, and the rollouts that lived in it are brought to
where they were: they hear their replies once more, and have to answer the same. One that answers otherwise (it draws, it looks at a clock) fails
then, since its policy would go on from words that its environment no longer knows.

It is asked from one thread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.environment import EnvironmentFault, Reply, Standing
from ray_pipeline.rollout.own_program import OwnProgram
from ray_pipeline.text.chat.conversation import Message

MOST_NESTED: Final = 50  # lists and objects within each other, in a call
_ROLES: Final = ("user", "tool", "system")
_KEYS: Final = ("role", "content", "name", "call_id")


class OwnEnvironments:
    """The process, and which of its lives it is in."""

    def __init__(self, where: str, seconds: float) -> None:
        self._program = OwnProgram("environment", where, seconds)
        self._begun = 0
        self.life = 0

    def begin(self, task: Task) -> OwnEnvironment:
        self._begun += 1
        return OwnEnvironment(self, self._begun, task)

    def close(self) -> None:
        """End the process."""
        self._program.close()

    def ask(self, question: Mapping[str, Any]) -> Any:
        """What the user's code answers."""
        try:
            found = self._program.ask(question)
        except TimeoutError:
            self._again()
            raise EnvironmentFault(f"no answer within {self._program.seconds:g} s, asked for {question['what']}") from None
        except (OSError, EOFError):
            self._again()
            raise EnvironmentFault(f"its process ended, asked for {question['what']}") from None
        except RecursionError:
            raise EnvironmentFault(f"{question['what']}: what it answered is nested too deeply") from None
        if "failed" in found:
            raise EnvironmentFault(f"{question['what']}: {found['failed']}")
        return found[question["what"]]

    def _again(self) -> None:
        self._program.restart()
        self.life += 1


class OwnEnvironment:
    """One rollout. It knows what was said, to say it again to a new process."""

    def __init__(self, home: OwnEnvironments, number: int, task: Task) -> None:
        self._home, self._number, self._task = home, number, task
        self._said: list[tuple[dict[str, Any], Any]] = []
        self._life: int | None = None
        self._fault: str | None = None
        self._asked()

    def answer(self, reply: Reply) -> Sequence[Message]:
        plain = {"text": reply.text, "said": reply.said, "calls": _calls(reply), "whole": reply.whole}
        answer = self._asked("answer", reply=plain)
        self._said.append((plain, answer))
        try:
            return _messages(answer)
        except ValueError as problem:
            raise self._failed(f"answer: {problem}") from None

    def standing(self) -> Standing:
        value = self._asked("standing")
        try:
            return _standing(value)
        except ValueError as problem:
            raise self._failed(f"standing: {problem}") from None

    def _asked(self, what: str | None = None, **more: Any) -> Any:
        """None: to begin is all there is to do."""
        if self._fault is not None:
            raise EnvironmentFault(self._fault)
        try:
            if self._life != self._home.life:
                self._replay()
            return None if what is None else self._home.ask({"what": what, "world": self._number, **more})
        except EnvironmentFault as problem:
            raise self._failed(str(problem)) from None

    def _replay(self) -> None:
        self._life = self._home.life
        task = {"task_id": self._task.task_id, "messages": [asdict(one) for one in self._task.messages]}
        tools = None if self._task.tools is None else json.loads(self._task.tools)
        self._home.ask({"what": "begin", "world": self._number, "task": {**task, "tools": tools, "facts": dict(self._task.facts)}})
        for reply, answer in self._said:
            if self._home.ask({"what": "answer", "world": self._number, "reply": reply}) != answer:
                raise EnvironmentFault("its process was started anew, and it answers otherwise than before; nothing but task and replies may decide")

    def _failed(self, why: str) -> EnvironmentFault:
        """It stays so."""
        self._fault = f"{self._task.task_id}: {why}"
        return EnvironmentFault(self._fault)


def _calls(reply: Reply) -> list[dict[str, Any]] | None:
    """As JSON. Calls can be nested a thousand deep and then not be written again: such count as unreadable."""
    if reply.calls is None or any(_deeper(one.arguments, MOST_NESTED) for one in reply.calls):
        return None
    return [{"name": one.name, "arguments": one.arguments} for one in reply.calls]


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def _messages(answer: Any) -> list[Message]:
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise ValueError(f"answered {_shown(answer)}, which is no list of messages")
    return [_message(one) for one in answer]


def _message(one: dict[str, Any]) -> Message:
    if unknown := one.keys() - set(_KEYS):
        raise ValueError(f"a message has {', '.join(sorted(unknown))}; it may have {', '.join(_KEYS)}")
    if one.get("role") not in _ROLES:
        raise ValueError(f"a message has the role {one.get('role')!r}; an environment speaks as {', '.join(_ROLES)}")
    texts = [one.get(key) for key in _KEYS[1:]]
    if not isinstance(texts[0], str) or not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError(f"a message's content is a text, and so are name and call_id where they are given; it answered {_shown(one)}")
    if any(text is not None and any("\ud800" <= sign <= "\udfff" for sign in text) for text in texts):
        raise ValueError(f"a message holds half of a surrogate pair, which no tokenizer reads: {_shown(one)}")
    return Message(**one)


def _standing(value: Any) -> Standing:
    found = value if isinstance(value, dict) else {"worth": value}
    if "worth" not in found or found.keys() - {"worth", "calls", "failed"}:
        raise ValueError(f"answered {_shown(value)}; it may have worth, calls and failed, and has to have the first")
    worth, counts = found["worth"], [found.get("calls", 0), found.get("failed", 0)]
    if isinstance(worth, bool) or not isinstance(worth, int | float) or not math.isfinite(worth):
        raise ValueError(f"answered {_shown(value)}, and worth is a finite number")
    if any(type(count) is not int or count < 0 for count in counts):
        raise ValueError(f"answered {_shown(value)}, and calls and failed are whole numbers of 0 or more")
    return Standing(float(worth), *counts)


def _shown(value: Any) -> str:
    return ascii(value)[:200]
