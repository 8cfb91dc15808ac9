"""Places: plain paths and URIs, all-or-nothing writes, bytes as they are."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location


@pytest.fixture(params=["local", "uri"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """A folder on disk, and one on a filesystem that only pyarrow knows (in memory, kept by the cache of stores)."""
    return Location.of(str(tmp_path) if request.param == "local" else f"mock://store/{tmp_path.name}")


def test_plain_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Location.of("a/b/").uri == str(tmp_path / "a/b")
    assert Location.of(".") == Location.of(str(tmp_path))
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert Location.of("a/b/../c").uri == str(tmp_path.resolve() / "a/c")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Location.of("~/a").uri == str(tmp_path / "a")


def test_file_uris_are_local_paths() -> None:
    assert Location.of("file:///a/b%20c/") == Location.of("file://localhost/a/b c") == Location.of("/a/b c")
    assert Location.of("file:///").uri == "/"
    with pytest.raises(ArtifactError, match="absolute path"):
        Location.of("file://a/b")


def test_names_and_parents() -> None:
    place = Location.of("/a/b") / "c/d e.json"
    assert (place.uri, place.name, place.parent.name) == ("/a/b/c/d e.json", "d e.json", "c")


def test_a_uri_keeps_its_options_and_encodes_its_path() -> None:
    root = Location.of("s3://bucket/runs/?endpoint_override=minio:9000&scheme=http")
    place = root / "a b" / "100%.json"
    assert place.uri == "s3://bucket/runs/a%20b/100%25.json?endpoint_override=minio:9000&scheme=http"
    assert (place.name, place.parent, place.parent.parent) == ("100%.json", root / "a b", root)
    filesystem, path = place.open()
    assert (filesystem.type_name, path) == ("s3", "bucket/runs/a b/100%.json")
    assert filesystem is root.open()[0]  # one client for the store, not one a file


@pytest.mark.parametrize("uri", ["zzz://x/y", "nonsense-scheme://"])
def test_an_unknown_scheme_is_named(uri: str) -> None:
    with pytest.raises(ArtifactError, match="not a place pyarrow can open"):
        Location.of(uri).exists()


def test_write_read_list_delete(root: Location) -> None:
    folder = root / "ein Ördner 100%"
    file = folder / "sub/ä b.bin"
    assert not file.exists() and folder.children() == [] and list(folder.files()) == []
    file.write(b"first, and longer")
    file.write(pa.py_buffer(b"second"))
    (folder / "a.json").write_json({"x": ["ä", 1.5, None]})
    assert file.read() == b"second"
    assert (folder / "a.json").read_json() == {"x": ["ä", 1.5, None]}
    assert file.sha256() == (hashlib.sha256(b"second").hexdigest(), 6)
    assert [place.name for place in folder.children()] == ["a.json", "sub"]
    assert sorted((place.uri, size) for place, size in folder.files()) == sorted([((folder / "a.json").uri, 45), (file.uri, 6)])
    assert file.children() == [] and list(file.files()) == []  # a file holds nothing
    assert pickle.loads(pickle.dumps(file)).read() == b"second"
    (folder / "a.json").delete()
    assert not (folder / "a.json").exists()
    folder.delete()
    assert not file.exists()


def test_a_compressed_name_changes_no_byte(root: Location) -> None:
    packed = gzip.compress(b"text", mtime=0)
    place = root / "x.jsonl.gz"
    place.write(packed)
    assert place.read() == packed
    assert place.sha256() == (hashlib.sha256(packed).hexdigest(), len(packed))
    assert [size for _, size in root.files()] == [len(packed)]


def test_half_a_surrogate_pair_in_json_reads_back(root: Location) -> None:
    place = root / "a.json"
    place.write_json({"path": "caf\udce9", "é": "é"})
    assert place.read().decode("utf-8").count("é") == 2
    assert place.read_json() == {"path": "caf\udce9", "é": "é"}


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe\x00", b'{"a": 1} x'])
def test_damaged_json_is_named(tmp_path: Path, data: bytes) -> None:
    place = Location.of(str(tmp_path)) / "a.json"
    place.write(data)
    with pytest.raises(ArtifactError, match=r"a\.json: not valid JSON"):
        place.read_json()


class DiskFullError(Exception):
    pass


def _fail(*arguments: Any) -> Any:
    raise DiskFullError


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    place = Location.of(str(tmp_path)) / "a.bin"
    place.write(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if at == "fsync" else (Path, "replace")), _fail)  # type: ignore[arg-type]
        with pytest.raises(DiskFullError):
            place.write(b"new")
        with pytest.raises(DiskFullError):
            (place.parent / "b.bin").write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert place.read() == b"old"


def test_a_failed_write_elsewhere_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Location.of("mock://other/failing")
    place = root / "a.bin"
    place.write(b"old")
    with pytest.raises(TypeError):
        place.write("text is no bytes")  # type: ignore[arg-type]
    assert [one.name for one in root.children()] == ["a.bin"]
    assert place.read() == b"old"


def test_nobody_sees_a_file_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Location.of(str(tmp_path)) / "a.bin"
    seen: list[bool] = []
    real: Callable[[int], None] = os.fsync

    def watching(handle: int) -> None:
        seen.append(place.exists())
        real(handle)

    monkeypatch.setattr(os, "fsync", watching)
    place.write(b"x" * 1000)
    assert seen == [False, True]  # the file is flushed before its name exists, the folder after


def test_json_is_written_for_people(tmp_path: Path) -> None:
    place = Location.of(str(tmp_path)) / "a.json"
    place.write_json({"b": 1, "a": 2})
    assert place.read() == b'{\n  "b": 1,\n  "a": 2\n}\n'
    assert list(json.loads(place.read())) == ["b", "a"]


def test_a_file_is_created_once(root: Location) -> None:
    place = root / "folder" / "once.json"
    assert place.create(b"first")
    assert not place.create(b"second")
    assert place.read() == b"first"
    assert [one.name for one in (root / "folder").children()] == ["once.json"]


def test_of_many_that_create_one_file_one_succeeds(tmp_path: Path) -> None:
    place = Location.of(str(tmp_path / "once"))
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: place.create(str(number).encode()), range(32)))
    assert sum(won) == 1
    assert place.read() == str(won.index(True)).encode()
