"""From a collection with changes to a version that holds them: what lies on top is folded in, and nothing is embedded again.

The documents that can be found now become a data set; their vectors are those that are stored (where an index keeps none, or halves of
them, they are embedded anew); index and documents are built of these as of any other. Services go over to the new version by themselves.
Changes that come while this runs stay on top of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import MANIFEST, Artifact, Attempt, Input, load
from ray_pipeline.config import parse
from ray_pipeline.data.dataset import build_dataset
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.prepared import PreparedData, write_prepared
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.documents import build_documents
from ray_pipeline.pipelines.embed import embed_corpus
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection, Version
from ray_pipeline.retrieval.embed import EmbedSettings, vectors_table
from ray_pipeline.retrieval.index.settings import STAGE, IndexSettings
from ray_pipeline.schemas import CORPUS, QRELS, QUERIES
from ray_pipeline.storage import Location

ALGORITHM = 1
_FILE_ROWS = 1 << 16


def fold_changes(run: Run, collection: Collection, index: IndexSettings | None, note: str) -> Version:
    """The version that holds all changes; the one in use where there are none. `index`: another kind than before, where one is given."""
    state = State.of(collection)
    if state.delta.last < state.version.first_change:
        return state.version
    before = load(state.version.index, STAGE)
    changes = _changes(collection, state)
    data = _living(run, state, changes)
    vectors = _vectors(run, state, before, data, changes)
    settings = index or parse(IndexSettings, before.manifest["settings"]["index"])
    built = build_index(run, vectors, settings, _asked(before))
    kept = build_documents(run, data, settings.part_rows)
    first, reranker = state.delta.last + 1, state.version.reranker
    published = run.act(
        f"publish to collection {collection.name}",
        lambda: collection.publish(built, kept, first_change=first, note=note or f"holds the changes up to {first - 1}", reranker=reranker),
    )
    return published or state.version


def _changes(collection: Collection, state: State) -> Input:
    """The changes as an input, by their content."""
    digest = hashlib.sha256()
    for number in range(state.version.first_change, state.delta.last + 1):
        digest.update(collection.change_place(number).read())
    return Input(digest.hexdigest()[:20], (collection.folder / "changes").uri, "file")


def _living(run: Run, state: State, changes: Input) -> PreparedData:
    """The documents that can be found, as a data set."""
    stage = Stage("data", ALGORITHM, {}, {"documents": load(state.version.documents).as_input(), "changes": changes}, {"what": "folded"})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        rows = [document for document, _ in _all(state, vectors=False)]
        fields = [json.dumps(one["fields"], ensure_ascii=False, sort_keys=True) if one["fields"] else None for one in rows]
        columns = [pa.array([one[name] for one in rows], pa.string()) for name in CORPUS.names]
        corpus = pa.table([*columns, pa.array(fields, pa.string())], names=[*CORPUS.names, COLUMN])
        dataset = build_dataset(corpus, QUERIES.empty_table(), QRELS.empty_table(), "a collection with its changes")
        write_prepared(attempt, dataset)
        return Outcome(len(rows), {"documents": len(rows)})

    return PreparedData(run.ensure(stage, build))


def _vectors(run: Run, state: State, before: Artifact, data: PreparedData, changes: Input) -> Artifact:
    """Their vectors, in doc_id order: as they are stored, where they are stored whole."""
    model = parse(EmbedderSettings, before.metrics["embedder"]["settings"])
    if before.manifest["settings"]["index"]["vectors"] != "float32":
        return embed_corpus(run, data, model, EmbedSettings())
    made_with = Input(before.metrics["embedder"]["fingerprint"], model.name, "model")
    inputs = {"texts": data.artifact.as_input("corpus/"), "model": made_with, "index": before.as_input(), "changes": changes}
    stage = Stage("vectors", ALGORITHM, {"model": model}, inputs, {"side": "document", "what": "folded"})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        found = sorted(((document["doc_id"], vector) for document, vector in _all(state, vectors=True)), key=lambda one: one[0])
        for number, start in enumerate(range(0, len(found), _FILE_ROWS)):
            rows = found[start : start + _FILE_ROWS]
            table = vectors_table([name for name, _ in rows], np.stack([vector for _, vector in rows]), "float32")
            attempt.write_table(f"vectors/{number:06d}.parquet", table)
        files = {"model": model.name, "revision": None}
        return Outcome(len(found), {"dim": state.index.dim, **files})

    return run.ensure(stage, build)


def _all(state: State, *, vectors: bool) -> Iterator[tuple[dict[str, Any], NDArray[np.float32]]]:
    """Every document that can be found, with its vector."""
    nothing = np.empty(0, np.float32)
    for part in state.index.parts:
        for row in np.flatnonzero(state.unshaded[part.first : part.first + len(part)]).tolist():
            stored = np.asarray(part.vectors[row], dtype=np.float32) if vectors and part.vectors is not None else nothing
            yield state.documents.document(part.first + row), stored
    for added in state.delta.parts:
        for row in np.flatnonzero(added.live).tolist():
            yield added.documents.document(row), added.vectors[row]


def _asked(before: Artifact) -> Artifact | None:
    """The queries that the index before was measured with, where they are still there."""
    given = before.manifest["inputs"].get("queries")
    if given is None or not (Location.of(given["uri"]) / MANIFEST).exists():
        return None
    return load(given["uri"], "vectors")
