"""Artifacts exist when their manifest does, are named by what they are made of, and notice damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.artifacts import (
    MANIFEST,
    Artifact,
    Attempt,
    File,
    Input,
    Workspace,
    childless,
    damaged,
    fingerprint,
    lineage,
    load,
    parquet_bytes,
    write_shard,
)
from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location

RAW = {"texts": Input("f" * 64, "/data/corpus.jsonl", "file")}


@pytest.fixture(params=["local", "uri"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace.at(str(tmp_path / "outputs") if request.param == "local" else f"mock://artifacts/{tmp_path.name}")


def body(stage: str, identity: Mapping[str, Any], inputs: Mapping[str, Input]) -> dict[str, Any]:
    """A manifest's body as a stage gives it."""
    name = fingerprint(stage, 1, identity, {key: one.fingerprint for key, one in inputs.items()})
    return {
        "stage": stage,
        "fingerprint": name,
        "algorithm": 1,
        "identity": dict(identity),
        "settings": {"workers": 2},
        "inputs": {key: vars(one) for key, one in inputs.items()},
        "rows": 4,
        "metrics": {"dim": 3, "ks": (1, 2)},
    }


def begin(workspace: Workspace, stage: str, identity: Mapping[str, Any], inputs: Mapping[str, Input] = RAW) -> tuple[Attempt, dict[str, Any]]:
    described = body(stage, identity, inputs)
    return workspace.begin(stage, described["fingerprint"]), described


def table(*values: int) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64())})


def made(workspace: Workspace, stage: str = "data", seed: int = 0, inputs: Mapping[str, Input] = RAW) -> Artifact:
    attempt, described = begin(workspace, stage, {"seed": seed}, inputs)
    attempt.write_table("queries/eval/000000.parquet", table(seed, 1))
    attempt.write_table("corpus/000000.parquet", table(0, 1))
    attempt.write_table("corpus/000001.parquet", table(2, 3))
    attempt.write("notes.md", b"notes")
    return attempt.publish(described)


# names


def test_a_fingerprint_never_moves() -> None:
    identity = {"model": {"pooling": "mean", "dim": None, "share": 0.1}, "side": "Ä"}
    assert fingerprint("vectors", 1, identity, {"texts": "ab", "model": "cd"}) == "fa33c085877b9160fd61"


def test_a_fingerprint_depends_on_each_of_its_parts_and_on_no_order() -> None:
    parts: tuple[Any, ...] = ("vectors", 1, {"a": 1, "b": [1, 2]}, {"x": "1", "y": "2"})
    name = fingerprint(*parts)
    assert name == fingerprint("vectors", 1, {"b": [1, 2], "a": 1}, {"y": "2", "x": "1"})
    others = [("ranking", 0), (2, 1), ({"a": 1, "b": [2, 1]}, 2), ({"a": True, "b": [1, 2]}, 2), ({"x": "2", "y": "1"}, 3)]
    changed = [fingerprint(*(value if at == place else part for at, part in enumerate(parts))) for value, place in others]
    assert len({name, *changed}) == 1 + len(others)


# publishing


def test_nothing_exists_before_the_manifest(workspace: Workspace) -> None:
    attempt, described = begin(workspace, "data", {})
    attempt.write("a.md", b"a")
    name = described["fingerprint"]
    assert workspace.find("data", name) is None
    assert list(workspace.artifacts()) == []
    assert [place.name for place in workspace.unpublished()] == [name]
    with pytest.raises(ArtifactError, match="nothing was published"):
        load(attempt.location.uri)
    published = attempt.publish(described)
    assert workspace.find("data", name) == published == next(workspace.artifacts())
    assert list(workspace.unpublished()) == []


def test_a_published_artifact_reads_as_it_was_returned(workspace: Workspace) -> None:
    written = made(workspace)
    again = load(written.location.uri, "data")
    assert again == written
    assert again == load((written.location / MANIFEST).uri)
    assert again.metrics == {"dim": 3, "ks": [1, 2]}
    assert again.table("corpus/").column("x").to_pylist() == [0, 1, 2, 3]
    assert again.file("notes.md").read() == b"notes"
    assert [file.rows for file in again.files("corpus/")] == [2, 2]
    with pytest.raises(ArtifactError, match=r"holds no 'missing\.md'; it holds corpus/000000\.parquet"):
        again.file("missing.md")
    with pytest.raises(ArtifactError, match="holds no table 'vectors/'"):
        again.table("vectors/")


def test_the_manifest_is_found_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = made(Workspace.at(str(tmp_path)))
    monkeypatch.chdir(artifact.location.uri)
    assert load(".") == load(MANIFEST) == artifact


