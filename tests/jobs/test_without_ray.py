"""Jobs on rankings by words, which need no cluster: comparison, rankings from elsewhere, mining's depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.compare import compare
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.runs import write_run
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.mine import MiningSettings, mine_groups
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.search_shards import ranking_of

MEASURES = EvaluateSettings(ks=(1, 25), baseline="none", worst=1)


def settings(rows: int = 400, **changes: Any) -> RetrievalSettings:
    search = {"method": "bm25", **changes.pop("search", {})}
    given = {"data": {"kind": "misconceptions", "rows": rows}, "model": {"name": "unused"}, "search": search, **changes}
    return parse(RetrievalSettings, given)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace.at(str(tmp_path / "outputs")), ClusterSettings())


def measured(run: Run, given: RetrievalSettings) -> Artifact:
    return evaluate(run, retrieve(run, given), given, MEASURES, "a test")


def test_two_evaluations_are_compared_in_words(run: Run, tmp_path: Path) -> None:
    given = settings()
    data, ranking = prepare(run, given.data), ranking_of(retrieve(run, given).ranking)
    upside_down = Ranking(ranking.queries, ranking.docs, np.where(ranking.docs == PAD_DOC, -np.inf, -ranking.scores).astype(np.float32))
    write_run(upside_down, data.query_ids("eval"), data.doc_ids(), str(tmp_path / "worst.run"), "worst")
    better, worse = measured(run, given), measured(run, settings(ranking=str(tmp_path / "worst.run")))
    said = compare(better.location.uri, worse.location.uri, ["map@25", "recall@25"])
    assert "recall@25: better by" in said
    assert "95% interval" in said
    same = compare(better.location.uri, better.location.uri, ["map@25"])
    assert "no difference shown (0.0 points, 95% interval 0.0 to 0.0" in same


def test_other_evaluation_sets_and_measures_are_refused(run: Run) -> None:
    one, other = measured(run, settings()), measured(run, settings(rows=500))
    with pytest.raises(DataError, match="evaluation set"):
        compare(one.location.uri, other.location.uri, ["map@25"])
    with pytest.raises(DataError, match=r"has no 'map@7'; it has .*map@25"):
        compare(one.location.uri, one.location.uri, ["map@7"])


def test_a_run_file_is_measured_like_the_ranking_it_was_written_from(run: Run, tmp_path: Path) -> None:
    given = settings()
    data = prepare(run, given.data)
    ranking = ranking_of(retrieve(run, given).ranking)
    write_run(ranking, data.query_ids("eval"), data.doc_ids(), str(tmp_path / "bm25.run"), "bm25")
    from_file = settings(ranking=str(tmp_path / "bm25.run"))
    assert measured(run, from_file).metrics["means"] == measured(run, given).metrics["means"]
    again = settings(ranking=retrieve(run, given).ranking.location.uri)
    assert retrieve(run, again).ranking.fingerprint == retrieve(run, given).ranking.fingerprint


def test_mining_refuses_a_ranking_that_is_too_shallow(run: Run) -> None:
    shallow = settings(search={"k": 50}, split="train")
    with pytest.raises(SettingsError, match="looks at ranks up to 200, the ranking holds 50; set search.k=200"):
        mine_groups(run, retrieve(run, shallow), MiningSettings())
    deep = settings(search={"k": 200}, split="train")
    groups = mine_groups(run, retrieve(run, deep), MiningSettings())
    assert groups.manifest["rows"] == len(prepare(run, deep.data).queries("train"))
    assert {file.path.rsplit("/", 1)[-1] for file in groups.files()} >= {"flag_embedding.jsonl", "triplets.jsonl", "audit.md", "audit.json"}
