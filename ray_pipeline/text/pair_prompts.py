"""Prompts of rerankers: the exact strings around a query and a passage that are judged together.

A prompt is five pieces, each made into tokens by itself: a head, the query, a middle, the passage and a tail. So truncation can
take the end of the passage and never the prompt, what stands before the passage is the same for all passages of a query and can be
computed once, and a text cannot change how the prompt around it is cut into tokens.

| kind           | head        | query                                               | middle  | passage    | tail                        |
|----------------|-------------|-----------------------------------------------------|---------|------------|-----------------------------|
| flag           |             | `A: {q}`                                            | newline | `B: {p}`   | newline; the question       |
| qwen3-reranker | system turn | `<Instruct>: {task}` `<Query>: {q}` `<Document>:`, a line each | | ` {p}`     | end of turn, empty thought  |
| pair           |             | `{q}`                                               |         | `{p}`      |                             |

`flag` is FlagEmbedding's format for causal rerankers: the model goes on with "Yes" or "No" (it makes tokens piece by piece, too).
Qwen3-Reranker goes on with "yes" or "no". `pair` is how encoders with a classification head read two texts: their tokenizer puts
its special tokens around them.

Trap: the space between `<Document>:` and a passage belongs to the passage's first word, as byte-level tokenizers cut it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from ray_pipeline.config import Settings, identity
from ray_pipeline.text.prompts import Wrapped

_QWEN3_HEAD: Final = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
_QWEN3_TAIL: Final = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


class PairPieces(NamedTuple):
    """What stands where. Head, middle and tail are lists of strings, each made into tokens by itself."""

    head: tuple[str, ...]
    query: Wrapped
    middle: tuple[str, ...]
    passage: Wrapped
    tail: tuple[str, ...]


class FlagPrompt(Settings):
    kind: Literal["flag"] = identity("flag", "FlagEmbedding's causal rerankers: A, B, and a question at the end")
    question: str = identity(
        "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a prediction of "
        "either 'Yes' or 'No'.",
        "what is asked at the end",
    )
    query_prefix: str = identity("A: ", "before the query")
    passage_prefix: str = identity("B: ", "before the passage")

    def pieces(self) -> PairPieces:
        return PairPieces((), Wrapped(self.query_prefix, ""), ("\n",), Wrapped(self.passage_prefix, ""), ("\n", self.question))


class Qwen3RerankerPrompt(Settings):
    kind: Literal["qwen3-reranker"] = identity("qwen3-reranker", "Qwen3-Reranker's chat, with an empty thought")
    task: str = identity("Given a web search query, retrieve relevant passages that answer the query", "the instruction")

    def pieces(self) -> PairPieces:
        query = Wrapped(f"<Instruct>: {self.task}\n<Query>: ", "\n<Document>:")
        return PairPieces((_QWEN3_HEAD,), query, (), Wrapped(" ", ""), (_QWEN3_TAIL,))


class TwoTextsPrompt(Settings):
    kind: Literal["pair"] = identity("pair", "two texts, with the special tokens that the tokenizer puts around them")
    query_prefix: str = identity("", "before the query")
    passage_prefix: str = identity("", "before the passage")

    def pieces(self) -> PairPieces:
        return PairPieces((), Wrapped(self.query_prefix, ""), (), Wrapped(self.passage_prefix, ""), ())


PairPrompt = Annotated[FlagPrompt | Qwen3RerankerPrompt | TwoTextsPrompt, Field(discriminator="kind")]