def test_readers_refuse_what_is_not_theirs(tmp_path: Path) -> None:
    artifact = made(Workspace.at(str(tmp_path)))
    with pytest.raises(ArtifactError, match="this is a 'data' artifact, a 'vectors' artifact is needed"):
        load(artifact.location.uri, "vectors")
    manifest = tmp_path / "other" / MANIFEST
    manifest.parent.mkdir()
    for content, said in [
        ("[1]", "not one of ours"),
        ('{"name": "webapp"}', "not one of ours"),
        (json.dumps({**artifact.manifest, "format": 2}), "manifest format 2, this version reads 1"),
        (json.dumps({"format": 1, "stage": "data"}), "lacks fingerprint, algorithm, identity, inputs, metrics, files"),
        ('{"format": 1', "not valid JSON"),
    ]:
        manifest.write_text(content)
        with pytest.raises(ArtifactError, match=said):
            load(str(manifest.parent))


def test_a_million_shards_stay_in_order(tmp_path: Path) -> None:
    attempt, described = begin(Workspace.at(str(tmp_path)), "vectors", {})
    for number in (1_000_000, 2, 999_999, 10):
        attempt.adopt(f"vectors/{number:06d}.parquet", File(f"x/{number}", 1, "", 1))
    artifact = attempt.publish(described)
    assert [file.path for file in artifact.files("vectors/")] == ["x/2", "x/10", "x/999999", "x/1000000"]


def test_a_file_another_writer_wrote_is_listed_with_its_own_bytes(tmp_path: Path) -> None:
    attempt, described = begin(Workspace.at(str(tmp_path)), "groups", {})
    place = attempt.reserve("exports/rows.jsonl.gz")
    Path(place.uri).write_bytes(b"not even gzip")
    attempt.add("exports/rows.jsonl.gz", 7)
    artifact = attempt.publish(described)
    assert (artifact.files()[0].size, artifact.files()[0].rows) == (13, 7)
    assert damaged(artifact) == []


def test_two_attempts_that_race_leave_one_whole_artifact(workspace: Workspace) -> None:
    first, described = begin(workspace, "data", {"seed": 1})
    second, _ = begin(workspace, "data", {"seed": 1})
    assert first.prefix != second.prefix
    for number in range(3):
        for attempt in (first, second):
            attempt.write_table(f"corpus/{number:06d}.parquet", table(number))
    early = first.publish(described)
    late = second.publish(described)
    assert workspace.find("data", described["fingerprint"]) == late
    assert {file.path.rsplit("/", 2)[0] for file in late.files()} == {second.prefix}
    assert early.table("corpus/") == late.table("corpus/")
    assert damaged(early) == damaged(late) == []


# continuing


def shard(attempt: Attempt, number: int, *values: int) -> dict[str, Any]:
    return write_shard(attempt.location, attempt.prefix, number, parquet_bytes(table(*values)), len(values), {"counts": {"rows": len(values)}})


def test_finished_shards_of_a_killed_attempt_are_taken_over(workspace: Workspace) -> None:
    killed, described = begin(workspace, "vectors", {})
    done = [shard(killed, 0, 1, 2), shard(killed, 2, 5)]
    later = workspace.begin("vectors", described["fingerprint"])
    assert later.finished_shards() == {0: done[0], 2: done[1]}
    last = shard(later, 1, 3, 4)
    for record in (*done, last):
        later.adopt(f"vectors/{record['shard']:06d}.parquet", File(**record["file"]))
    artifact = later.publish(described)
    assert artifact.table("vectors/").column("x").to_pylist() == [1, 2, 3, 4, 5]
    assert damaged(artifact) == []


def test_a_crash_between_file_and_record_redoes_the_shard(workspace: Workspace) -> None:
    killed, described = begin(workspace, "vectors", {})
    record = shard(killed, 0, 1)
    shard(killed, 1, 2)
    (killed.location / killed.prefix / "records/000001.json").delete()
    assert workspace.begin("vectors", described["fingerprint"]).finished_shards() == {0: record}


def test_a_record_without_its_whole_file_counts_for_nothing(workspace: Workspace) -> None:
    killed, described = begin(workspace, "vectors", {})
    cut, gone, whole = shard(killed, 0, *range(100)), shard(killed, 1, 2), shard(killed, 2, 3)
    (killed.location / cut["file"]["path"]).write(b"PAR1")
    (killed.location / gone["file"]["path"]).delete()
    assert workspace.begin("vectors", described["fingerprint"]).finished_shards() == {2: whole}


