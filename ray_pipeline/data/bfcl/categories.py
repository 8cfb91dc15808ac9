"""The categories that can be asked here: all of BFCL's that need no network and speak Python.

Left out: Java and JavaScript (their values are written in those languages), memory and web search (a vector store, a search engine), and the
sensitivity to formats (other ways to write calls than the model's own).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

SingleTurn = Literal[
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
]
MultiTurn = Literal["multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context"]
Category = Literal[SingleTurn, MultiTurn]
MULTI_TURN: Final[tuple[str, ...]] = get_args(MultiTurn)
CATEGORIES: Final[tuple[str, ...]] = (*get_args(SingleTurn), *MULTI_TURN)
WITHOUT_ANSWERS: Final = ("irrelevance", "live_irrelevance", "live_relevance")  # whether anything is called is all that counts
