"""A training's evaluations as blocks of scores, one an epoch, the chosen one marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.reports.retrieval_markdown import BOARD_MEASURES, score_block

Row = Mapping[str, Any]


def epoch_blocks(title: str, evaluations: Sequence[Row], chosen_step: int) -> str:
    """A heading for the training, then one an evaluation with its block: LB (map@25) of all, seen and unseen labels, recalls."""
    return "\n\n".join([f"### {title}", *(_block(row, row["step"] == chosen_step) for row in evaluations if _complete(row))])


def _complete(row: Row) -> bool:
    return all(name in row for name in BOARD_MEASURES)


def _block(row: Row, chosen: bool) -> str:
    moment = "before training" if row["step"] == 0 else f"epoch {row['epoch']:.4g}"
    groups = [{"map@25": row[f"{name}/map@25"]} if f"{name}/map@25" in row else {} for name in ("seen", "unseen")]
    measures = {name: float(row[name]) for name in BOARD_MEASURES}
    return f"#### {moment}, step {row['step']:,}{' (best)' if chosen else ''}\n{score_block(measures, *groups)}"
