"""Stage `evaluation`: the measures of a ranking, its report, and every query's own values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import yaml

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity
from ray_pipeline.evaluation.retrieval import measure_ranking, query_groups, split_qrels
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingResult
from ray_pipeline.pipelines.retrieve import RetrievalSettings, Retrieved
from ray_pipeline.pipelines.search import search_words
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.reports.retrieval import Command, Fact, QueryExample, RetrievalReport, build_report, to_json, worst_query_rows
from ray_pipeline.reports.retrieval_markdown import to_markdown
from ray_pipeline.retrieval.search_shards import LexicalSearch, ranking_of

ALGORITHM = 1


class EvaluateSettings(Settings):
    """What is measured, and against what."""

    ks: tuple[int, ...] = identity((1, 2, 4, 5, 8, 10, 16, 25, 32, 50, 64, 100, 1000), "the k of every measure at k")
    baseline: Literal["bm25", "none"] = identity("bm25", "a row of the report to compare with")
    seed: int = identity(0, "of the bootstrap intervals", ge=0)
    worst: int = identity(5, "how many of the worst queries the report shows", ge=0)


def evaluate(run: Run, found: Retrieved, retrieval: RetrievalSettings, settings: EvaluateSettings, command: str) -> Artifact:
    """Measure the ranking and write report.md, report.json and per_query.parquet. `command` is what the user ran."""
    baseline = search_words(run, found.data, found.split, LexicalSearch()) if settings.baseline == "bm25" else None
    inputs = {"ranking": found.ranking.as_input(), "data": found.data.artifact.as_input()}
    if baseline is not None:
        inputs["baseline"] = baseline.as_input()
    stage = Stage("evaluation", ALGORITHM, {"evaluate": settings}, inputs, {"split": found.split})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        qrels = split_qrels(found.data, found.split)
        result = measure_ranking(found.data, found.split, found.ranking, qrels, settings.ks)
        baselines = {"BM25": measure_ranking(found.data, found.split, baseline, qrels, settings.ks)} if baseline is not None else {}
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
            worst_measure="map@25" if 25 in settings.ks else "map",
            worst=_worst(found, qrels, result, settings),
        )
        _write(attempt, report, result, found)
        return Outcome(result.counts.evaluated, {"means": result.means, "groups": {name: group.means for name, group in result.groups.items()}})

    return run.ensure(stage, build)


def _write(attempt: Attempt, report: RetrievalReport, result: RankingResult, found: Retrieved) -> None:
    attempt.write("report.md", to_markdown(report).encode())
    attempt.write("report.json", to_json(report).encode())
    columns = {"query_id": found.data.query_ids(found.split), **{name: pa.array(values) for name, values in result.values.items()}}
    attempt.write_table("per_query.parquet", pa.table(columns))


def _data_name(retrieval: RetrievalSettings) -> str:
    return getattr(retrieval.data, "format", retrieval.data.kind)


def _header(found: Retrieved, retrieval: RetrievalSettings) -> dict[str, str]:
    model = retrieval.model.name if found.corpus is not None else "BM25"
    return {"Date": f"{datetime.now(UTC):%B %d, %Y}", "Model": model, "Dataset": _data_name(retrieval), "Split": found.split}


def _model_facts(found: Retrieved, retrieval: RetrievalSettings) -> dict[str, Fact]:
    if found.corpus is None:
        return {"Method": "BM25"}
    model, metrics = retrieval.model, found.corpus.metrics
    return {
        "Base Model": model.name,
        "Revision": metrics["revision"],
        "Pooling Strategy": model.pooling,
        "Output Dimension": metrics["dim"],
        "Normalised": "as the model says" if model.normalize is None else model.normalize,
        "Max Sequence Length": model.max_length,
        "Precision": model.precision,
        "Prompt": model.prompt.kind,
        "Vector Storage": retrieval.embed.dtype,
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


def _worst(found: Retrieved, qrels: Qrels, result: RankingResult, settings: EvaluateSettings) -> list[QueryExample]:
    """The queries with the lowest values, with the text that was wanted and the text that came first."""
    measure = "map@25" if 25 in settings.ks else "map"
    rows = worst_query_rows(result, measure, settings.worst)
    if not len(rows):
        return []
    ranking = ranking_of(found.ranking)
    place = {int(query): at for at, query in enumerate(ranking.queries)}
    queries, corpus = found.data.queries(found.split).table(["query_id", "text"]), found.data.corpus().table(["text"])

    def text(doc: int) -> str:
        return str(corpus.column("text")[doc].as_py()) if doc >= 0 else "(nothing found)"

    examples = []
    for row in map(int, rows):
        mine = slice(qrels.indptr[row], qrels.indptr[row + 1])
        wanted = int(qrels.docs[mine][np.argmax(qrels.grades[mine])])
        first = int(ranking.docs[place[row], 0]) if row in place and ranking.docs.shape[1] else -1
        query = queries.slice(row, 1)
        value = float(result.values[measure][row])
        examples.append(QueryExample(query.column("query_id")[0].as_py(), query.column("text")[0].as_py(), value, text(wanted), text(first)))
    return examples
