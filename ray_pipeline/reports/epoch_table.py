"""A training's evaluations as one table, with what others measured of its epochs."""

from __future__ import annotations

from ray_pipeline.artifacts import Artifact
from ray_pipeline.external_scores import external_scores
from ray_pipeline.training.history import evaluations_of


def epoch_table(trained: Artifact) -> str:
    """A line an evaluation, the best in bold; external scores stand beside the epoch they are of, else beside the chosen one."""
    metrics = trained.metrics
    rows = [dict(row) for row in metrics["evaluations"]]
    for score in external_scores(trained):
        for row in rows:
            if row["step"] == metrics["chosen_step"] if score.epoch is None else row["epoch"] == score.epoch:
                row["external"] = score.value
    return evaluations_of(trained.manifest["settings"]["training"], rows).markdown()
