"""Relevance judgements as lines of text: BEIR's three tab-separated columns and TREC's three or four.

A first line is a header only when its last column is a name that judgement files use for it ("score", "grade", ...): taking
any first line that is no number for a header would swallow a damaged judgement.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from ray_pipeline.data.files import byte_lines, decoded
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import QRELS

_GRADE_NAMES: Final = frozenset({b"score", b"grade", b"relevance", b"rel", b"label", b"judgment", b"judgement"})
_WHOLE_NUMBER = re.compile(rb"[+-]?[0-9]{1,9}")
_COLUMNS: Final = {
    3: "query id, document id, grade",
    4: "query id, iteration, document id, grade",
}


def judgement_table(path: str, separator: str | None) -> pa.Table:
    """The QRELS of one file with the place of each. `separator` "\\t" wants three columns; None wants TREC's: three or four, any white space."""
    builder = TableBuilder(QRELS)
    widths = (3,) if separator else (3, 4)
    mark = separator.encode() if separator else None
    width = 0
    for number, line in byte_lines(path):
        cells = line.split(mark)
        cells[-1] = cells[-1].strip()
        if not width:
            if len(cells) not in widths:
                wanted = " or ".join(f"{each} ({_COLUMNS[each]})" for each in widths)
                raise DataError.at(path, number, f"the line has {len(cells)} columns, not {wanted}")
            width = len(cells)
            if cells[-1].lower() in _GRADE_NAMES:
                continue
        if len(cells) != width:
            raise DataError.at(path, number, f"the line has {len(cells)} columns, the first one has {width} ({_COLUMNS[width]})")
        if not _WHOLE_NUMBER.fullmatch(cells[-1]):
            raise DataError.at(path, number, f"the grade {decoded(cells[-1], path, number)!r} is not a whole number")
        query_id, doc_id = decoded(cells[0], path, number), decoded(cells[-2], path, number)
        if not query_id or not doc_id:
            raise DataError.at(path, number, "an id is empty", _COLUMNS[width])
        builder.add_at(path, number, query_id, doc_id, int(cells[-1]))
    return builder.finish()
