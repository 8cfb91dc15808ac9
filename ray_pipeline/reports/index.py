"""What an index is and finds, as a table for people."""

from __future__ import annotations

from ray_pipeline.artifacts import Artifact
from ray_pipeline.reports.markdown import table


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
