"""Hash every file of an artifact again and compare with its manifest: `python -m jobs.verify PATH`."""

from __future__ import annotations

import argparse
import sys

from ray_pipeline.artifacts import damaged, load
from ray_pipeline.errors import PipelineError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jobs.verify", description=__doc__)
    parser.add_argument("path", help="an artifact's folder or its manifest.json")
    try:
        artifact = load(parser.parse_args().path)
        problems = damaged(artifact)
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    if problems:
        sys.exit("\n".join(["damaged:", *problems, "delete the folder and run its job again"]))
    print(f"{artifact.stage} {artifact.fingerprint}: {len(artifact.files())} files, all as the manifest says")


if __name__ == "__main__":
    main()
