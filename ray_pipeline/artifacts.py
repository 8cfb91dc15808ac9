"""Artifacts: what a stage writes, once, under a name that its inputs decide.

    <workspace>/<stage>/<fingerprint>/
        manifest.json                     written last: the artifact exists when this file does
        attempts/<attempt>/...            each attempt writes under its own prefix
        attempts/<attempt>/records/*.json one record a finished shard, written after the shard

The fingerprint is a hash of the stage, its `algorithm` number, its identity settings and its inputs' fingerprints.
A killed attempt leaves finished shards with their records; the next attempt of the same fingerprint takes them over
and the manifest lists files from both. Two attempts that race write the same bytes under different prefixes and the
manifest of the last one stands: one artifact, never a mixture of halves.

The manifest carries a digest of itself, so `damaged` sees an edited setting or metric as well as a changed file.

Traps. Parquet pages follow the chunks of the table they are written from: without joining these first, equal tables give
different bytes. File names are listed with their numbers in order of value, or shard 1000000 would come before 999999.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location

MANIFEST = "manifest.json"
FORMAT = 1
_NEEDED = ("stage", "fingerprint", "algorithm", "identity", "inputs", "metrics", "files")
_NAME = re.compile(r"[0-9a-f]{20}")
ROW_GROUP = 2048  # rows that are read together: small enough that a shard reads little beside its own


def fingerprint(stage: str, algorithm: int, identity: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """The name of the artifact that these decide: 20 hex digits."""
    content = {"stage": stage, "algorithm": algorithm, "identity": identity, "inputs": dict(inputs)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class File:
    """A file of an artifact: where (relative to its folder), how large, its hash and its rows."""

    path: str
    size: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Input:
    """What a stage reads: another artifact, or something raw (a file, a model) known by the hash of its content."""

    fingerprint: str  # of the whole artifact, or of the content of the part that is read
    uri: str
    kind: str  # "artifact", "file" or "model"
    part: str = ""  # the tables of an artifact that are read; "" for all of it


@dataclass(frozen=True)
class Artifact:
    """A published artifact."""

    location: Location
    manifest: Mapping[str, Any]

    @property
    def stage(self) -> str:
        return str(self.manifest["stage"])

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def metrics(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.manifest["metrics"]
        return found

    def as_input(self, part: str = "") -> Input:
        """This artifact as an input. With `part`, by the content of those files alone: what another split of the
        same corpus leaves as it was is not computed again."""
        return Input(self.part_fingerprint(part) if part else self.fingerprint, self.location.uri, "artifact", part)

    def part_fingerprint(self, part: str) -> str:
        content = json.dumps([[file.rows, file.sha256] for file in self.files(part)])
        return hashlib.sha256(content.encode()).hexdigest()[:20]

    def files(self, part: str = "") -> list[File]:
        """The files whose logical name starts with `part`, in order."""
        return [File(**entry["file"]) for entry in self.manifest["files"] if entry["name"].startswith(part)]

    def file(self, name: str) -> Location:
        """Where the file of this logical name lies."""
        for entry in self.manifest["files"]:
            if entry["name"] == name:
                return self.location / str(entry["file"]["path"])
        names = ", ".join(entry["name"] for entry in self.manifest["files"][:20])
        raise ArtifactError(f"{self.location.uri}: holds no {name!r}; it holds {names}")

    def table(self, part: str) -> pa.Table:
        """All Parquet files whose logical name starts with `part`, as one table."""
        files = self.files(part)
        if not files:
            raise ArtifactError(f"{self.location.uri}: holds no table {part!r}")
        return pa.concat_tables([read_parquet(self.location / file.path) for file in files])


def read_parquet(place: Location) -> pa.Table:
    """One Parquet file as a table."""
    filesystem, path = place.open()
    return pq.read_table(path, filesystem=filesystem)


def load(uri: str, *stages: str) -> Artifact:
    """The published artifact at `uri`; refuses folders without a manifest and, if any are given, other stages."""
    place = Location.of(uri)
    if place.name == MANIFEST:
        place = place.parent
    if not (place / MANIFEST).exists():
        raise ArtifactError(f"{uri}: no {MANIFEST} here, so nothing was published; finish the job that writes it, or check the path")
    manifest = (place / MANIFEST).read_json()
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise ArtifactError(f"{uri}: its {MANIFEST} is not one of ours; give the folder of an artifact")
    if manifest["format"] != FORMAT:
        raise ArtifactError(f"{uri}: manifest format {manifest['format']!r}, this version reads {FORMAT}")
    lacking = [key for key in _NEEDED if key not in manifest]
    if lacking:
        raise ArtifactError(f"{uri}: its {MANIFEST} lacks {', '.join(lacking)}; it is damaged, delete the folder and run its job again")
    artifact = Artifact(place, manifest)
    if stages and artifact.stage not in stages:
        raise ArtifactError(f"{uri}: this is a {artifact.stage!r} artifact, a {' or '.join(map(repr, stages))} artifact is needed here")
    return artifact


@dataclass
class Attempt:
    """One try at writing an artifact. Files it writes are listed by `publish`; nothing else makes them visible."""

    location: Location  # the artifact's folder
    prefix: str  # attempts/<attempt>
    started: float = field(default_factory=time.time)
    written: dict[str, File] = field(default_factory=dict)

    def path(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def write(self, name: str, data: bytes | pa.Buffer, rows: int | None = None) -> File:
        """Write one file of the artifact under its logical name."""
        file = write_file(self.location, self.path(name), data, rows)
        self.written[name] = file
        return file

    def write_table(self, name: str, table: pa.Table) -> File:
        return self.write(name, parquet_bytes(table), table.num_rows)

    def reserve(self, name: str) -> Location:
        """Where a writer of its own may write a file, to be listed by `add`."""
        place = self.location / self.path(name)
        filesystem, path = place.parent.open()
        filesystem.create_dir(path, recursive=True)
        return place

    def add(self, name: str, rows: int | None = None) -> None:
        """List a file that was written where `reserve` said."""
        digest, size = (self.location / self.path(name)).sha256()
        self.adopt(name, File(self.path(name), size, digest, rows))

    def finished_shards(self) -> dict[int, dict[str, Any]]:
        """Records of the shards that any attempt finished and whose file is still there in its full size; of two records
        of one shard the older attempt's."""
        found: dict[int, dict[str, Any]] = {}
        for attempt in (self.location / "attempts").children():
            sizes = {place.name: size for place, size in (attempt / "shards").files()}  # one listing, not one question a shard
            for place in (attempt / "records").children():
                if not place.name.endswith(".json") or place.name.startswith("."):
                    continue
                record = place.read_json()
                try:
                    number, file = int(record["shard"]), File(**record["file"])
                except (KeyError, TypeError, ValueError) as problem:
                    raise ArtifactError(f"{place.uri}: not a shard's record ({problem!r}); delete it and run again") from problem
                if sizes.get(posixpath.basename(file.path)) == file.size:
                    found.setdefault(number, record)
        return found

    def adopt(self, name: str, file: File) -> None:
        """List a file that a shard worker, or an earlier attempt, wrote."""
        self.written[name] = file

    def publish(self, body: Mapping[str, Any]) -> Artifact:
        """Write the manifest: from here on the artifact exists."""
        files = [{"name": name, "file": vars(self.written[name])} for name in sorted(self.written, key=_in_order)]
        now = time.time()
        times = {"started": _utc(self.started), "ended": _utc(now), "seconds": round(now - self.started, 3)}
        manifest = json.loads(json.dumps({"format": FORMAT, **body, "times": times, "files": files}))  # as a reader will see it
        manifest["digest"] = _digest(manifest)
        (self.location / MANIFEST).write_json(manifest)
        return Artifact(self.location, manifest)


