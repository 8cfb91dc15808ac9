"""List, and with --delete remove, artifacts nothing descends from and what ended attempts left behind.

What a version of a collection serves stays until the version is dropped (jobs.publish). Deleting the leaves makes their parents
leaves: run it again to go further up. Nothing younger than --older-than-hours is touched, so a job that is at work, or was
stopped a moment ago, keeps its shards.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from ray_pipeline.artifacts import MANIFEST, Workspace, childless
from ray_pipeline.errors import ArtifactError, PipelineError
from ray_pipeline.retrieval.collection.store import collections
from ray_pipeline.storage import Location


def candidates(workspace: Workspace, stages: Sequence[str], keep: Sequence[str], older_than_hours: float) -> list[tuple[str, Location]]:
    """What may go: (why, folder). Never what another artifact was made from, what is kept by name, or what is recent."""
    if not workspace.root.exists():
        raise ArtifactError(f"{workspace.root.uri}: there is no such workspace; give --workspace")
    known = [place.name for place in workspace.root.children()]
    for stage in stages:
        if stage not in known:
            raise ArtifactError(f"--stage {stage}: no such stage in {workspace.root.uri}; there are {', '.join(known)}")
    limit = time.time() - older_than_hours * 3600
    return [
        (why, folder)
        for why, stage, name, folder in _leftovers(workspace)
        if (not stages or stage in stages) and not name.startswith(tuple(keep) or ("-",)) and _newest(folder) < limit
    ]


def _leftovers(workspace: Workspace) -> Iterator[tuple[str, str, str, Location]]:
    """Why it may go, its stage, its fingerprint, its folder."""
    published = list(workspace.artifacts())
    served = {uri for collection in collections(workspace.root) for number in collection.numbers() for uri in collection.version(number).artifacts}
    leaves = {leaf.location.uri for leaf in childless(published)} - served
    for artifact in published:
        stage, name = artifact.stage, artifact.fingerprint
        if artifact.location.uri in leaves:
            yield f"{stage}: nothing descends from it", stage, name, artifact.location
            continue
        listed = {file.path.split("/")[1] for file in artifact.files()}
        for attempt in (artifact.location / "attempts").children():
            if attempt.name not in listed:
                yield f"{stage}: an attempt whose files its manifest does not list", stage, name, attempt
    for folder in workspace.unpublished():
        yield f"{folder.parent.name}: an attempt that published nothing", folder.parent.name, folder.name, folder


def _newest(folder: Location) -> float:
    filesystem, _ = folder.open()
    times = [filesystem.get_file_info(place.open()[1]).mtime for place, _ in folder.files()]
    return max((stamp.timestamp() for stamp in times if stamp is not None), default=0.0)


def delete(folder: Location) -> None:
    """The manifest first: a delete that breaks off must not leave a published artifact without its files."""
    if (folder / MANIFEST).exists():
        (folder / MANIFEST).delete()
    folder.delete()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jobs.prune", description=__doc__)
    parser.add_argument("--workspace", default="outputs", help="default: outputs")
    parser.add_argument("--stage", action="append", default=[], help="only this stage (may be given several times)")
    parser.add_argument("--keep", action="append", default=[], help="fingerprints (or their beginnings) to keep")
    parser.add_argument("--older-than-hours", type=float, default=1.0, help="leave what is younger; default: 1")
    parser.add_argument("--delete", action="store_true", help="delete; without it nothing is touched")
    arguments = parser.parse_args()
    try:
        found = candidates(Workspace.at(arguments.workspace), arguments.stage, arguments.keep, arguments.older_than_hours)
        total = 0
        for why, folder in found:
            size = sum(size for _, size in folder.files())
            total += size
            print(f"{size / 1e6:10.1f} MB  {folder.uri}  ({why})")
            if arguments.delete:
                delete(folder)
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    verb = "deleted" if arguments.delete else "would be deleted; run again with --delete"
    print(f"{len(found)} folders, {total / 1e6:.1f} MB {verb}")


if __name__ == "__main__":
    main()
