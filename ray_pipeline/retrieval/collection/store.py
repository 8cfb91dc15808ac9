"""Where a collection lives: a folder of published versions, the one in use, and the changes since.

    <folder>/versions/000007.json          which index and documents, and the first change that they do not hold yet
    <folder>/current.json                  the version in use
    <folder>/changes/000000000042.arrow    a segment; its number counts the segments of the collection

Every file is written whole or not at all, and a segment before anyone is told that it was taken: a restart loses nothing. Numbers only
grow, so `7.42` (version 7 with changes up to 42) names one state of the collection for ever. Going back to an older version keeps the
changes: what was added since is still there.

Two that publish or append at once get two numbers. Only an object store cannot promise that for appending, so a service has one actor that does.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.errors import ArtifactError, SettingsError
from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.documents import opened as documents
from ray_pipeline.retrieval.index import settings as index
from ray_pipeline.storage import Location, json_bytes

FOLDER: Final = "collections"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Version:
    """A published state: artifacts, and where the changes begin that they do not hold."""

    number: int
    index: str  # where the artifacts lie
    documents: str
    embedder: str  # the fingerprint of the model whose vectors are indexed
    first_change: int
    published: str
    note: str = ""
    reranker: str | None = None  # where the one lies that services put results in order with

    @property
    def artifacts(self) -> tuple[str, ...]:
        """What it serves."""
        return (self.index, self.documents) if self.reranker is None else (self.index, self.documents, self.reranker)


class Collection:
    """A collection by name below a workspace."""

    def __init__(self, workspace: Location, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"collection {name!r}: lower-case letters, digits, - and _, at most 63, are a name")
        self.name = name
        self.folder = workspace / FOLDER / name

    def publish(self, built: Artifact, kept: Artifact, *, first_change: int | None = None, note: str = "", reranker: str | None = None) -> Version:
        """Make an index and its documents the version in use. `first_change`: of the changes that they do not hold; None: of those of the
        version before, which stay on top."""
        _require_same_documents(built, kept)
        before = self.current() if self.exists() else None
        embedder = str(built.metrics["embedder"]["fingerprint"])
        first = (before.first_change if before else 1) if first_change is None else first_change
        same = (built.location.uri, kept.location.uri, first, reranker)
        if before and (before.index, before.documents, before.first_change, before.reranker) == same:
            return before  # it is what is in use already
        self._require_one_model(embedder, first)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        number = max(self.numbers(), default=0) + 1
        version = Version(number, built.location.uri, kept.location.uri, embedder, first, now, note, reranker)
        while not self._place(version.number).create(json_bytes(asdict(version))):
            version = Version(**{**asdict(version), "number": version.number + 1})
        self.use(version.number)
        return version

    def use(self, number: int) -> Version:
        """Go back, or forward, to a published version."""
        version = self.version(number)
        self._require_one_model(version.embedder, version.first_change)
        load(version.index, index.STAGE)
        load(version.documents, documents.STAGE)
        (self.folder / "current.json").write_json({"version": number})
        return version

    def forget(self, number: int) -> None:
        """Drop a version that is not in use; `jobs.prune` may then delete its artifacts."""
        if self.current().number == self.version(number).number:
            raise SettingsError(f"collection {self.name}: version {number} is in use; take another into use first")
        self._place(number).delete()

    def exists(self) -> bool:
        return (self.folder / "current.json").exists()

    def current(self) -> Version:
        """The version in use."""
        place = self.folder / "current.json"
        if not place.exists():
            raise ArtifactError(f"{self.folder.uri}: no such collection; build one with python -m jobs.index collection={self.name}")
        return self.version(int(place.read_json()["version"]))

    def version(self, number: int) -> Version:
        place = self._place(number)
        if not place.exists():
            raise ArtifactError(f"collection {self.name}: there is no version {number}; there are {', '.join(map(str, self.numbers())) or 'none'}")
        return Version(**place.read_json())

    def numbers(self) -> list[int]:
        """Of all published versions, ascending."""
        return _numbers(self.folder / "versions", ".json")

    def append(self, segment: Segment) -> int:
        """Keep a batch of changes; returns its number. When this returns, a restart will find it."""
        data, number = segment.to_bytes(), self.last_change() + 1
        while not self.change_place(number).create(data):  # another process was faster: its batch comes before this one
            number += 1
        return number

    def last_change(self) -> int:
        """The number of the newest segment, 0 if there is none."""
        return max(_numbers(self.folder / "changes", ".arrow"), default=0)

    def change(self, number: int) -> Segment:
        place = self.change_place(number)
        if not place.exists():
            raise ArtifactError(f"{place.uri}: this batch of changes is missing; restore the file from a copy")
        return Segment.from_bytes(place.read(), place.uri)

    def _require_one_model(self, embedder: str, first: int) -> None:
        """Refuse a version under changes whose vectors are of another model: they would compare with nothing."""
        for number in range(first, self.last_change() + 1):
            if self.change(number).embedder != embedder:
                raise SettingsError(
                    f"collection {self.name}: the changes from {number} on have vectors of another model than this index; build an index of the "
                    "collection's own documents with its model, which will hold them"
                )

    def _place(self, number: int) -> Location:
        return self.folder / "versions" / f"{number:06d}.json"

    def change_place(self, number: int) -> Location:
        return self.folder / "changes" / f"{number:012d}.arrow"


def collections(workspace: Location) -> list[Collection]:
    """All collections below a workspace."""
    return [Collection(workspace, folder.name) for folder in (workspace / FOLDER).children() if _NAME.fullmatch(folder.name)]


def _require_same_documents(built: Artifact, kept: Artifact) -> None:
    """Refuse an index over vectors of other documents: its rows would name other texts."""
    vectors = load(built.manifest["inputs"]["vectors"]["uri"], "vectors")
    of_index, of_documents = vectors.manifest["inputs"]["texts"]["fingerprint"], kept.manifest["inputs"]["corpus"]["fingerprint"]
    if of_index != of_documents:
        raise ArtifactError(f"{built.location.uri} indexes other documents than {kept.location.uri} holds; build both from one data set")


def _numbers(folder: Location, ending: str) -> list[int]:
    names = [place.name.removesuffix(ending) for place in folder.children() if place.name.endswith(ending)]
    return sorted(int(name) for name in names if name.isdecimal())
