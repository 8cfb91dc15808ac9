"""Prompts: the exact strings around a query or a document.

A prompt splits a text into a prefix, the body (the user's own words) and a suffix, so that truncation can cut the
body and never the prompt. The strings follow the models' own cards; a byte of difference trains or serves another
model, which is why the prompt lives inside the settings that fingerprint every vector and travels with the model.

| kind            | query                                                              | document        |
|-----------------|--------------------------------------------------------------------|-----------------|
| plain           | `{q}`                                                              | `{d}`           |
| e5              | `query: {q}`                                                       | `passage: {d}`  |
| e5-mistral      | `Instruct: {task}` newline `Query: {q}` (a space)                  | `{d}`           |
| qwen3-embedding | `Instruct: {task}` newline `Query:{q}` (no space)                  | `{d}`           |
| bge-icl         | examples, `<instruct>{task}` newline `<query>{q}` newline `<response>` | `{d}`       |
| custom          | your own prefixes and suffixes                                     | yours           |
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from ray_pipeline.config import Settings, identity

Side = Literal["query", "document"]


class Wrapped(NamedTuple):
    """What stands before and after the body."""

    prefix: str
    suffix: str


class PlainPrompt(Settings):
    kind: Literal["plain"] = identity("plain", "texts as they are")

    def wrap(self, side: Side) -> Wrapped:
        return Wrapped("", "")


class E5Prompt(Settings):
    kind: Literal["e5"] = identity("e5", "`query: ` and `passage: `")

    def wrap(self, side: Side) -> Wrapped:
        return Wrapped("query: " if side == "query" else "passage: ", "")


class InstructPrompt(Settings):
    """e5-mistral and Qwen3-Embedding differ in one space."""

    kind: Literal["e5-mistral", "qwen3-embedding"] = identity("e5-mistral", "an instruction before the query")
    task: str = identity("Given a web search query, retrieve relevant passages that answer the query", "the instruction")

    def wrap(self, side: Side) -> Wrapped:
        if side == "document":
            return Wrapped("", "")
        gap = " " if self.kind == "e5-mistral" else ""
        return Wrapped(f"Instruct: {self.task}\nQuery:{gap}", "")


class Example(Settings):
    """One solved example for in-context embedding."""

    query: str = identity(..., "the example's query")
    response: str = identity(..., "the text it should find")
    task: str | None = identity(None, "the example's own instruction; the prompt's where null")


class IclPrompt(Settings):
    kind: Literal["bge-icl"] = identity("bge-icl", "BGE-ICL: an instruction and solved examples before the query")
    task: str = identity(..., "the instruction")
    examples: tuple[Example, ...] = identity((), "solved examples, in order")

    def wrap(self, side: Side) -> Wrapped:
        if side == "document":
            return Wrapped("", "")
        shown = [
            f"<instruct>{self.task if one.task is None else one.task}\n<query>{one.query}\n<response>{one.response}\n\n" for one in self.examples
        ]
        return Wrapped("".join(shown) + f"<instruct>{self.task}\n<query>", "\n<response>")


class CustomPrompt(Settings):
    kind: Literal["custom"] = identity("custom", "your own strings")
    query_prefix: str = identity("", "before a query")
    query_suffix: str = identity("", "after a query")
    document_prefix: str = identity("", "before a document")
    document_suffix: str = identity("", "after a document")

    def wrap(self, side: Side) -> Wrapped:
        if side == "query":
            return Wrapped(self.query_prefix, self.query_suffix)
        return Wrapped(self.document_prefix, self.document_suffix)


Prompt = Annotated[PlainPrompt | E5Prompt | InstructPrompt | IclPrompt | CustomPrompt, Field(discriminator="kind")]
