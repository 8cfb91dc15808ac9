"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv` (query id, document id, grade; tab; with or without
header).

A query's split is read from the judgement file that names it: `train` is the training side; `dev`, `test`, `eval`,
`validation` the evaluation side; any other name says nothing. `metadata.split` in the queries file, where present, comes
first: so a written data set reads back the same. Group ids and chains of thought, for which BEIR has no place, live in
`metadata` too; BEIR's own tools ignore it. What a document's `metadata` holds of texts, numbers and truth values are its fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.data.columns import rows_of
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.fields import COLUMN, fields_among, fields_of_json
from ray_pipeline.data.files import file_names, first_present, join, writing
from ray_pipeline.data.judgements import judgement_table
from ray_pipeline.data.lines import json_rows, write_json_lines
from ray_pipeline.data.located import TableBuilder, place_of
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QUERIES

SIDE_OF_FILE: Final = {"train": "train", "dev": "eval", "test": "eval", "eval": "eval", "validation": "eval", "valid": "eval"}
_FILE_OF_SIDE: Final = {"train": "train", "eval": "test", None: "all"}
_METADATA: Final = ("group_id", "reasoning", "split")


def read_beir(path: str, *, qrels_split: str | None = None) -> RetrievalDataset:
    """The data set in the folder `path`. With `qrels_split`, only that judgement file and the queries it names."""
    corpus, replaced_in_corpus = read_corpus_lines(first_present(path, ("corpus.jsonl",), "corpus"))
    queries, replaced_in_queries = read_query_lines(first_present(path, ("queries.jsonl",), "queries"))
    by_file = {name: judgement_table(file, "\t") for name, file in _qrels_files(path, qrels_split).items()}
    if qrels_split is not None:
        named = pc.is_in(queries.column("query_id"), value_set=by_file[qrels_split].column("query_id").combine_chunks())
        queries = queries.filter(named)
    queries = _with_sides(queries, by_file)
    qrels = pa.concat_tables(by_file.values())
    return build_dataset(corpus, queries, qrels, path, replaced_surrogates=replaced_in_corpus + replaced_in_queries)


def write_beir(dataset: RetrievalDataset, path: str) -> None:
    """`dataset` as a BEIR folder; judgements go to `train.tsv`, `test.tsv` or, for queries in no split, `all.tsv`."""
    folder = join(path, "qrels")
    sides = dataset.queries.column("split").take(pa.array(rows_of(dataset.qrels.column("query_id"), dataset.query_ids)))
    by_file = {f"{name}.tsv": dataset.qrels.filter(_is_side(sides, side)) for side, name in _FILE_OF_SIDE.items()}
    written = {name: rows for name, rows in by_file.items() if rows.num_rows} or {"all.tsv": dataset.qrels}
    # Every file in the folder is read as judgements, so one left from another data set would silently join this one.
    foreign = [name for name in file_names(folder) if name not in written]
    if foreign:
        raise DataError(f"{folder}: holds other judgements ({', '.join(foreign)}); write to an empty folder or remove them")
    write_json_lines(join(path, "corpus.jsonl"), corpus_lines(dataset.corpus))
    write_json_lines(join(path, "queries.jsonl"), query_lines(dataset.queries))
    for name, rows in written.items():
        _write_qrels(rows, join(folder, name))


def read_corpus_lines(path: str) -> tuple[pa.Table, int]:
    """A corpus of `{"_id", "title", "text"}` lines, and how many lone surrogates were replaced in it."""
    builder = TableBuilder(CORPUS.append(pa.field(COLUMN, pa.string())))
    for row in json_rows(path):
        fields = fields_among(row.fields.get("metadata"))
        builder.add(row, row.identifier("_id"), row.text("text"), row.optional_text("title") or None, fields)
    return builder.finish(), builder.replaced_surrogates


