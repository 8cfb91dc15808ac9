"""What pairs are made, and which solutions are imitated."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity, section

Strategy = Literal["pvf", "qvs", "qsl", "qts", "qfs", "qra", "optimise", "codedpo"]


class MutualSettings(Settings):
    """How solutions and tests that a model wrote score each other (CodeDPO)."""

    damping: float = identity(0.85, "how much of a score comes from the other side in each round; the rest is kept", gt=0, lt=1)
    rounds: int = identity(10, "rounds at most", ge=1)
    tolerance: float = identity(0.0, "stop when no share of the whole score moves more than this; 0: do all rounds", ge=0)


class PairSettings(Settings):
    """Which solutions are paired."""

    strategy: Strategy = identity(
        "pvf",
        "pvf: passed, failed; qvs: quick half, slow half; qsl: quickest, slowest; qts: quick half, slowest share; qfs: quick half, fastest of the"
        " slow half; qra: quick half, any slower; optimise: pvf and qvs; codedpo: by mutual scores, and by time",
    )
    minimum_ratio: float = identity(1.1, "by time: how many times longer the rejected solution takes at least", ge=1)
    noise_margin: float = identity(1.0, "by time: the difference is more than this many times both spreads together", ge=0)
    pairs_per_problem: int = identity(4, "pairs of a problem at most; optimise, codedpo: at most so many by correctness and so many by time", ge=1)
    top_slow_share: float = identity(0.25, "qts: the share of the passing solutions that are the slowest, one at least", gt=0, le=0.5)
    mutual: MutualSettings = section(MutualSettings(), "codedpo: how solutions and tests score each other")
    seed: int = identity(0, "which pairs are drawn where a problem has more", ge=0)


class ImitationSettings(Settings):
    """Which solutions a model is trained to write (SFT)."""

    keep: Literal["passing", "fastest_share", "fastest"] = identity(
        "fastest_share", "passing: all that pass; fastest_share: the quickest of them; fastest: the quickest one of a problem"
    )
    share: float = identity(0.25, "fastest_share: the share of a problem's passing solutions, rounded down, one at least", gt=0, le=1)
