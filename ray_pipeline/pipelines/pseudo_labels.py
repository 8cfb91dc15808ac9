"""Stage `pseudo_labels`: labels that the current model gives to queries nobody labelled (the stage `semi` trains on them).

    labels/000000.parquet   query_id, doc_id, score, gap (PSEUDO_LABELS)
    report.md               what became of every query, and the labels given most often

Self-training with a threshold (Lee 2013, "Pseudo-Label"), capped a label. Two kinds of queries stay out, whatever the model
says: those that have a judgement after all (a part of the data that is held back), and those of a group that is evaluated
(another wrong answer to a question of the evaluation). Training on either would be training on what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.data.prepared import PreparedData, Split
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.retrieve import Retrieved
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.ranking import Ranking
from ray_pipeline.reports.markdown import table
from ray_pipeline.retrieval.pseudo_labels import PseudoLabels, PseudoLabelSettings, pseudo_labels
from ray_pipeline.retrieval.search_shards import ranking_of

ALGORITHM = 1
UNLABELLED: Final[Split] = "rest"
DEPTH: Final = 2  # the best document, and the one it must be told from
_SHOWN: Final = 10  # labels in the report


def require_unlabelled(data: PreparedData) -> None:
    """Refuse data that has nothing to label, before a model looks at it."""
    if not data.artifact.files(f"queries/{UNLABELLED}/"):
        raise DataError(
            f"{data.artifact.location.uri}: every query belongs to a split, so there is none to give a pseudo label to; "
            "give data with queries that have no judgement, or leave the stage out (data.reasoning=join drops those without a chain of thought)"
        )


def label_unlabelled(run: Run, found: Retrieved, settings: PseudoLabelSettings) -> Artifact:
    """The labels that the ranking of the unlabelled queries gives."""
    inputs = {"ranking": found.ranking.as_input(), "data": found.data.artifact.as_input()}
    stage = Stage("pseudo_labels", ALGORITHM, {"labels": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        ranking = ranking_of(found.ranking)
        judged, evaluated = judged_queries(found.data), queries_of_evaluation_groups(found.data)
        barred = np.union1d(judged, evaluated)
        kept = ~np.isin(ranking.queries, barred)
        given = pseudo_labels(Ranking(ranking.queries[kept], ranking.docs[kept], ranking.scores[kept]), settings)
        if not given.counts.kept:
            summary = given.counts.summary()
            raise DataError(
                f"no unlabelled query gets a label: {summary}; lower labels.min_score or labels.min_gap, or train the model further first"
            )
        labels = given.to_table(found.data.query_ids(UNLABELLED), found.data.doc_ids())
        attempt.write_table("labels/000000.parquet", labels)
        left_out = {"judged": len(judged), "of_evaluation_groups": len(np.setdiff1d(evaluated, judged))}
        attempt.write("report.md", _report(given, left_out, found.data).encode())
        return Outcome(labels.num_rows, {**given.counts.to_json(), **left_out, "summary": given.counts.summary()})

    return run.ensure(stage, build)


def judged_queries(data: PreparedData) -> NDArray[np.int64]:
    """The rows of queries outside of all splits that have a judgement nevertheless."""
    return np.unique(data.judgements(UNLABELLED)[0])


def queries_of_evaluation_groups(data: PreparedData) -> NDArray[np.int64]:
    """The rows of unlabelled queries whose group has a query in the evaluation."""
    if not data.artifact.files("queries/eval/"):
        return np.empty(0, dtype=np.int64)
    groups = data.queries(UNLABELLED).table(["group_id"]).column("group_id")
    evaluated = data.queries("eval").table(["group_id"]).column("group_id").combine_chunks().drop_null()
    rows: NDArray[np.int64] = np.flatnonzero(pc.is_in(groups, value_set=evaluated).to_numpy())
    return rows


def _report(given: PseudoLabels, left_out: Mapping[str, int], data: PreparedData) -> str:
    """What became of every query, and the labels given most often."""
    counts = given.counts.to_json()
    fates = [(name.replace("_", " "), f"{count:,}") for name, count in {**left_out, **counts}.items()]
    docs, often = np.unique(given.docs, return_counts=True)
    most = np.argsort(-often, kind="stable")[:_SHOWN]
    texts = data.corpus().table(["doc_id", "text"]).take(pa.array(docs[most])).to_pylist()
    labels = [(row["doc_id"], f"{count:,}", row["text"]) for row, count in zip(texts, often[most].tolist(), strict=True)]
    sections = ["# Pseudo labels", given.counts.summary() + ".", table(["queries", "number"], fates)]
    return "\n\n".join([*sections, "## Labels given most often", table(["document", "queries", "text"], labels)]) + "\n"
