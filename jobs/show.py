"""Print an artifact's manifest and where it comes from, up to the raw inputs: `python -m jobs.show PATH`."""

from __future__ import annotations

import argparse
import sys

import yaml

from ray_pipeline.artifacts import Artifact, Input, lineage, load
from ray_pipeline.errors import PipelineError
from ray_pipeline.external_scores import external_scores


def show(artifact: Artifact) -> str:
    """The manifest as YAML, what others measured, then the lineage as an indented list."""
    manifest = {key: value for key, value in artifact.manifest.items() if key != "files"}
    files = artifact.files()
    manifest["files"] = f"{len(files)} files, {sum(file.size for file in files):,} bytes"
    lines = [yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True).rstrip()]
    given = external_scores(artifact)
    if given:
        lines += ["", "external scores:", *(f"  {score.when}  {score.text()}" for score in given)]
    lines += ["", "lineage:", f"  {_line(artifact)}"]
    for depth, name, ancestor in lineage(artifact):
        lines.append(f"  {'    ' * depth}{name}: {_line(ancestor)}")
    return "\n".join(lines)


def _line(artifact: Artifact | Input) -> str:
    if isinstance(artifact, Input):
        gone = ", no longer there" if artifact.kind == "artifact" else ""
        return f"{artifact.kind} {artifact.uri} ({artifact.fingerprint[:12]}{gone})"
    return f"{artifact.stage} {artifact.fingerprint}  {artifact.manifest['rows']:,} rows  {artifact.location.uri}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jobs.show", description=__doc__)
    parser.add_argument("path", help="an artifact's folder or its manifest.json")
    try:
        print(show(load(parser.parse_args().path)))
    except PipelineError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
