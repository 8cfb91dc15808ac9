"""Stage `evaluation`: the measures of a ranking, its report, and every query's own values."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray
from pydantic import field_validator

from ray_pipeline.artifacts import ROW_GROUP, Artifact, Attempt
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.evaluation.retrieval import measure_ranking, query_groups, split_qrels
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingResult
from ray_pipeline.models.embedder_record import as_trained
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.retrieve import RetrievalSettings, Retrieved
from ray_pipeline.pipelines.search import search_words
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.reports.retrieval import Command, Fact, QueryExample, RetrievalReport, build_report, to_json, worst_query_rows
from ray_pipeline.reports.retrieval_markdown import to_markdown
from ray_pipeline.retrieval.search_shards import LexicalSearch

ALGORITHM = 1
BEFORE: Final = "before reranking"  # the row of a reranked ranking's report that says what retrieval gave
logger = logging.getLogger(__name__)


class EvaluateSettings(Settings):
    """What is measured, and against what."""

    ks: tuple[int, ...] = identity((1, 2, 4, 5, 8, 10, 16, 25, 32, 50, 64, 100, 1000), "the k of every measure at k")
    baseline: Literal["bm25", "none"] = identity("bm25", "a row of the report to compare with")
    seed: int = identity(0, "of the bootstrap intervals", ge=0)
    worst: int = identity(5, "how many of the worst queries the report shows", ge=0)

    @field_validator("ks")
    @classmethod
    def _are_ranks(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if not ks or min(ks) < 1:
            raise ValueError(f"{list(ks)}: give at least one k, each 1 or more")
        return tuple(sorted(set(ks)))


def evaluate(run: Run, found: Retrieved, retrieval: RetrievalSettings, settings: EvaluateSettings, command: str) -> Artifact:
    """Measure the ranking and write report.md, report.json and per_query.parquet. `command` is what the user ran."""
    ks = _within_depth(settings.ks, found)
    baseline = search_words(run, found.data, found.split, _baseline(found)) if settings.baseline == "bm25" else None
    inputs = {"ranking": found.ranking.as_input(), "data": found.data.artifact.as_input()}
    if baseline is not None:
        inputs["baseline"] = baseline.as_input()
    if found.first is not None:
        inputs["before"] = found.first.as_input()
    stage = Stage("evaluation", ALGORITHM, {"evaluate": settings}, inputs, {"split": found.split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        qrels = split_qrels(found.data, found.split)
        if not qrels.positives.any():
            raise DataError(f"{found.data.artifact.location.uri}: no query of split {found.split!r} has a positive, so there is nothing to measure")
        result = measure_ranking(found.data, found.split, found.ranking, qrels, ks)
        others = {"BM25": baseline, BEFORE: found.first}
        baselines = {name: measure_ranking(found.data, found.split, one, qrels, ks) for name, one in others.items() if one is not None}
        report = build_report(
            result,
            title=f"Retrieval report: {_data_name(retrieval)}",
            header=_header(found, retrieval),
            model=_model_facts(found, retrieval),
            dataset=_data_facts(found),
            positives=qrels.positives,
            commands=[Command("This report", command)],
            config=yaml.safe_dump(retrieval.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            seed=settings.seed,
            clusters=query_groups(found.data, found.split),
            baselines=baselines,
            worst_measure=_worst_measure(ks),
            worst=_worst(found, qrels, result, settings.worst),
        )
        _write(attempt, report, result, found)
        means = {
            "means": result.means,
            "groups": {name: group.means for name, group in result.groups.items()},
            "baselines": {name: other.means for name, other in baselines.items()},
        }
        return Outcome(result.counts.evaluated, means)

    return run.ensure(stage, build)


def _write(attempt: Attempt, report: RetrievalReport, result: RankingResult, found: Retrieved) -> None:
    attempt.write("report.md", to_markdown(report).encode())
    attempt.write("report.json", to_json(report).encode())
    names = {"query_id": found.data.query_ids(found.split), "group": pa.array(query_groups(found.data, found.split))}
    columns = {**names, **{name: pa.array(values) for name, values in result.values.items()}}
    attempt.write_table("per_query.parquet", pa.table(columns))


def _within_depth(ks: tuple[int, ...], found: Retrieved) -> tuple[int, ...]:
    """The k that the search was deep enough for: recall@1000 of lists of 100 would be recall@100 by another name."""
    depth = found.searched.get("k", max(ks))  # a run file holds what it holds
    kept = tuple(k for k in ks if k <= depth)
    if not kept:
        raise SettingsError(f"evaluate.ks={list(ks)}: the ranking goes only {depth} deep; raise search.k or lower evaluate.ks")
    if len(kept) < len(ks):
        logger.info("the ranking goes %d deep: measured at k up to %d, not at %s", depth, kept[-1], ", ".join(str(k) for k in ks if k > depth))
    return kept


def _baseline(found: Retrieved) -> LexicalSearch:
    """BM25 as deep as the ranking it is compared with, and with the same documents left out."""
    same = {name: value for name, value in found.searched.items() if name in ("k", "exclude_self", "exclude_positives")}
    return LexicalSearch(**same)


def _worst_measure(ks: tuple[int, ...]) -> str:
    return "map@25" if 25 in ks else "map"


def _data_name(retrieval: RetrievalSettings) -> str:
    return getattr(retrieval.data, "format", retrieval.data.kind)


def _header(found: Retrieved, retrieval: RetrievalSettings) -> dict[str, str]:
    model = retrieval.model.name if found.corpus is not None else _method(found)
    return {"Date": f"{datetime.now(UTC):%B %d, %Y}", "Model": model, "Dataset": _data_name(retrieval), "Split": found.split}


def _method(found: Retrieved) -> str:
    """What ranked the documents where no embedder did."""
    return str((found.first or found.ranking).metrics.get("run", "BM25"))


def _model_facts(found: Retrieved, retrieval: RetrievalSettings) -> dict[str, Fact]:
    reranked: dict[str, Fact] = {}
    if found.first is not None:
        settings = found.ranking.manifest["settings"]["rerank"]
        reranked = {"Reranked By": ", ".join(found.ranking.metrics["rerankers"]), "Candidates": settings["depth"], "Fusion": settings["fusion"]}
    if found.corpus is None:
        return {"Method": _method(found), **reranked}
    metrics = found.corpus.metrics
    model = as_trained(retrieval.model, locate(retrieval.model.name, retrieval.model.revision).folder)
    return {
        "Base Model": model.name,
        "Revision": metrics["revision"],
        "Pooling Strategy": model.pooling,
        "Output Dimension": metrics["dim"],
        "Normalised": "as the model says" if model.normalize is None else model.normalize,
        "Max Sequence Length": model.max_length,
        "Precision": model.precision,
        "Prompt": model.prompt.kind if model.prompt else "plain",
        "Vector Storage": retrieval.embed.dtype,
        **reranked,
    }


def _data_facts(found: Retrieved) -> dict[str, Fact]:
    metrics = found.data.artifact.metrics
    facts: dict[str, Fact] = {f"{split.capitalize()} Queries": count for split, count in metrics["splits"].items()}
    words = {name: re.sub("_", " ", name).title() for name in metrics if name != "splits"}
    facts |= {words[name]: metrics[name] for name in words}
    if found.corpus is not None and found.queries is not None:
        facts["Document Tokens"] = found.corpus.metrics["tokens"]
        facts["Truncated Documents"] = found.corpus.metrics["truncated"]
        facts["Query Tokens"] = found.queries.metrics["tokens"]
        facts["Truncated Queries"] = found.queries.metrics["truncated"]
    return facts


def _worst(found: Retrieved, qrels: Qrels, result: RankingResult, count: int) -> list[QueryExample]:
    """The queries with the lowest values, with the text that was wanted and the text that came first."""
    measure = _worst_measure(result.ks)
    rows = worst_query_rows(result, measure, count)
    first = _first_documents(found.ranking, rows)
    queries, corpus = found.data.queries(found.split), found.data.corpus()

    def text(doc: int) -> str:
        return str(corpus.slice(doc, doc + 1, ["text"]).column("text")[0].as_py())

    examples = []
    for row in map(int, rows):
        mine = slice(qrels.indptr[row], qrels.indptr[row + 1])
        wanted = int(qrels.docs[mine][np.argmax(qrels.grades[mine])])
        query = queries.slice(row, row + 1, ["query_id", "text"]).to_pylist()[0]
        got = text(first[row]) if row in first else "(nothing found)"
        examples.append(QueryExample(query["query_id"], query["text"], float(result.values[measure][row]), text(wanted), got))
    return examples


def _first_documents(ranking: Artifact, rows: NDArray[np.int64]) -> dict[int, int]:
    """The best document of each of these queries that has one; a block of the ranking in memory at a time."""
    first: dict[int, int] = {}
    for _, table in Rows.of(ranking, "ranking/").blocks(ROW_GROUP, ["query", "docs"]):
        wanted = table.filter(pa.array(np.isin(table.column("query").to_numpy(), rows)))
        first |= {row["query"]: row["docs"][0] for row in wanted.to_pylist() if row["docs"]}
    return first
