"""List, and with --delete remove, artifacts nothing descends from and leftovers of attempts that ended."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime

from ray_pipeline.artifacts import Workspace, childless
from ray_pipeline.errors import PipelineError
from ray_pipeline.storage import Location


def candidates(workspace: Workspace, stages: Sequence[str], keep: Sequence[str], older_than_hours: float) -> list[tuple[str, Location]]:
    """What may go: (why, folder). Never what another artifact was made from, what is kept by name, or what is recent."""
    published = list(workspace.artifacts())
    limit = time.time() - older_than_hours * 3600
    found = []
    for artifact in childless(published):
        ended = datetime.fromisoformat(artifact.manifest["times"]["ended"]).timestamp()
        if (not stages or artifact.stage in stages) and not artifact.fingerprint.startswith(tuple(keep) or ("-",)) and ended < limit:
            found.append((f"{artifact.stage}: nothing descends from it", artifact.location))
    for folder in workspace.unpublished():
        if (not stages or folder.parent.name in stages) and not folder.name.startswith(tuple(keep) or ("-",)) and _newest(folder) < limit:
            found.append((f"{folder.parent.name}: an attempt that published nothing", folder))
    return found


def _newest(folder: Location) -> float:
    filesystem, _ = folder.open()
    times = [filesystem.get_file_info(place.open()[1]).mtime for place, _ in folder.files()]
    return max((stamp.timestamp() for stamp in times if stamp is not None), default=0.0)


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
                folder.delete()
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    verb = "deleted" if arguments.delete else "would be deleted; run again with --delete"
    print(f"{len(found)} folders, {total / 1e6:.1f} MB {verb}")


if __name__ == "__main__":
    main()
