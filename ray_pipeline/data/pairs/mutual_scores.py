"""Solutions and tests that a model wrote itself, each scored by the other (CodeDPO, Zhang et al. 2024, arXiv 2410.05605).

A test that good solutions pass is a good test, and a solution that passes good tests is a good solution, as PageRank has it of pages. In
each round, with damping d, from the scores of the round before:

    score(solution) = (1 - d) score(solution) + d * sum of the scores of the tests it passes
    score(test)     = (1 - d) score(test)     + d * sum of the scores of the solutions that pass it

The paper's update, its d of 0.85 and its 10 rounds are known here from public summaries of it. This project's reading: all scores begin
equal, both sides are updated at once, and a tie is a difference below a billionth.

Nothing divides by a node's degree, so unlike PageRank's the scores grow without bound; here each round divides all of them by one number,
their sum, which changes no ratio. Traps: with many rounds only the largest group of solutions and tests that agree keeps any score (the
leading singular vectors), so rounds are a setting that matters; and a wrong test that most solutions pass outvotes a right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.pairs.settings import MutualSettings
from ray_pipeline.errors import DataError

_TIE = 1e-9  # equal rows of a matrix may differ in their last bits after a product


@dataclass(frozen=True, eq=False)
class MutualScores:
    """Scores of a problem's solutions and tests, which together sum to 1."""

    solutions: NDArray[np.float64]
    tests: NDArray[np.float64]
    rounds: int  # that were done
    moved: float  # the most that a score changed in the last of them


def mutual_scores(passes: NDArray[np.bool_], settings: MutualSettings) -> MutualScores:
    """`passes[i, j]`: whether solution i passes test j."""
    if passes.ndim != 2 or not passes.size:
        raise DataError(f"passes has shape {passes.shape}; it holds, of one solution or more, whether it passes each of one test or more")
    links, count = passes.astype(np.float64), len(passes)
    scores = np.full(sum(passes.shape), 1 / sum(passes.shape))
    moved, done = 0.0, 0
    while done < settings.rounds:
        received = np.concatenate([links @ scores[count:], scores[:count] @ links])
        updated = (1 - settings.damping) * scores + settings.damping * received
        updated /= updated.sum()
        moved, scores, done = float(np.abs(updated - scores).max()), updated, done + 1
        if moved < settings.tolerance:
            break
    return MutualScores(scores[:count], scores[count:], done, moved)


def outranks(high: float, low: float) -> bool:
    """Whether one score is above another by more than rounding."""
    return high - low > _TIE * max(abs(high), abs(low))


def scores_by_sample(task_id: str, passes: Mapping[int, Sequence[bool]], settings: MutualSettings) -> dict[int, float]:
    """The score of each sample of a problem; `passes`: which of the problem's tests each passes."""
    samples = sorted(passes)
    counts = {len(passes[sample]) for sample in samples}
    if len(counts) != 1 or 0 in counts:
        numbers = ", ".join(map(str, sorted(counts))) or "none"
        raise DataError(f"problem {task_id!r}: passes holds the outcomes of {numbers} tests; run every solution on the same tests, one at least")
    scored = mutual_scores(np.array([passes[sample] for sample in samples], dtype=np.bool_), settings)
    return dict(zip(samples, scored.solutions.tolist(), strict=True))
