"""An inverted file: for each term the documents that hold it and how often.

It holds counts, not scores: scores depend on how many documents there are in all, and parts of a corpus, or documents that came
later, share these numbers only when a query is asked.

Tokens are the runs of word characters of the normalised text (NFKC, casefolded): no stop words, no stemming, and one-letter
tokens stay, since "x" and "2" carry meaning in the texts retrieved here. Signs and punctuation only separate.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.mapped import rows_of_texts
from ray_pipeline.text.normalise import normalise

_TOKEN: Final = re.compile(r"\w+")
NAMES: Final = ("terms", "postings", "lengths")


def tokens(text: str) -> list[str]:
    """The tokens that BM25 sees of `text`."""
    return _TOKEN.findall(normalise(text))


@dataclass(frozen=True)
class Postings:
    """Documents 0, 1, 2...; term t's list is `docs[starts[t]:starts[t + 1]]`, ascending."""

    terms: pa.ChunkedArray | pa.Array  # ascending
    starts: NDArray[np.int64]  # [terms + 1]
    docs: NDArray[np.int32]
    counts: NDArray[np.int32]
    lengths: NDArray[np.int32]  # [documents] tokens of each

    @classmethod
    def build(cls, texts: Iterable[str]) -> Postings:
        vocabulary: dict[str, int] = {}
        flat, lengths = array("i"), array("i")
        for text in texts:
            found = tokens(text)
            lengths.append(len(found))
            flat.extend([vocabulary.setdefault(token, len(vocabulary)) for token in found])
        in_order = sorted(vocabulary)
        rank = np.empty(len(vocabulary), dtype=np.int64)
        rank[[vocabulary[term] for term in in_order]] = np.arange(len(in_order))
        sizes = np.asarray(lengths, dtype=np.int32)
        owners = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        pairs, counts = np.unique(rank[np.asarray(flat, dtype=np.int64)] * max(len(sizes), 1) + owners, return_counts=True)
        term_of, docs = np.divmod(pairs, max(len(sizes), 1))
        starts = np.searchsorted(term_of, np.arange(len(in_order) + 1)).astype(np.int64)
        return cls(pa.array(in_order, pa.string()), starts, docs.astype(np.int32), counts.astype(np.int32), sizes)

    def __len__(self) -> int:
        return len(self.lengths)

    def to_tables(self) -> dict[str, pa.Table]:
        """The same as the tables NAMES, which `of_tables` takes."""
        terms = pa.table({"term": self.terms, "start": pa.array(self.starts[:-1])})
        return {"terms": terms, "postings": pa.table({"doc": self.docs, "count": self.counts}), "lengths": pa.table({"length": self.lengths})}

    @classmethod
    def of_tables(cls, tables: dict[str, pa.Table]) -> Postings:
        """Of mapped tables nothing is read but where terms begin."""
        docs, counts, lengths = (
            _numpy(tables[name].column(column)) for name, column in (("postings", "doc"), ("postings", "count"), ("lengths", "length"))
        )
        starts = np.append(_numpy(tables["terms"].column("start")), len(docs)).astype(np.int64)
        return cls(tables["terms"].column("term"), starts, docs, counts, lengths)

    def rows_of(self, terms: Sequence[str]) -> list[int]:
        """The number of each term, -1 for one that no document holds."""
        return rows_of_texts(self.terms, terms)

    def frequency(self, row: int) -> int:
        """How many documents hold the term of this number."""
        return 0 if row < 0 else int(self.starts[row + 1] - self.starts[row])

    def of_term(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The documents that hold the term, and how often."""
        inside = slice(self.starts[row], self.starts[row + 1])
        return self.docs[inside], self.counts[inside]


def _numpy(column: pa.ChunkedArray) -> NDArray[np.int32]:
    """A column of one batch without a copy."""
    found: NDArray[np.int32] = (column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()).to_numpy(zero_copy_only=False)
    return found
