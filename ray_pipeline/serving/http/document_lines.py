"""Documents as a stream of JSON lines: `{"doc_id": ..., "text": ...}` adds one, `{"delete": "id"}` deletes one.

They are taken in batches while they come, so a stream may be longer than any body. A batch is kept whole or not at all; where a line is wrong
the answer says which, and how many were kept before it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from ray_pipeline.serving.http.endpoint import Answer, Lines, json_answer
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.model import OurRequest, read
from ray_pipeline.serving.shapes.search import ChangeRequest, GivenDocument

_BATCH: Final = 256


class Writer(Protocol):
    """Where documents are added and deleted."""

    async def change(self, request: ChangeRequest) -> dict[str, Any]: ...


class _Delete(OurRequest):
    delete: str


class _Batch:
    """Lines that go together: of one document only one."""

    def __init__(self) -> None:
        self.documents: dict[str, GivenDocument] = {}
        self.deleted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self.documents) + len(self.deleted)

    def add(self, value: Any) -> None:
        if isinstance(value, dict) and set(value) == {"delete"}:
            name = read(_Delete, value).delete
            self.documents.pop(name, None)
            self.deleted[name] = None
        else:
            document = read(GivenDocument, value)
            ChangeRequest(documents=[document]).checked()
            self.deleted.pop(document.doc_id, None)
            self.documents[document.doc_id] = document

    def request(self) -> ChangeRequest:
        return ChangeRequest(documents=list(self.documents.values()), delete=list(self.deleted))


def document_lines(writer: Writer) -> Callable[[Lines], Awaitable[Answer]]:
    """An endpoint's act on lines."""

    async def act(lines: Lines) -> Answer:
        batch, kept = _Batch(), {"documents": 0, "deleted": 0}
        number, last = 0, 0  # the line that is read; the last that is kept
        answers: list[dict[str, Any]] = []

        async def keep() -> None:
            nonlocal batch
            answer = await writer.change(batch.request())
            answers.append(answer)
            for name in kept:
                kept[name] += answer[name]
            batch = _Batch()

        try:
            async for number, value in lines:
                batch.add(value)
                if len(batch) == _BATCH:
                    await keep()
                    last = number
            if len(batch):
                await keep()
        except RequestError as problem:
            where = problem.where if (problem.where or "").startswith("line ") else f"line {number}"
            message = problem.message if problem.message.startswith(f"{where}: ") else f"{where}: {problem.message}"
            said = f"{message}; what stands before line {last + 1} is kept ({kept['documents']:,} documents, {kept['deleted']:,} deleted)"
            raise RequestError(problem.code, said, where, problem.retry_after) from problem
        if not answers:
            raise RequestError("empty_input", "no line holds a document or an id to delete")
        return json_answer({**kept, "changes": [answers[0]["change"], answers[-1]["change"]], "state": answers[-1]["state"]})

    return act