def test_one_shard_done_twice_counts_once_and_a_damaged_one_gives_way(tmp_path: Path) -> None:
    workspace = Workspace.at(str(tmp_path))
    _, described = begin(workspace, "vectors", {})
    place = workspace.place("vectors", described["fingerprint"])
    older, newer = Attempt(place, "attempts/20260101T000000-a"), Attempt(place, "attempts/20260102T000000-b")
    records = [shard(older, 0, 1), shard(newer, 0, 1)]
    assert newer.finished_shards() == {0: records[0]}
    (place / records[0]["file"]["path"]).delete()
    assert newer.finished_shards() == {0: records[1]}


@pytest.mark.parametrize("content", [b'{"shard": 0', b"[]", b'{"shard": 0}', b'{"shard": "x", "file": {}}', b'{"shard": 0, "file": {"path": "a"}}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: bytes) -> None:
    workspace = Workspace.at(str(tmp_path))
    killed, described = begin(workspace, "vectors", {})
    shard(killed, 0, 1)
    (killed.location / killed.prefix / "records/000000.json").write(content)
    with pytest.raises(ArtifactError, match=r"records/000000\.json: not "):
        workspace.begin("vectors", described["fingerprint"]).finished_shards()


def test_leftovers_of_a_write_are_no_records(tmp_path: Path) -> None:
    killed, _ = begin(Workspace.at(str(tmp_path)), "vectors", {})
    (killed.location / killed.prefix / "records" / ".000000.json.1234.tmp").write(b"{")
    (killed.location / killed.prefix / "records" / ".hidden.json").write(b"{")
    assert killed.finished_shards() == {}


# bytes


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=4))
def test_the_same_table_gives_the_same_bytes_however_it_is_chunked(cuts: list[int]) -> None:
    whole = pa.table({"text": ["x" * (i * 37 % 900) for i in range(3000)], "n": pa.array([None if i % 7 == 0 else i for i in range(3000)])})
    edges = [0, *sorted(cuts), 3000]
    chunked = pa.concat_tables([whole.slice(low, high - low) for low, high in pairwise(edges)])
    assert parquet_bytes(chunked).equals(parquet_bytes(whole))


def test_parquet_bytes_read_back_in_small_row_groups() -> None:
    file = pq.ParquetFile(pa.BufferReader(parquet_bytes(table(*range(5000)))))
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [2048, 2048, 904]
    assert file.read() == table(*range(5000))


def test_a_folder_with_an_equals_sign_adds_no_column(tmp_path: Path) -> None:
    artifact = made(Workspace.at(str(tmp_path / "run=3")))
    assert artifact.table("corpus/").column_names == ["x"]


# damage


def edit(artifact: Artifact, **changes: Any) -> Artifact:
    (artifact.location / MANIFEST).write_json({**artifact.manifest, **changes})
    return load(artifact.location.uri)


def test_an_untouched_artifact_is_whole(workspace: Workspace) -> None:
    assert damaged(load(made(workspace).location.uri)) == []


