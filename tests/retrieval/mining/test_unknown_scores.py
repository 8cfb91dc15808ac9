"""A positive the ranking does not hold has no score: null in the groups, never NaN.

A search is no teacher: files for students get none of its scores.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.flag_embedding import write_flag_embedding
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.mining.groups import to_groups
from ray_pipeline.retrieval.mining.mine import mine
from ray_pipeline.retrieval.mining.positives import scores_in_ranking
from ray_pipeline.retrieval.mining.rules import MiningRules


def test_nan_becomes_null_and_a_search_teaches_nothing(tmp_path: Path) -> None:
    ranking = Ranking(np.array([0]), np.array([[1, 2]]), np.array([[0.5, 0.25]], np.float32))
    positives = DocLists.from_pairs(np.array([0, 0]), np.array([1, 3]), 1)
    scored = DocLists(positives.indptr, positives.docs, scores_in_ranking(ranking, positives))
    queries = pa.table({"query_id": ["q"], "text": ["query"]})
    corpus = pa.table({"doc_id": list("abcd"), "text": ["A", "B", "C", "D"]})
    mined = mine(ranking, MiningRules(range=(0, 2), negatives=1), queries.column("query_id"), scored)
    groups = to_groups(mined, queries, corpus, scored)
    assert groups.column("positives").to_pylist() == [
        [{"id": "b", "text": "B", "score": 0.5, "teacher_score": None}, {"id": "d", "text": "D", "score": None, "teacher_score": None}]
    ]
    write_flag_embedding(groups, str(tmp_path / "out.jsonl"))
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert not line.keys() & {"pos_scores", "neg_scores"}
    assert line["neg_id"] == ["c"]
