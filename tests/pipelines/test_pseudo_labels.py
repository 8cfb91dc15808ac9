"""The stage `pseudo_labels`: which queries it may label, what it writes, and what it refuses. Ranked by words: no model, no Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.command_line import run_job
from jobs.pseudo_label import PseudoLabelJob, pseudo_label
from ray_pipeline.artifacts import Workspace, damaged
from ray_pipeline.config import parse
from ray_pipeline.data.training_sources import from_labels
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.pseudo_labels import judged_queries, label_unlabelled, queries_of_evaluation_groups, require_unlabelled
from ray_pipeline.pipelines.retrieve import RetrievalSettings, Retrieved, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.retrieval.pseudo_labels import PseudoLabelSettings
from ray_pipeline.retrieval.search_shards import ranking_of
from ray_pipeline.schemas import PSEUDO_LABELS

RULES = PseudoLabelSettings(min_score=0.0, min_gap=0.0, max_per_label=2)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path / "outputs")), ClusterSettings())


def ranked(run: Run, data: dict[str, Any]) -> Retrieved:
    given = {"data": data, "model": {"name": "unused"}, "search": {"method": "bm25", "k": 2}, "split": "rest"}
    return retrieve(run, parse(RetrievalSettings, given))


GENERATED = {"kind": "misconceptions", "rows": 300}


def test_labels_are_those_of_a_slow_loop_over_the_queries_that_may_have_one(run: Run) -> None:
    found = ranked(run, GENERATED)
    made = label_unlabelled(run, found, RULES)
    groups = found.data.queries("rest").table(["group_id"]).column("group_id").to_pylist()
    evaluated = set(found.data.queries("eval").table(["group_id"]).column("group_id").to_pylist())
    ids, docs = found.data.query_ids("rest").to_pylist(), found.data.doc_ids().to_pylist()
    ranking = ranking_of(found.ranking)
    given: list[tuple[float, int, str, str]] = []
    for row, best, scores in zip(ranking.queries.tolist(), ranking.docs[:, 0].tolist(), ranking.scores.tolist(), strict=True):
        if groups[row] not in evaluated and best >= 0 and scores[0] >= RULES.min_score:
            given.append((-scores[0], row, ids[row], docs[best]))
    kept: dict[str, list[str]] = {}
    for _, _, query, doc in sorted(given):
        if len(kept.setdefault(doc, [])) < 2:
            kept[doc].append(query)
    table = made.table("labels/")
    assert table.schema.equals(PSEUDO_LABELS)
    assert set(zip(table.column("query_id").to_pylist(), table.column("doc_id").to_pylist(), strict=True)) == {
        (query, doc) for doc, queries in kept.items() for query in queries
    }
    assert made.manifest["rows"] == made.metrics["kept"] == table.num_rows > 10
    assert made.metrics["over_label_cap"] > 0
    assert made.metrics["of_evaluation_groups"] == sum(group in evaluated for group in groups)
    assert damaged(made) == []
    report = made.file("report.md").read().decode()
    assert made.metrics["summary"] in report
    assert f"| over label cap | {made.metrics['over_label_cap']} |" in report
    assert len(from_labels(found.data, "rest", table)) == table.num_rows  # as training reads them


def write_beir(folder: Path, queries: list[dict[str, Any]], judged: dict[str, str]) -> dict[str, Any]:
    folder.mkdir()
    documents = [{"_id": f"d{at}", "text": text} for at, text in enumerate(["adds the tops", "adds the bottoms", "forgets the sign"])]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
    (folder / "qrels").mkdir()
    lines = "".join(f"{query}\t{doc}\t1\n" for query, doc in judged.items())
    (folder / "qrels" / "all.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return {"kind": "files", "format": "beir", "path": str(folder)}


def query(name: str, text: str, **metadata: Any) -> dict[str, Any]:
    return {"_id": name, "text": text, "metadata": metadata}


def test_queries_of_the_evaluation_and_judged_ones_get_no_label(run: Run, tmp_path: Path) -> None:
    """By hand: `free` alone may be labelled. `same` belongs to the question of `measured`; `held` is judged, and in no split."""
    queries = [
        query("learned", "adds tops", group_id="q1", split="train"),
        query("measured", "adds bottoms", group_id="q2", split="eval"),
        query("same", "forgets sign", group_id="q2"),
        query("held", "adds tops", group_id="q3"),
        query("free", "the sign", group_id="q4"),
    ]
    data = write_beir(tmp_path / "beir", queries, {"learned": "d0", "measured": "d1", "held": "d0"})
    found = ranked(run, data)
    rest = found.data.query_ids("rest").to_pylist()
    assert [rest[row] for row in queries_of_evaluation_groups(found.data)] == ["same"]
    assert [rest[row] for row in judged_queries(found.data)] == ["held"]
    made = label_unlabelled(run, found, RULES)
    assert made.table("labels/").select(["query_id", "doc_id"]).to_pylist() == [{"query_id": "free", "doc_id": "d2"}]
    assert (made.metrics["judged"], made.metrics["of_evaluation_groups"], made.metrics["considered"]) == (1, 1, 1)


def test_other_rules_are_another_artifact_over_the_same_ranking(run: Run) -> None:
    first = label_unlabelled(run, ranked(run, GENERATED), RULES)
    other = label_unlabelled(run, ranked(run, GENERATED), PseudoLabelSettings(min_score=0.0, min_gap=0.0, max_per_label=1))
    assert first.fingerprint != other.fingerprint
    assert first.manifest["inputs"] == other.manifest["inputs"]
    counts = np.unique(other.table("labels/").column("doc_id").to_pylist(), return_counts=True)[1]
    assert counts.max() == 1


def test_data_without_unlabelled_queries_and_a_model_that_is_never_sure_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    labelled = {**GENERATED, "unlabelled_share": 0.0}
    with pytest.raises(DataError, match="every query belongs to a split, so there is none to give a pseudo label to"):
        require_unlabelled(prepare(run, parse(RetrievalSettings, {"data": labelled, "model": {"name": "unused"}}).data))
    found = ranked(run, GENERATED)
    with pytest.raises(DataError, match=r"no unlabelled query gets a label: 0 of .* lower labels.min_score"):
        label_unlabelled(run, found, PseudoLabelSettings(min_score=1e6))
    assert not [one for one in run.workspace.artifacts() if one.stage == "pseudo_labels"]
    words = ["search.method=bm25", "data.rows=300", "data.unlabelled_share=0", f"workspace={run.workspace.root.uri}"]
    assert run_job("pseudo_label", PseudoLabelJob, pseudo_label, words) == 1
    assert "every query belongs to a split" in capsys.readouterr().err


def test_the_job_labels_and_says_what_became_of_the_queries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search.method=bm25", "data.rows=300", "labels.min_score=0", "labels.min_gap=0", f"workspace={tmp_path}"]
    assert run_job("pseudo_label", PseudoLabelJob, pseudo_label, words) == 0
    out = capsys.readouterr().out
    assert "unlabelled queries get one of" in out
    assert Path(out.split("report: ")[1].splitlines()[0]).is_file()
    assert run_job("pseudo_label", PseudoLabelJob, pseudo_label, [*words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1].endswith("every stage is there")
    assert [line.split()[1] for line in told.splitlines()[:-1]] == ["data", "ranking", "pseudo_labels"]
