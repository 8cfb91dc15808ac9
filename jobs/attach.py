"""Attach a score that others gave to an artifact (a leaderboard's): `python -m jobs.attach PATH LB=0.505`."""

from __future__ import annotations

import argparse
import sys

from ray_pipeline.artifacts import load
from ray_pipeline.errors import PipelineError, SettingsError
from ray_pipeline.external_scores import attach


def named_value(given: str) -> tuple[str, float]:
    """`LB=0.505` as a name and a number."""
    name, equals, value = given.partition("=")
    try:
        return name, float(value)
    except ValueError as problem:
        said = "is no number" if equals else "has no value"
        raise SettingsError(f"{given!r} {said}; give name=number, e.g. LB=0.505") from problem


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.attach",
        description=__doc__,
        epilog="jobs.show prints it, a pipeline shows it beside its own figures, and a later score of the same name and epoch replaces it there.",
    )
    parser.add_argument("path", help="the artifact's folder: of a model, a reranker, an evaluation")
    parser.add_argument("score", help="name=number, e.g. LB=0.505")
    parser.add_argument("--epoch", type=float, help="of a training: the epoch whose model was handed in; default: the training's choice")
    parser.add_argument("--note", default="", help="a few words to be kept with it")
    arguments = parser.parse_args()
    try:
        artifact = load(arguments.path)
        score = attach(artifact, *named_value(arguments.score), epoch=arguments.epoch, note=arguments.note)
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    print(f"{artifact.stage} {artifact.fingerprint}: {score.text()}")


if __name__ == "__main__":
    main()
