"""Prompts of listwise rerankers, and what their answers say.

A listwise reranker sees a query and a window of documents at once, each behind an identifier, and answers with an order:

* windows  numbers: `[2] > [1] > [3]` is generated and parsed (Sun et al. 2023, "RankGPT", arXiv 2304.09542);
* letters  letters: nothing is generated, the letters are ordered by their logits as the first word of the answer (Gangi Reddy et al. 2024,
           "FIRST", arXiv 2406.15657), so every document gets a score and no answer can be malformed.

What models answer is not always an order. The parser takes the identifiers as they come, drops those that are unknown or were there
before, and appends what was left out in the order it was given: every document comes out exactly once, whatever was said.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Final

LETTERS: Final = string.ascii_uppercase
_NUMBER: Final = re.compile(r"\d+")


def numbered_question(query: str, documents: Sequence[str]) -> str:
    """The question to a model that answers with numbers."""
    listed = "\n".join(f"[{number}] {document}" for number, document in enumerate(documents, 1))
    example = " > ".join(f"[{number}]" for number in (2, 1, *range(3, len(documents) + 1))[: max(len(documents), 1)])
    return (
        f"Here are {len(documents)} passages, each behind a number in brackets, and a query.\n\n{listed}\n\nQuery: {query}\n\n"
        "Order all passages by how well they answer the query, the best first. "
        f"Answer with the numbers alone, in this form: {example}"
    )


def lettered_question(query: str, documents: Sequence[str]) -> str:
    """The question to a model whose first word is read."""
    if len(documents) > len(LETTERS):
        raise ValueError(f"{len(documents)} documents, and there are {len(LETTERS)} letters")
    listed = "\n".join(f"{letter}. {document}" for letter, document in zip(LETTERS, documents, strict=False))
    return (
        f"Here are {len(documents)} passages, each behind a letter, and a query.\n\n{listed}\n\nQuery: {query}\n\n"
        "Which passage answers the query best? Answer with its letter alone."
    )


def order_of(answer: str, count: int) -> list[int]:
    """The documents (from 0) in the order that `answer` gives them, each once."""
    named = (int(found) - 1 for found in _NUMBER.findall(answer))
    known = dict.fromkeys(number for number in named if 0 <= number < count)
    return [*known, *(number for number in range(count) if number not in known)]
