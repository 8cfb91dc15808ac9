"""What was thought and what was said."""

from __future__ import annotations

import pytest

from ray_pipeline.metrics.thought import Thought, thought_of


@pytest.mark.parametrize(
    ("reply", "supplied", "found"),
    [
        ("<think>\nI add.\n</think>\n3", "", Thought("I add.", "\n3", True)),
        ("I add.\n</think>\n3", "<think>\n", Thought("I add.", "\n3", True)),
        ("I add.\n</think>\n3", "", Thought(None, "\n3", False)),
        ("<think></think>3", "", Thought("", "3", True)),
        ("3", "", Thought(None, "3", False)),
        ("Well. <think>a</think>3", "", Thought("a", "3", False)),
        ("<think>a<think>b</think>3", "", Thought("a<think>b", "3", False)),
        ("<think>a</think>3</think>", "", Thought("a", "3</think>", False)),
        ("3 <think>and on and on", "", Thought(None, "3 ", False)),
        ("on and on", "<think>", Thought(None, "", False)),
    ],
)
def test_by_hand(reply: str, supplied: str, found: Thought) -> None:
    assert thought_of(reply, supplied) == found
