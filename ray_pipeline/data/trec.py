"""TREC test collections: a folder with a corpus, queries and a file of judgements, as text.

`corpus` and `queries` are `.jsonl` (BEIR's lines) or `.tsv`: id, text, or for documents id, title, text, with no header and
no quoting, as MS MARCO has them. The judgements, `qrels.txt` or `qrels.tsv`, have four columns (query id, iteration,
document id, grade) or three, parted by white space. Each may end in .gz.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from ray_pipeline.data.beir import corpus_lines, query_lines, read_corpus_lines, read_query_lines
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.files import byte_lines, decoded, first_present, join, writing
from ray_pipeline.data.judgements import judgement_table
from ray_pipeline.data.lines import write_json_lines
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QUERIES

# What bytes.split() cuts at, and so what no id in a TREC file can hold.
_WHITE_SPACE = re.compile(r"[ \t\n\r\v\f]")
_QRELS_FILES: Final = ("qrels.txt", "qrels.tsv", "qrels")


def read_trec(path: str) -> RetrievalDataset:
    """The data set in the folder `path`."""
    corpus, replaced_in_corpus = _read_documents(first_present(path, ("corpus.jsonl", "corpus.tsv"), "corpus"))
    queries, replaced_in_queries = _read_queries(first_present(path, ("queries.jsonl", "queries.tsv"), "queries"))
    qrels = judgement_table(first_present(path, _QRELS_FILES, "judgements"), None)
    return build_dataset(corpus, queries, qrels, path, replaced_surrogates=replaced_in_corpus + replaced_in_queries)


def write_trec(dataset: RetrievalDataset, path: str) -> None:
    """`dataset` as a folder: `corpus.jsonl`, `queries.jsonl` and four-column `qrels.txt`."""
    write_json_lines(join(path, "corpus.jsonl"), corpus_lines(dataset.corpus))
    write_json_lines(join(path, "queries.jsonl"), query_lines(dataset.queries))
    with writing(join(path, "qrels.txt")) as stream:
        for batch in dataset.qrels.to_batches(max_chunksize=8_192):
            for row in batch.to_pylist():
                stream.write(f"{trec_id(row['query_id'])} 0 {trec_id(row['doc_id'])} {row['grade']}\n".encode())


def trec_id(name: str) -> str:
    """`name`, if a file of white-space-separated columns can hold it."""
    if not name or _WHITE_SPACE.search(name) or name.startswith("\ufeff"):
        raise DataError(
            f"id {name!r} is empty, holds white space or starts with a byte order mark, which a TREC file cannot; write BEIR or Parquet instead"
        )
    return name


def _read_documents(path: str) -> tuple[pa.Table, int]:
    if ".jsonl" in path.rpartition("/")[2]:
        return read_corpus_lines(path)
    builder = TableBuilder(CORPUS)
    for number, cells in _tsv_rows(path, (2, 3), "id, text or id, title, text"):
        builder.add_at(path, number, cells[0], cells[-1], cells[1] if len(cells) == 3 else None)
    return builder.finish(), 0


def _read_queries(path: str) -> tuple[pa.Table, int]:
    if ".jsonl" in path.rpartition("/")[2]:
        return read_query_lines(path)
    builder = TableBuilder(QUERIES)
    for number, cells in _tsv_rows(path, (2,), "id, text"):
        builder.add_at(path, number, cells[0], cells[1], None, None, None)
    return builder.finish(), 0


def _tsv_rows(path: str, widths: tuple[int, ...], columns: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line, as many in every line as in the first."""
    width = 0
    for number, line in byte_lines(path):
        cells = decoded(line, path, number).split("\t")
        if len(cells) != width and (width or len(cells) not in widths):
            raise DataError.at(path, number, f"the line has {len(cells)} columns, not {width or columns}", "columns are parted by tabs")
        width = len(cells)
        yield number, cells