def read_query_lines(path: str) -> tuple[pa.Table, int]:
    """Queries of `{"_id", "text", "metadata"}` lines, and how many lone surrogates were replaced in them."""
    builder = TableBuilder(QUERIES)
    for row in json_rows(path):
        builder.add(row, row.identifier("_id"), row.text("text"), *_metadata_of(row))
    return builder.finish(), builder.replaced_surrogates


def corpus_lines(corpus: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in corpus.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            metadata = {"metadata": fields_of_json(row[COLUMN], row["doc_id"])} if row.get(COLUMN) else {}
            yield {"_id": row["doc_id"], "title": row["title"] or "", "text": row["text"], **metadata}


def query_lines(queries: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in queries.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            metadata = {name: row[name] for name in _METADATA if row[name] is not None}
            yield {"_id": row["query_id"], "text": row["text"], "metadata": metadata}


def _metadata_of(row: Row) -> tuple[str | None, str | None, str | None]:
    held = row.fields.get("metadata")
    if not isinstance(held, dict):
        return None, None, None
    inner = Row(row.path, row.line, held)
    return inner.optional_identifier("group_id"), inner.optional_text("reasoning"), inner.optional_text("split")


def _qrels_files(path: str, qrels_split: str | None) -> dict[str, str]:
    folder = join(path, "qrels")
    files = {name.removesuffix(".gz").removesuffix(".tsv"): join(folder, name) for name in file_names(folder) if ".tsv" in name}
    if not files:
        raise DataError(f"{folder}: no judgements here; BEIR keeps them in qrels/<split>.tsv")
    if qrels_split is None:
        return files
    if qrels_split not in files:
        raise DataError(f"{folder}: no judgements named {qrels_split!r}; there are {', '.join(files)}")
    return {qrels_split: files[qrels_split]}


def _with_sides(queries: pa.Table, by_file: dict[str, pa.Table]) -> pa.Table:
    """`queries` with the side that the judgement files give to those which name none themselves."""
    silent = queries.column("split").is_null().to_numpy()
    sides = np.full(queries.num_rows, "", dtype=object)
    source = np.full(queries.num_rows, "", dtype=object)
    for name, judgements in by_file.items():
        side = SIDE_OF_FILE.get(name)
        if side is None:
            continue
        rows = np.unique(rows_of(judgements.column("query_id"), queries.column("query_id")))
        rows = rows[(rows >= 0) & silent[rows]]
        both = rows[(sides[rows] != "") & (sides[rows] != side)]
        if len(both):
            row = int(both[0])
            raise DataError(
                f"{place_of(queries, row, 'queries')}: query {queries.column('query_id')[row].as_py()!r} is judged in"
                f" {source[row]}.tsv and in {name}.tsv, so it would be on both sides of the split ({len(both)} such queries;"
                " choose one file with qrels_split)"
            )
        sides[rows], source[rows] = side, name
    given = queries.column("split")
    found = pa.array([side or None for side in sides], pa.string())
    return queries.set_column(queries.schema.get_field_index("split"), QUERIES.field("split"), pc.coalesce(given, found))


def _is_side(sides: pa.ChunkedArray, side: str | None) -> pa.ChunkedArray:
    return pc.is_null(sides) if side is None else pc.fill_null(pc.equal(sides, side), False)


def _write_qrels(qrels: pa.Table, path: str) -> None:
    with writing(path) as stream:
        stream.write(b"query-id\tcorpus-id\tscore\n")
        for line in _qrels_lines(qrels):
            stream.write(line)


def _qrels_lines(qrels: pa.Table) -> Iterable[bytes]:
    for batch in qrels.to_batches(max_chunksize=8192):
        for row in batch.to_pylist():
            for name in ("query_id", "doc_id"):
                if any(mark in row[name] for mark in "\t\r\n"):
                    raise DataError(f"{name} {row[name]!r} holds a tab or a line end, which a .tsv file cannot; write Parquet instead")
            yield f"{row['query_id']}\t{row['doc_id']}\t{row['grade']}\n".encode()