def test_one_flipped_bit_and_a_missing_file_are_seen(workspace: Workspace) -> None:
    artifact = made(workspace)
    place = artifact.file("corpus/000001.parquet")
    data = bytearray(place.read())
    data[len(data) // 2] ^= 1
    place.write(bytes(data))
    artifact.file("notes.md").delete()
    problems = damaged(artifact)
    assert len(problems) == 2
    assert f"{place.uri}: {len(data)} bytes, sha256 " in problems[0]
    assert problems[1].endswith("notes.md: missing")


@pytest.mark.parametrize("changes", [{"metrics": {"dim": 4}}, {"rows": 5}, {"settings": {}}, {"files": []}, {"digest": "0"}])
def test_an_edited_manifest_is_seen(tmp_path: Path, changes: dict[str, Any]) -> None:
    artifact = edit(made(Workspace.at(str(tmp_path))), **changes)
    assert [problem.rsplit("/", 1)[1] for problem in damaged(artifact)] == [f"{MANIFEST}: edited since it was written"]


@pytest.mark.parametrize("changes", [{"identity": {"seed": 1}}, {"algorithm": 2}, {"stage": "vectors"}, {"inputs": {}}])
def test_other_settings_or_inputs_do_not_give_this_name(tmp_path: Path, changes: dict[str, Any]) -> None:
    problems = damaged(edit(made(Workspace.at(str(tmp_path))), **changes))
    assert any("settings and inputs give fingerprint" in problem for problem in problems)


# lineage


def chain(workspace: Workspace) -> tuple[Artifact, Artifact, Artifact]:
    """Data, vectors of one part of it, and a ranking of both."""
    data = made(workspace)
    vectors = made(workspace, "vectors", inputs={"texts": data.as_input("corpus/"), "model": Input("m", "pkg://model", "model")})
    return data, vectors, made(workspace, "ranking", inputs={"corpus": vectors.as_input(), "data": data.as_input()})


def names(found: Iterator[tuple[int, str, Artifact | Input]]) -> list[tuple[int, str, str]]:
    return [(depth, name, one.stage if isinstance(one, Artifact) else one.kind) for depth, name, one in found]


WHOLE_LINE = [(1, "corpus", "vectors"), (2, "texts", "data"), (3, "texts", "file"), (2, "model", "model"), (1, "data", "data")]


def test_lineage_reaches_the_raw_inputs_and_repeats_nothing(workspace: Workspace) -> None:
    *_, ranking = chain(workspace)
    assert names(lineage(ranking)) == WHOLE_LINE


def test_lineage_of_a_long_chain_of_diamonds_is_short(tmp_path: Path) -> None:
    workspace = Workspace.at(str(tmp_path))
    last = made(workspace)
    for step in range(1, 20):  # 2^19 paths lead up
        last = made(workspace, "step", step, {"a": last.as_input(), "b": last.as_input()})
    assert len(list(lineage(last))) == 2 * 19 + 1


def test_lineage_of_a_moved_workspace_is_that_of_its_new_place(tmp_path: Path) -> None:
    *_, ranking = chain(Workspace.at(str(tmp_path / "here")))
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = load(ranking.location.uri.replace("/here/", "/there/"))
    found = list(lineage(moved))
    assert names(iter(found)) == WHOLE_LINE
    assert all("/there/" in one.location.uri for _, _, one in found if isinstance(one, Artifact))


def test_an_artifact_sent_away_alone_still_tells_what_it_was_made_from(tmp_path: Path) -> None:
    _, vectors, ranking = chain(Workspace.at(str(tmp_path / "here")))
    shutil.copytree(ranking.location.uri, tmp_path / "sent")
    shutil.rmtree(tmp_path / "here")
    found = list(lineage(load(str(tmp_path / "sent"))))
    assert names(iter(found)) == [(1, "corpus", "artifact"), (1, "data", "artifact")]
    assert isinstance(found[0][2], Input) and found[0][2].fingerprint == vectors.fingerprint


def test_a_parent_that_is_another_one_by_now_is_an_error(tmp_path: Path) -> None:
    data, _, ranking = chain(Workspace.at(str(tmp_path)))
    edit(data, files=data.manifest["files"][1:])
    with pytest.raises(ArtifactError, match="was made from"):
        list(lineage(ranking))


def test_a_part_is_named_by_its_content_alone(tmp_path: Path) -> None:
    workspace = Workspace.at(str(tmp_path))
    first, second = made(workspace, seed=0), made(workspace, seed=5)  # another split of the same corpus
    assert first.fingerprint != second.fingerprint
    assert first.as_input("corpus/").fingerprint == second.as_input("corpus/").fingerprint
    assert first.as_input("queries/").fingerprint != second.as_input("queries/").fingerprint
    assert first.as_input().fingerprint == first.fingerprint


def test_childless_are_those_nothing_descends_from(workspace: Workspace) -> None:
    data, vectors, ranking = chain(workspace)
    alone = made(workspace, seed=9)
    assert {one.fingerprint for one in childless(list(workspace.artifacts()))} == {ranking.fingerprint, alone.fingerprint}
    assert {one.fingerprint for one in childless([data, vectors])} == {vectors.fingerprint}


def test_what_a_user_keeps_in_the_workspace_is_left_alone(tmp_path: Path) -> None:
    workspace = Workspace.at(str(tmp_path))
    artifact = made(workspace)
    (tmp_path / "notes.txt").write_text("a file beside the stages")
    (tmp_path / "data" / "notes.txt").write_text("a file beside the artifacts")
    (tmp_path / "plots" / "monday").mkdir(parents=True)
    (tmp_path / "plots" / "0123456789abcdef0123").mkdir()
    (tmp_path / "web" / "app").mkdir(parents=True)
    (tmp_path / "web" / "app" / MANIFEST).write_text('{"name": "app"}')
    (Location.of(str(tmp_path)) / "runs" / "0123456789abcdef0123" / "attempts" / "x").write(b"")
    assert list(workspace.artifacts()) == [artifact]
    assert list(workspace.unpublished()) == []
