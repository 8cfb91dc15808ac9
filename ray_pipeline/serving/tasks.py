"""What can be asked of a service, whoever's words it was asked in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.text.prompts import Side


@dataclass(frozen=True)
class EmbedTask:
    """Texts, or the token ids of texts, to vectors."""

    texts: Sequence[str] | Sequence[Sequence[int]]
    side: Side
    dimensions: int | None = None
    normalize: bool | None = None  # None: as the model does
    cut: bool = True  # what is longer than the model reads loses its end; else it is refused

    @property
    def of_ids(self) -> bool:
        return bool(self.texts) and not isinstance(self.texts[0], str)


@dataclass(frozen=True)
class Embedded:
    """[n, dim] vectors, and how many tokens were read."""

    vectors: NDArray[np.float32]
    tokens: int


@dataclass(frozen=True)
class RerankTask:
    """Documents to be put in order for a query."""

    query: str
    documents: Sequence[str]
    cut: bool = True
    raw: bool = False  # the model's own scores instead of shares between 0 and 1


@dataclass(frozen=True)
class Reranked:
    """[n] a score a document, and how many tokens were read."""

    scores: NDArray[np.float32]
    tokens: int

    def order(self) -> list[int]:
        """Documents by score; of equals the earlier first."""
        return [int(row) for row in np.argsort(-self.scores, kind="stable")]


Mode = Literal["dense", "lexical", "hybrid"]


@dataclass(frozen=True)
class SearchTask:
    """Documents of a collection for each query."""

    queries: Sequence[str]
    top_k: int
    mode: Mode
    rerank: bool
    rerank_top_n: int
    filter: Any = None
