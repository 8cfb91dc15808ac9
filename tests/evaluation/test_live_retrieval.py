"""Measuring while training: the figures of the evaluation job for the same weights, and the loss from its definition."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.live_retrieval import KS, LiveRetrieval
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.prepare import FileData, GeneratedData, prepare
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.training.distributed import Group

MODEL = {"max_length": 48, "precision": "fp32"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, ray_session: ClusterSettings) -> Run:
    return Run(Workspace.at(str(tmp_path_factory.mktemp("live"))), ray_session)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Embedder:
    return Embedder(parse(EmbedderSettings, {"name": str(tiny_model), **MODEL}))


@pytest.fixture(scope="module")
def evaluated(run: Run, tiny_model: Path) -> Artifact:
    """The evaluation job's artifact: embed, search, measure."""
    values = {
        "data": {"kind": "misconceptions", "rows": 150},
        "model": {"name": str(tiny_model), **MODEL},
        "search": {"method": "dense", "k": 64},
    }
    settings = parse(RetrievalSettings, values)
    return evaluate(run, retrieve(run, settings), settings, EvaluateSettings(ks=KS, baseline="none"), "")


@pytest.fixture(scope="module")
def data(run: Run) -> PreparedData:
    return prepare(run, parse(GeneratedData, {"rows": 150}))


def test_the_figures_are_those_of_the_evaluation_job(evaluated: Artifact, data: PreparedData, model: Embedder) -> None:
    found = LiveRetrieval(data, "eval", model.text_input, Group()).measure(model)
    means, groups = evaluated.metrics["means"], evaluated.metrics["groups"]
    assert found == pytest.approx(
        {name: means[name] for name in ("map@25", "mrr", "ndcg@10", *(f"recall@{k}" for k in KS))}
        | {f"{name}/map@25": groups[name]["map@25"] for name in ("seen", "unseen")},
        rel=1e-6,
    )
    assert 0 < found["map@25"] < 1


def test_a_share_of_the_queries_gives_the_mean_over_that_share(evaluated: Artifact, data: PreparedData, model: Embedder) -> None:
    values = evaluated.table("per_query.parquet")
    live = {seed: LiveRetrieval(data, "eval", model.text_input, Group(), share=0.3, seed=seed) for seed in (0, 1)}
    count = round(0.3 * values.num_rows)
    for seed, one in live.items():
        chosen = np.sort(np.random.default_rng(seed).permutation(values.num_rows)[:count])  # every query of this data has a positive
        expected = values.column("map@25").to_numpy()[chosen].mean()
        found = one.measure(model)
        assert found["map@25"] == pytest.approx(expected, rel=1e-6)
        assert found["recall@10"] == pytest.approx(values.column("recall@10").to_numpy()[chosen].mean(), rel=1e-6)
    assert live[0].measure(model) != live[1].measure(model)
    again = LiveRetrieval(data, "eval", model.text_input, Group(), share=0.3, seed=0)
    assert again.measure(model) == live[0].measure(model)


def test_the_smallest_share_is_one_query(data: PreparedData, model: Embedder) -> None:
    assert len(LiveRetrieval(data, "eval", model.text_input, Group(), share=1e-6).rows.queries) == 1


def naive_loss(data: PreparedData, model: Embedder, temperature: float, batch: int) -> float:
    """The mean of -log softmax over the batch's documents; others with the text of the query's own are not among them."""
    queries, docs, grades = data.judgements("eval")
    texts = titled_text(data.corpus().table(["text", "title"])).to_pylist()
    first = {query: min(int(doc) for doc in docs[(queries == query) & (grades > 0)]) for query in sorted(set(queries.tolist()))}
    asked = data.queries("eval").table(["text"]).column("text").to_pylist()
    q = unit(model, [asked[query] for query in first], "query")
    d = unit(model, [texts[doc] for doc in first.values()], "document")
    names = [texts[doc] for doc in first.values()]
    total = 0.0
    for start in range(0, len(names), batch):
        rows = range(start, min(start + batch, len(names)))
        for row in rows:
            logits = {other: float(q[row] @ d[other]) / temperature for other in rows if other == row or names[other] != names[row]}
            total += math.log(sum(math.exp(value) for value in logits.values())) - logits[row]
    return total / len(names)


def unit(model: Embedder, texts: list[str], side: str) -> NDArray[np.float64]:
    found = model.encode(model.tokenize(texts, side), 4096, 1).astype(np.float64)  # type: ignore[arg-type]
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@pytest.mark.parametrize("batch", [7, 10_000])
def test_the_evaluation_loss_from_its_definition(batch: int, data: PreparedData, model: Embedder) -> None:
    objective = ContrastiveSettings(temperature=0.1)
    found = LiveRetrieval(data, "eval", model.text_input, Group(), objective=objective, batch_size=batch).measure(model)
    assert found["eval_loss"] == pytest.approx(naive_loss(data, model, 0.1, batch), rel=1e-5)


def test_it_measures_without_dropout_and_leaves_the_model_training(data: PreparedData, model: Embedder) -> None:
    live = LiveRetrieval(data, "eval", model.text_input, Group(), share=0.2)
    expected = live.measure(model)
    model.train()
    try:
        state = torch.get_rng_state()
        assert live.measure(model) == expected
        assert model.training and all(one.training for one in model.backbone.modules())
        assert torch.equal(torch.get_rng_state(), state)  # a resumed run would draw other numbers
        assert not any(parameter.grad is not None for parameter in model.parameters())
    finally:
        model.eval()


def test_a_statement_never_finds_itself(run: Run, model: Embedder, tmp_path: Path) -> None:
    lines = [
        {"id": f"s{paper}{place}", "paper_id": f"p{paper}", "kind": "lemma", "text": f"lemma {place} on {topic}"}
        for paper, topic in enumerate(("trees", "groups", "rings"))
        for place in range(2)
    ]
    path = tmp_path / "statements.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    statements = prepare(run, parse(FileData, {"kind": "files", "format": "statements", "path": str(path)}))
    itself, other = (LiveRetrieval(statements, "eval", model.text_input, Group(), exclude_self=exclude).measure(model) for exclude in (False, True))
    assert itself["recall@1"] == 0  # the query itself is the nearest, and not relevant
    assert other["recall@1"] > 0
    assert other["mrr"] > itself["mrr"]


def test_bf16_is_near(data: PreparedData, model: Embedder) -> None:
    full, half = (
        LiveRetrieval(data, "eval", model.text_input, Group(), precision=precision, objective=ContrastiveSettings()).measure(model)["eval_loss"]
        for precision in ("fp32", "bf16")
    )
    assert half != full
    assert half == pytest.approx(full, rel=0.02)


def test_a_split_without_positives_is_refused(run: Run, model: Embedder, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "a"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "b"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t0\n")
    prepared = prepare(run, parse(FileData, {"kind": "files", "format": "beir", "path": str(tmp_path)}))
    with pytest.raises(DataError, match="no query of split 'eval' has a positive, so there is nothing to evaluate on"):
        LiveRetrieval(prepared, "eval", model.text_input, Group())
