"""The stages of the retrieval chain on a tiny model: one fingerprint and one set of bytes whatever the placement."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_pipeline.artifacts import Artifact, Attempt, Workspace, damaged
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.errors import ArtifactError, DataError, SettingsError
from ray_pipeline.evaluation.retrieval import split_qrels
from ray_pipeline.metrics.ranking import evaluate_ranking
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.mine import MiningSettings, mine_groups
from ray_pipeline.pipelines.retrieve import RetrievalSettings, Retrieved, retrieve
from ray_pipeline.pipelines.stage import Run, collect_shards
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.reports.retrieval import from_json
from ray_pipeline.retrieval.search_shards import ranking_of

NO_ROOM = ClusterSettings(workers=500, in_process="never")  # whoever asks Ray for this is refused
RULES = MiningSettings.model_validate_json('{"range": [2, 60], "negatives": 5}')


@pytest.fixture(scope="module")
def settings_of(tiny_model: Path) -> Callable[..., RetrievalSettings]:
    """Settings of the chain on the tiny model, with changes by dotted key."""

    def make(**changes: Any) -> RetrievalSettings:
        values: dict[str, Any] = {
            "data": {"kind": "misconceptions", "rows": 300},
            "model": {"name": str(tiny_model), "max_length": 48},
            "embed": {"shard_rows": 256, "token_budget": 1024},
            "search": {"method": "dense", "k": 100, "query_block": 32},
        }
        for key, value in changes.items():
            group, _, name = key.partition("__")
            values[group] = values[group] | {name: value} if name else value
        return parse(RetrievalSettings, values)

    return make


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.at(str(tmp_path_factory.mktemp("stages")))


@pytest.fixture(scope="module")
def first(workspace: Workspace, ray_session: ClusterSettings, settings_of: Callable[..., RetrievalSettings]) -> tuple[Run, Retrieved, Artifact]:
    """The chain up to mined groups, computed once by one worker."""
    run = Run(workspace, ray_session)
    found = retrieve(run, settings_of(), depth=RULES.depth)
    return run, found, mine_groups(run, found, RULES)


def hashes(artifact: Artifact) -> list[str]:
    return [f"{file.rows} {file.sha256}" for file in artifact.files()]


def statuses(run: Run) -> list[str]:
    return [f"{done.stage} {done.status}" for done in run.done]


def search_words_only(settings: RetrievalSettings, **search: Any) -> RetrievalSettings:
    return parse(RetrievalSettings, settings.model_dump(mode="json") | {"search": {"method": "bm25", "k": 100, **search}})


def test_the_chain_is_computed_and_its_manifests_are_true(first: tuple[Run, Retrieved, Artifact]) -> None:
    run, found, groups = first
    assert statuses(run) == ["data computed", "vectors computed", "vectors computed", "ranking computed", "groups computed"]
    assert found.corpus is not None
    assert found.queries is not None
    assert len(found.corpus.files("vectors/")) == -(-len(found.data.corpus()) // 256) >= 3
    assert found.corpus.manifest["rows"] == len(found.data.corpus()) == found.corpus.metrics["rows"]
    assert found.ranking.manifest["rows"] == len(found.data.queries("eval"))
    assert [damaged(done.artifact) for done in run.done] == [[]] * 5
    ids = Rows.of(found.corpus, "vectors/").table(["id"]).column("id")
    assert ids.equals(found.data.doc_ids())
    assert groups.manifest["rows"] == int((split_qrels(found.data, "eval").positives > 0).sum())
    assert {"groups/000000.parquet", "flag_embedding.jsonl", "triplets.jsonl", "audit.json", "audit.md"} == {
        entry["name"] for entry in groups.manifest["files"]
    }


def test_the_search_is_exact(first: tuple[Run, Retrieved, Artifact]) -> None:
    found = first[1]
    assert found.corpus is not None
    assert found.queries is not None
    queries, docs = (vectors_of(Rows.of(one, "vectors/").table(["vector"])).astype(np.float64) for one in (found.queries, found.corpus))
    ranking = ranking_of(found.ranking)
    scores = (queries @ docs.T).astype(np.float32)
    best = -np.sort(-scores, axis=1)[:, :100]
    np.testing.assert_allclose(ranking.scores, best, rtol=0, atol=1e-6)
    assert (np.take_along_axis(scores, ranking.docs, axis=1) >= best[:, -1:] - 1e-6).all()


@pytest.mark.parametrize(
    "placement",
    [{"workers": 2, "threads_per_worker": 2}, {"workers": 4, "gpus_per_worker": 1.0}],
    ids=["2 workers", "4 workers on 4 of 8 logical GPUs"],
)
def test_placement_changes_neither_fingerprint_nor_bytes(
    placement: dict[str, Any], first: tuple[Run, Retrieved, Artifact], ray_session: ClusterSettings, settings_of: Callable[..., RetrievalSettings]
) -> None:
    before = [done.artifact for done in first[0].done]
    run = Run(first[0].workspace, ray_session.model_copy(update=placement), force=True)
    found = retrieve(run, settings_of())
    mine_groups(run, found, RULES)
    assert statuses(run) == ["data computed", "vectors computed", "vectors computed", "ranking computed", "groups computed"]  # force
    for old, done in zip(before, run.done, strict=True):
        assert done.artifact.fingerprint == old.fingerprint
        assert hashes(done.artifact) == hashes(old), done.stage
        assert [file.path for file in done.artifact.files()] != [file.path for file in old.files()]  # an attempt of its own
    corpus, queries = run.done[1].artifact.manifest, run.done[2].artifact.manifest
    shards = len(run.done[1].artifact.files())
    assert 1 <= len(corpus["placed"]) <= min(placement["workers"], shards)
    assert len(queries["placed"]) == 1  # one shard asks for one worker
    gpus = [gpu for one in corpus["placed"] for gpu in one["gpus"]]
    assert len(gpus) == len(set(gpus)) == ("gpus_per_worker" in placement) * len(corpus["placed"])


def test_a_second_run_finds_all_done_and_asks_ray_for_nothing(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    mine_groups(run, retrieve(run, settings_of()), RULES)
    assert {done.status for done in run.done} == {"already done"}
    with pytest.raises(SettingsError, match="room for"):
        retrieve(Run(first[0].workspace, NO_ROOM, force=True), settings_of())


def test_settings_that_change_the_result_change_the_fingerprint_and_only_theirs(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    with pytest.raises(SettingsError, match="room for"):  # the corpus must be embedded anew
        retrieve(Run(first[0].workspace, NO_ROOM), settings_of(embed__shard_rows=255))
    for change in ({"model__max_length": 47}, {"model__prompt": {"kind": "e5"}}, {"embed__dtype": "float16"}):
        with pytest.raises(SettingsError, match="room for"):
            retrieve(Run(first[0].workspace, NO_ROOM), settings_of(**change))
    run = Run(first[0].workspace, NO_ROOM)
    with pytest.raises(SettingsError, match="room for"):
        retrieve(run, settings_of(search__k=99))
    assert statuses(run) == ["data already done", "vectors already done", "vectors already done"]  # only the search is missing
    run = Run(first[0].workspace, NO_ROOM)
    retrieve(run, settings_of(search__kernel="fp32"))  # another way to the same result
    assert {done.status for done in run.done} == {"already done"}


def test_another_split_of_the_same_documents_does_not_embed_them_again(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    with pytest.raises(SettingsError, match="room for"):
        retrieve(run, settings_of(data__eval_share=0.3))
    assert statuses(run) == ["data computed", "vectors already done"]  # it stops at the queries, which are others


def test_parts_of_the_corpus_merge_to_what_one_part_gives(
    first: tuple[Run, Retrieved, Artifact], ray_session: ClusterSettings, settings_of: Callable[..., RetrievalSettings]
) -> None:
    run = Run(first[0].workspace, ray_session)
    parted = retrieve(run, settings_of(search__part_rows=300)).ranking
    assert parted.fingerprint != first[1].ranking.fingerprint
    assert hashes(parted) == hashes(first[1].ranking)


def test_the_report_holds_what_evaluate_ranking_says(first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]) -> None:
    run, found, _ = first
    settings = EvaluateSettings(ks=(100, 1, 25, 1000))
    report = evaluate(run, found, settings_of(), settings, "python -m jobs.evaluate")
    ranking, qrels = ranking_of(found.ranking), split_qrels(found.data, "eval")
    truth = evaluate_ranking(ranking, qrels, (1, 25, 100))
    assert report.metrics["means"] == pytest.approx(truth.means, abs=1e-12)
    assert not any(name.endswith("@1000") for name in report.metrics["means"])  # the lists are 100 deep
    told = from_json(report.file("report.json").read().decode(), "report.json")
    assert told.overall.means == pytest.approx(truth.means, abs=1e-12)
    assert told.ks == (1, 25, 100)
    assert [one.name for one in told.baselines] == ["BM25"]
    assert told.commands[0].text == "python -m jobs.evaluate"
    assert len(told.worst) == 5
    assert told.worst[0].value == np.nanmin(truth.values["map@25"])
    assert "map@25" in report.file("report.md").read().decode().lower()
    values = report.table("per_query.parquet")
    assert values.column("query_id").equals(found.data.query_ids("eval"))
    np.testing.assert_array_equal(values.column("map@25").to_numpy(), truth.values["map@25"])
    baseline = next(done.artifact for done in reversed(run.done) if done.artifact.manifest["settings"].get("search", {}).get("method") == "bm25")
    assert baseline.manifest["settings"]["search"]["k"] == 100  # as deep as the ranking it is held against
    group = values.column("group").to_numpy()
    names = found.data.queries("eval").table(["group_id"]).column("group_id").to_pylist()
    assert len(set(group.tolist())) == len(set(names)) < len(names)  # several wrong answers of one question


def test_measuring_only_beyond_the_lists_end_is_refused(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    with pytest.raises(SettingsError, match="goes only 100 deep"):
        evaluate(first[0], first[1], settings_of(), EvaluateSettings(ks=(1000,)), "")
    with pytest.raises(SettingsError, match="give at least one k"):
        parse(EvaluateSettings, {"ks": [0, 5]})


def test_words_need_no_model_and_can_be_mined_from(first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    found = retrieve(run, search_words_only(settings_of(), query_block=16))
    assert found.corpus is None
    whole = retrieve(run, search_words_only(settings_of())).ranking
    assert len(found.ranking.files()) > len(whole.files()) == 1
    np.testing.assert_array_equal(ranking_of(found.ranking).docs, ranking_of(whole).docs)  # blocks change nothing
    groups = mine_groups(run, found, RULES)
    rows = groups.table("groups/").to_pylist()
    assert all(len(row["negatives"]) <= 5 and not {one["id"] for one in row["negatives"]} & {one["id"] for one in row["positives"]} for row in rows)
    assert sum(len(row["negatives"]) for row in rows) > 4 * len(rows)


def test_mining_deeper_than_the_search_is_refused_before_anything_is_embedded(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    with pytest.raises(SettingsError, match="set search.k=200 or more"):
        retrieve(run, settings_of(embed__shard_rows=200), depth=MiningSettings().depth)
    assert statuses(run) == ["data already done"]
    with pytest.raises(SettingsError, match="the ranking holds 100"):
        mine_groups(run, first[1], MiningSettings())


def test_a_split_without_positives_is_refused_in_words(first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    unlabelled = search_words_only(settings_of())
    found = retrieve(run, parse(RetrievalSettings, unlabelled.model_dump(mode="json") | {"split": "rest"}))
    with pytest.raises(DataError, match="no query of split 'rest' has a positive, so there is nothing to measure"):
        evaluate(run, found, unlabelled, EvaluateSettings(), "")
    with pytest.raises(DataError, match="nothing to mine"):
        mine_groups(run, found, RULES)
    with pytest.raises(DataError, match="no queries in split 'train'"):
        statements = run.workspace.root / "none.jsonl"
        statements.write(b'{"query": "a", "positive": "b"}\n')
        data = {"kind": "files", "format": "table", "path": statements.uri}
        retrieve(run, parse(RetrievalSettings, unlabelled.model_dump(mode="json") | {"split": "train", "data": data}))


def test_a_given_ranking_must_be_of_the_same_queries_and_documents(
    first: tuple[Run, Retrieved, Artifact], settings_of: Callable[..., RetrievalSettings]
) -> None:
    run = Run(first[0].workspace, NO_ROOM)
    dense = first[1].ranking
    assert retrieve(run, settings_of(ranking=dense.location.uri)).ranking.fingerprint == dense.fingerprint
    words = retrieve(run, search_words_only(settings_of())).ranking
    assert retrieve(run, settings_of(ranking=words.location.uri)).ranking.fingerprint == words.fingerprint
    with pytest.raises(ArtifactError, match="ranks other queries of split 'train'"):
        retrieve(run, settings_of(ranking=dense.location.uri, split="train"))
    with pytest.raises(ArtifactError, match="ranks other queries"):
        retrieve(run, settings_of(ranking=dense.location.uri, data__seed=1))


def write_statements(folder: Path) -> Path:
    lines = [
        json.dumps({"id": f"s{paper}{place}", "paper_id": f"p{paper}", "kind": "lemma", "text": f"lemma {place} on {topic}"})
        for paper, topic in enumerate(("trees", "groups", "rings", "fields", "knots", "sheaves"))
        for place in range(4)
    ]
    path = folder / "statements.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_statements_never_find_themselves_neither_by_vectors_nor_by_words(
    ray_session: ClusterSettings, settings_of: Callable[..., RetrievalSettings], tmp_path: Path
) -> None:
    data = {"kind": "files", "format": "statements", "path": str(write_statements(tmp_path))}
    run = Run(Workspace.at(str(tmp_path / "outputs")), ray_session)
    found = retrieve(run, settings_of(data=data, search__exclude_self=True, search__k=23, search__part_rows=10))
    ids, queries = found.data.doc_ids().to_pylist(), found.data.query_ids("eval").to_pylist()
    assert sorted(ids) == sorted(queries)
    ranking = ranking_of(found.ranking)
    for query, row in zip(queries, ranking.docs, strict=True):
        assert sorted(ids[doc] for doc in row) == sorted(set(ids) - {query})
    report = evaluate(run, found, settings_of(data=data), EvaluateSettings(ks=(1, 3)), "")
    baseline = next(done.artifact for done in run.done if done.artifact.manifest["settings"].get("search", {}).get("method") == "bm25")
    words = ranking_of(baseline)
    assert all(query not in {ids[doc] for doc in row if doc >= 0} for query, row in zip(queries, words.docs, strict=True))
    assert words.docs.shape[1] <= 23
    assert report.metrics["baselines"]["BM25"]["precision@3"] == pytest.approx(1.0)  # the topic tells the paper's statements
    near = retrieve(run, search_words_only(settings_of(data=data), exclude_self=True, exclude_positives=True)).ranking
    papers = {name: name[1] for name in ids}
    found_papers = [{papers[ids[doc]] for doc in row if doc >= 0} for row in ranking_of(near).docs]
    assert all(papers[query] not in others and others for query, others in zip(queries, found_papers, strict=True))


@pytest.mark.parametrize("numbers", [[0, 2], [], [0, 1, 2, 3]])
def test_a_manifest_never_describes_part_of_a_table(tmp_path: Path, numbers: list[int]) -> None:
    attempt = Attempt(Workspace.at(str(tmp_path)).place("vectors", "0" * 20), "attempts/one")
    records = [{"shard": number, "file": {"path": f"{number}", "size": 1, "sha256": "", "rows": 1}} for number in numbers]
    with pytest.raises(ArtifactError, match=f"{len(numbers)} of 3 shards have a record"):
        collect_shards(attempt, "vectors/", {}, 3, records)
