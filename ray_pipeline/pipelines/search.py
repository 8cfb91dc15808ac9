"""Stage `ranking`: the best documents of each query, by vectors or by words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ray_pipeline.artifacts import MANIFEST, Artifact, Attempt, Input, lineage, load, parquet_bytes, write_shard
from ray_pipeline.data.columns import rows_of, titled_text
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.runs import read_run
from ray_pipeline.errors import ArtifactError
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.retrieval.exclusion import Exclusion
from ray_pipeline.retrieval.index_search import IndexSearch, MakeIndexSearch
from ray_pipeline.retrieval.lexical.bm25 import BM25Index
from ray_pipeline.retrieval.search_shards import (
    DenseSearch,
    LexicalSearch,
    MakeSearchShard,
    ReadQueries,
    excluded_for,
    merged,
    units,
    without_excluded,
)
from ray_pipeline.storage import Location

ALGORITHM = 1
WORDS_ALGORITHM = 2
Search = Annotated[DenseSearch | LexicalSearch | IndexSearch, Field(discriminator="method")]


def search_words(run: Run, data: PreparedData, split: str, settings: LexicalSearch) -> Artifact:
    """BM25 of the queries' words against the corpus's."""
    queries = data.queries(split)
    inputs = {"corpus": data.artifact.as_input("corpus/"), "queries": data.artifact.as_input(data.query_part(split))}
    stage = Stage("ranking", WORDS_ALGORITHM, {"search": settings}, _with_judgements(inputs, data, settings), {"split": split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        index = BM25Index.build(titled_text(data.corpus().table(["text", "title"])).to_pylist(), settings.k1, settings.b)
        blocks = list(enumerate(range(0, len(queries), settings.query_block)))
        excluded = _excluded(data, split, settings)
        spare = 0 if excluded is None else int(np.diff(excluded.indptr).max(initial=0))

        def records() -> Iterator[dict[str, Any]]:
            for number, start in blocks:
                if number in finished:
                    continue
                stop = min(start + settings.query_block, len(queries))
                texts = queries.slice(start, stop, ["text"]).column("text").to_pylist()
                found = index.search(texts, settings.k + spare)
                if excluded is not None:
                    found = without_excluded(found, excluded_for(excluded, start, stop), settings.k)
                table = replace(found, queries=found.queries + start).to_table()
                counts = {"queries": len(texts)}
                yield write_shard(attempt.location, attempt.prefix, number, parquet_bytes(table), len(texts), {"counts": counts})

        done = collect_shards(attempt, "ranking/", finished, len(blocks), records())
        return Outcome(len(queries), {**summed(done), "documents": len(data.corpus()), "terms": index.terms})

    return run.ensure(stage, build)


def search_vectors(run: Run, data: PreparedData, split: str, corpus: Artifact, queries: Artifact, settings: DenseSearch) -> Artifact:
    """Exact top k of the queries' vectors against the corpus's."""
    query_rows, doc_rows = Rows.of(queries, "vectors/"), Rows.of(corpus, "vectors/")
    _same_dim(corpus, queries)
    inputs = {"corpus": corpus.as_input(), "queries": queries.as_input()}
    stage = Stage("ranking", ALGORITHM, {"search": settings}, _with_judgements(inputs, data, settings), {"split": split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        work = units(len(query_rows), len(doc_rows), settings)
        todo = [unit for unit in work if unit["shard"] not in finished]
        make = MakeSearchShard(doc_rows, settings, _excluded(data, split, settings), attempt.location.uri, attempt.prefix)
        results = run_shards(todo, ReadQueries(query_rows), make, run.cluster)
        records = collect_shards(attempt, "ranking/", finished, len(work), results)
        if len(doc_rows) > settings.part_rows:
            _merge_parts(attempt, records, settings.k)
        return Outcome(len(query_rows), {**summed(records), "documents": len(doc_rows)}, placed_workers(records))

    return run.ensure(stage, build)


def search_index(run: Run, split: str, corpus: Artifact, queries: Artifact, settings: IndexSearch) -> Artifact:
    """Approximate search in an index of the corpus, which is built if it is missing; its recall stands in the manifest."""
    index = build_index(run, corpus, settings.index, queries)
    query_rows = Rows.of(queries, "vectors/")
    stage = Stage("ranking", ALGORITHM, {"search": settings}, {"index": index.as_input(), "queries": queries.as_input()}, {"split": split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        blocks = shards_of(len(query_rows), settings.query_block)
        todo = [block for block in blocks if block["shard"] not in finished]
        make = MakeIndexSearch(index.location.uri, settings.k, attempt.location.uri, attempt.prefix)
        results = run_shards(todo, ReadQueries(query_rows), make, run.cluster)
        records = collect_shards(attempt, "ranking/", finished, len(blocks), results)
        measured = {name: index.metrics[name] for name in (f"recall@{settings.index.recall_at}", "parameters", "factory")}
        return Outcome(len(query_rows), {**summed(records), **measured, "documents": index.manifest["rows"]}, placed_workers(records))

    return run.ensure(stage, build)


def given_ranking(run: Run, data: PreparedData, split: str, path: str) -> Artifact:
    """A ranking that exists already: a published artifact, or a TREC run file, which is taken in by its content."""
    if (Location.of(path) / MANIFEST).exists() or Location.of(path).name == MANIFEST:
        ranking = load(path, "ranking")
        _require_made_from(ranking, data, split)
        return ranking
    inputs = {
        "run": raw_input(path, "search.path"),
        "queries": data.artifact.as_input(data.query_part(split)),
        "corpus": data.artifact.as_input("corpus/"),
    }

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        found = read_run(path, data.query_ids(split), data.doc_ids())
        attempt.write("ranking/000000.parquet", parquet_bytes(found.to_table()), len(found.queries))
        return Outcome(len(found.queries), {"documents": len(data.corpus()), "run": path})

    return run.ensure(Stage("ranking", ALGORITHM, {}, inputs, {"method": "run"}), build)


def _require_made_from(ranking: Artifact, data: PreparedData, split: str) -> None:
    """Refuse a ranking of other queries or documents: its row numbers would point at texts it never saw."""
    ancestors = [ranking, *(one for _, _, one in lineage(ranking) if isinstance(one, Artifact))]
    read = {(entry["part"], entry["fingerprint"]) for one in ancestors for entry in one.manifest["inputs"].values()}
    for what, part in (("documents", "corpus/"), (f"queries of split {split!r}", data.query_part(split))):
        if (part, data.artifact.part_fingerprint(part)) not in read:
            raise ArtifactError(
                f"{ranking.location.uri}: ranks other {what} than {data.artifact.location.uri} has; give the data and split it was made from"
            )


def _with_judgements(inputs: dict[str, Input], data: PreparedData, settings: DenseSearch | LexicalSearch) -> dict[str, Input]:
    """The inputs, and the data set where its ids or judgements decide what is left out."""
    return inputs | ({"data": data.artifact.as_input()} if settings.exclude_self or settings.exclude_positives else {})


def _merge_parts(attempt: Attempt, records: list[dict[str, Any]], k: int) -> None:
    """Replace the parts of each block by their merged ranking."""
    attempt.written.clear()
    for block in sorted({record["block"] for record in records}):
        ranking = merged(attempt.location, [record for record in records if record["block"] == block], k)
        attempt.write(f"ranking/{block:06d}.parquet", parquet_bytes(ranking.to_table()), len(ranking.queries))


def _excluded(data: PreparedData, split: str, settings: DenseSearch | LexicalSearch) -> Exclusion | None:
    exclusion = None
    if settings.exclude_self:
        rows = rows_of(data.query_ids(split), data.doc_ids())
        present = rows >= 0
        exclusion = Exclusion(np.concatenate([[0], np.cumsum(present)]).astype(np.int64), rows[present])
    if settings.exclude_positives:
        queries, docs, grades = data.judgements(split)
        keep = grades > 0
        order = np.argsort(queries[keep], kind="stable")
        counts = np.bincount(queries[keep], minlength=len(data.queries(split)))
        positives = Exclusion(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), docs[keep][order])
        exclusion = positives if exclusion is None else exclusion | positives
    return exclusion


def _same_dim(corpus: Artifact, queries: Artifact) -> None:
    if corpus.metrics["dim"] != queries.metrics["dim"]:
        raise ArtifactError(
            f"{queries.location.uri}: queries have {queries.metrics['dim']} dimensions, the corpus at {corpus.location.uri} "
            f"has {corpus.metrics['dim']}; embed both with one model"
        )
