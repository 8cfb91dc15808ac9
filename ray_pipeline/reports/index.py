"""What an index is and finds, and which versions a collection has, as tables for people."""

from __future__ import annotations

from ray_pipeline.artifacts import Artifact
from ray_pipeline.reports.markdown import table
from ray_pipeline.retrieval.collection.store import Collection


def index_table(index: Artifact) -> str:
    """The efforts that were measured, the chosen one marked, and what the index takes."""
    metrics, settings = index.metrics, index.manifest["settings"]["index"]
    depth, chosen = settings["recall_at"], metrics["parameters"]
    rows = [
        [parameters or "(no parameters)", f"{found:.4f}", "published" if parameters == chosen else ""]
        for parameters, found in metrics["recall_by_parameters"].items()
    ]
    held = ", ".join(f"{what} {size / 1e6:,.1f} MB" for what, size in metrics["bytes"].items() if size)
    count, parts = index.manifest["rows"], len(metrics["parts"])
    lines = [
        f"{metrics['factory']} over {count:,} vectors of {metrics['dim']} dimensions in {parts} part{'s' if parts > 1 else ''}: {held}",
        f"{metrics['bytes_per_vector']:.0f} bytes a vector in the index; recall measured with {metrics['recall_queries']} that ask",
        "",
        table(["effort", f"recall@{depth}", ""], rows),
    ]
    return "\n".join(lines)


def versions_table(collection: Collection) -> str:
    """All versions, the one in use marked."""
    current = collection.current().number
    versions = [collection.version(number) for number in collection.numbers()]
    rows = [
        [str(one.number), "in use" if one.number == current else "", one.published, one.index, f"from {one.first_change}", one.note]
        for one in versions
    ]
    return table(["version", "", "published", "index", "changes on top", "note"], rows) + f"\n{collection.last_change():,} batches of changes"
