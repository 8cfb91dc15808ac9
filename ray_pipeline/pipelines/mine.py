"""Stage `groups`: training rows with hard negatives, and the audit of how they were chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import identity
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.flag_embedding import write_flag_embedding
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.data.tuples import write_triplets
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.pipelines.retrieve import Retrieved
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.mining.groups import to_groups
from ray_pipeline.retrieval.mining.mine import mine
from ray_pipeline.retrieval.mining.positives import positive_scores, scores_in_ranking
from ray_pipeline.retrieval.mining.rules import MiningRules
from ray_pipeline.retrieval.search_shards import ranking_of, teacher_scores
from ray_pipeline.text.normalise import text_hash

ALGORITHM = 2

Export = Literal["flag_embedding", "triplets"]


class MiningSettings(MiningRules):
    """Which negatives, and in what forms they are written besides the groups table."""

    same_text: bool = identity(True, "drop a candidate whose normalised text is that of a positive or of the query")
    export: tuple[Export, ...] = identity(("flag_embedding", "triplets"), "further formats to write")


def mine_groups(run: Run, found: Retrieved, settings: MiningSettings) -> Artifact:
    """Training groups of the split that was searched; queries without a positive are left out and counted."""
    inputs = {"ranking": found.ranking.as_input(), "data": found.data.artifact.as_input()}
    if found.corpus is not None and found.queries is not None:
        inputs |= {"corpus": found.corpus.as_input(), "queries": found.queries.as_input()}
    _deep_enough(found, settings)
    stage = Stage("groups", ALGORITHM, {"mining": settings}, inputs, {"split": found.split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        ranking = ranking_of(found.ranking)
        queries, corpus = found.data.queries(found.split).table(), found.data.corpus().table()
        positives = _positives(found, ranking)
        judged = np.isin(ranking.queries, np.flatnonzero(positives.counts))
        labelled = Ranking(ranking.queries[judged], ranking.docs[judged], ranking.scores[judged])
        if not judged.any():
            raise DataError(f"{found.data.artifact.location.uri}: no query of split {found.split!r} has a positive, so there is nothing to mine for")
        titled = titled_text(corpus)
        doc_hashes = text_hash(titled) if settings.same_text else None
        query_hashes = text_hash(queries.column("text")) if settings.same_text else None
        teacher = teacher_scores(found.ranking, ranking.docs.shape[1])
        mined = mine(
            labelled,
            settings,
            queries.column("query_id"),
            positives,
            doc_hashes=doc_hashes,
            query_hashes=query_hashes,
            teacher_scores=None if teacher is None else teacher[judged],
        )
        groups = to_groups(mined, queries, corpus.set_column(1, "text", titled), positives)
        attempt.write_table("groups/000000.parquet", groups)
        _export(attempt, groups, settings)
        attempt.write("audit.json", (json.dumps(mined.audit.to_json(corpus), indent=2, ensure_ascii=False) + "\n").encode())
        attempt.write("audit.md", mined.audit.to_markdown(corpus).encode())
        left_out = int((~judged).sum())
        return Outcome(groups.num_rows, {"audit": mined.audit.summary(), "queries_without_positives": left_out})

    return run.ensure(stage, build)


def _deep_enough(found: Retrieved, rules: MiningRules) -> None:
    """Refuse rules that look deeper than the ranking goes, unless it already holds the whole corpus."""
    asked = found.ranking.manifest["settings"].get("search", {}).get("k")
    if asked is not None and asked < rules.depth and asked < len(found.data.corpus()):
        raise SettingsError(f"mining looks at ranks up to {rules.depth}, the ranking holds {asked}; set search.k={rules.depth} or more")


def _export(attempt: Attempt, groups: pa.Table, settings: MiningSettings) -> None:
    if "flag_embedding" in settings.export:
        write_flag_embedding(groups, attempt.reserve("flag_embedding.jsonl").uri)
        attempt.add("flag_embedding.jsonl", groups.num_rows)
    if "triplets" in settings.export:
        write_triplets(groups, attempt.reserve("triplets.jsonl").uri, settings.negatives)
        attempt.add("triplets.jsonl")


def _positives(found: Retrieved, ranking: Ranking) -> DocLists:
    """Each query's positives with their scores: from the vectors, or as far as the ranking shows them."""
    queries, docs, grades = found.data.judgements(found.split)
    lists = DocLists.from_pairs(queries[grades > 0], docs[grades > 0], len(found.data.queries(found.split)))
    if found.corpus is None or found.queries is None:
        return DocLists(lists.indptr, lists.docs, scores_in_ranking(ranking, lists))
    return DocLists(lists.indptr, lists.docs, _scores_from_vectors(found.queries, found.corpus, lists))


def _scores_from_vectors(queries: Artifact, corpus: Artifact, lists: DocLists) -> NDArray[np.float32]:
    """Streams the documents' vectors once; holds the queries' vectors and one block."""
    query_vectors = vectors_of(Rows.of(queries, "vectors/").table(["vector"]))
    scores = np.empty(len(lists.docs), dtype=np.float32)
    owners = lists.rows()
    for start, table in Rows.of(corpus, "vectors/").blocks(1 << 16, ["vector"]):
        here = np.flatnonzero((lists.docs >= start) & (lists.docs < start + table.num_rows))
        pairs = DocLists(np.arange(len(here) + 1, dtype=np.int64), lists.docs[here] - start)
        scores[here] = positive_scores(query_vectors[owners[here]], vectors_of(table), pairs)
    return scores