def write_file(artifact: Location, path: str, data: bytes | pa.Buffer, rows: int | None) -> File:
    """Write one file below an artifact's folder and describe it."""
    (artifact / path).write(data)
    return File(path, len(data), hashlib.sha256(data).hexdigest(), rows)


def write_shard(artifact: Location, prefix: str, shard: int, data: bytes | pa.Buffer, rows: int, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker does at the end of a shard: the file, then its record."""
    file = write_file(artifact, f"{prefix}/shards/{shard:06d}.parquet", data, rows)
    record = {"shard": shard, "file": vars(file), **extra}
    (artifact / prefix / "records" / f"{shard:06d}.json").write_json(record)
    return record


def parquet_bytes(table: pa.Table) -> pa.Buffer:
    """A table as Parquet bytes: the same table always gives the same bytes."""
    sink = io.BytesIO()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", use_dictionary=False, write_statistics=False, row_group_size=ROW_GROUP)
    return pa.py_buffer(sink.getvalue())


def _digest(manifest: Mapping[str, Any]) -> str:
    """Hash of all that a manifest says besides this hash."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _in_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts the numbers within names by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Workspace:
    """The folder all artifacts and run records lie in."""

    root: Location

    @classmethod
    def at(cls, uri: str) -> Workspace:
        return cls(Location.of(uri))

    def place(self, stage: str, name: str) -> Location:
        return self.root / stage / name

    def find(self, stage: str, name: str) -> Artifact | None:
        """The artifact, if it was published."""
        place = self.place(stage, name)
        return load(place.uri, stage) if (place / MANIFEST).exists() else None

    def begin(self, stage: str, name: str) -> Attempt:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        return Attempt(self.place(stage, name), f"attempts/{stamp}-{uuid.uuid4().hex[:8]}")

    def artifacts(self) -> Iterator[Artifact]:
        """Every published artifact."""
        for place in self._folders():
            if (place / MANIFEST).exists():
                yield load(place.uri)

    def unpublished(self) -> Iterator[Location]:
        """Folders of attempts that published nothing (yet)."""
        for place in self._folders():
            if not (place / MANIFEST).exists() and (place / "attempts").exists():
                yield place

    def _folders(self) -> Iterator[Location]:
        """Folders named as artifacts are: whatever else a user keeps in the workspace is not ours to list, or to delete."""
        for stage in self.root.children():
            if stage.name != "runs":
                yield from (place for place in stage.children() if _NAME.fullmatch(place.name))


def damaged(artifact: Artifact) -> list[str]:
    """Re-hash every file; each mismatch as one line."""
    problems = []
    for entry in artifact.manifest["files"]:
        file = File(**entry["file"])
        place = artifact.location / file.path
        if not place.exists():
            problems.append(f"{place.uri}: missing")
            continue
        digest, size = place.sha256()
        if (digest, size) != (file.sha256, file.size):
            problems.append(f"{place.uri}: {size} bytes, sha256 {digest[:12]}; the manifest says {file.size} bytes, {file.sha256[:12]}")
    named = fingerprint(
        artifact.stage,
        artifact.manifest["algorithm"],
        artifact.manifest["identity"],
        {name: entry["fingerprint"] for name, entry in artifact.manifest["inputs"].items()},
    )
    if named != artifact.fingerprint:
        problems.append(f"{artifact.location.uri}: settings and inputs give fingerprint {named}, the manifest says {artifact.fingerprint}")
    if _digest(artifact.manifest) != artifact.manifest.get("digest"):
        problems.append(f"{(artifact.location / MANIFEST).uri}: edited since it was written")
    return problems


def lineage(artifact: Artifact) -> Iterator[tuple[int, str, Artifact | Input]]:
    """The artifact's ancestors up to the raw inputs: depth, the name of the input, what it is. The ancestors of one that
    comes up again are not repeated; one that is no longer there comes as the input that its child recorded."""
    walked: set[str] = set()

    def walk(current: Artifact, depth: int) -> Iterator[tuple[int, str, Artifact | Input]]:
        walked.add(current.location.uri)
        for name, entry in current.manifest["inputs"].items():
            given = Input(**entry)
            parent = _parent(current, given) if given.kind == "artifact" else None
            yield depth, name, given if parent is None else parent
            if parent is not None and parent.location.uri not in walked:
                yield from walk(parent, depth + 1)

    yield from walk(artifact, 1)


def _parent(child: Artifact, given: Input) -> Artifact | None:
    """The artifact an input names: beside its child where the workspace was moved, else where it was, else none."""
    was = Location(given.uri)
    places = (child.location.parent.parent / was.parent.name / was.name, was)
    place = next((one for one in places if (one / MANIFEST).exists()), None)
    if place is None:
        return None
    parent = load(place.uri)
    found = parent.part_fingerprint(given.part) if given.part else parent.fingerprint
    if found != given.fingerprint:
        raise ArtifactError(f"{parent.location.uri}: fingerprint {found}, but {child.location.uri} was made from {given.fingerprint}")
    return parent


def childless(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """The artifacts nothing descends from."""
    parents = {Location(entry["uri"]).name for one in artifacts for entry in one.manifest["inputs"].values() if entry["kind"] == "artifact"}
    return [one for one in artifacts if one.location.name not in parents]
