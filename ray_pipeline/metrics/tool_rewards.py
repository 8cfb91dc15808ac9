"""What a reply that should call tools is worth: pure functions of the reply and the calls that are right.

* exact     1 if the calls are the right ones (none, where none is right), else 0: what GRPO was rewarded by in the logs
* strict    the same, and the chain of thought has to be well formed and the calls stand behind it: EGPO's
* partial   for each right call, half for the name and half for the share of its arguments; calls too many divide it
* format    1 if the chain of thought is well formed and every call can be read
* overlong  0 up to `room` tokens before the limit, from there down to -1 at the limit: DAPO's soft punishment

Values are compared as they are typed: 1 is not 1.0 and not true, and a list has its order. A reply that cannot be read says no call and is worth 0,
also where none is right: a broken call is not silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.metrics.thought import Thought, thought_of
from ray_pipeline.metrics.tool_calls import Call, read_calls, same_calls, same_value


def exact(reply: str, right: Sequence[Call], supplied: str = "") -> float:
    """Whatever was thought before."""
    return _right(_calls(thought_of(reply, supplied)), right)


def strict(reply: str, right: Sequence[Call], supplied: str = "") -> float:
    """The format counts, too."""
    found = thought_of(reply, supplied)
    return _right(read_calls(found.rest), right) if found.well_formed else 0.0


def formatted(reply: str, supplied: str = "") -> float:
    found = thought_of(reply, supplied)
    return float(found.well_formed and read_calls(found.rest) is not None)


def partial(reply: str, right: Sequence[Call], supplied: str = "") -> float:
    """1 for the right calls, 0 for none of them; where no call is right, 1 for silence alone."""
    found = _calls(thought_of(reply, supplied))
    if found is None:
        return 0.0
    if not right or not found:
        return float(not right and not found)
    left, credit = list(right), 0.0
    for call in sorted(found, key=lambda one: -max(_credit(one, other) for other in right)):  # the surest first, so none takes another's place
        if not left:
            break
        best = max(range(len(left)), key=lambda at: _credit(call, left[at]))
        credit += _credit(call, left.pop(best))
    return credit / max(len(found), len(right))


def overlong(tokens: int, limit: int, room: int) -> float:
    """`room`: over how many tokens the punishment grows."""
    return -min(1.0, max(0.0, (tokens - (limit - room)) / max(1, room)))


def _calls(found: Thought) -> list[Call] | None:
    """Calls behind the thought; a call within it is a thought."""
    return read_calls(found.rest)


def _right(found: Sequence[Call] | None, right: Sequence[Call]) -> float:
    return float(found is not None and same_calls(found, right, typed=True))


def _credit(call: Call, other: Call) -> float:
    if call.name != other.name:
        return 0.0
    keys = call.arguments.keys() | other.arguments.keys()
    same = sum(key in call.arguments and key in other.arguments and same_value(call.arguments[key], other.arguments[key], typed=True) for key in keys)
    return 0.5 + 0.5 * (same / len(keys) if keys else 1.0)
