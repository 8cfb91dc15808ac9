"""What to generate, and which labels are kept out of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.misconceptions.labels import Label, all_labels
from ray_pipeline.data.misconceptions.rules import RULES
from ray_pipeline.errors import SettingsError

SEEN_PER_RULE: Final = 2  # every rule keeps at least this many labels for training


def unseen_limit() -> int:
    """How many labels can be kept out of training."""
    return len(all_labels()) - SEEN_PER_RULE * len(RULES)


@dataclass(frozen=True)
class GeneratorSpec:
    """What to generate.

    `unlabelled_share` is a share of all rows, `eval_share` of the labelled ones. `unseen_labels` labels occur only in
    the eval part: they are not behind unlabelled rows either.
    """

    rows: int
    seed: int
    unlabelled_share: float = 0.2
    unseen_labels: int = 80
    eval_share: float = 0.15

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise SettingsError(f"rows: must be at least 1, not {self.rows}")
        if self.seed < 0:
            raise SettingsError(f"seed: must be 0 or more, not {self.seed}")
        for name, share in (("unlabelled_share", self.unlabelled_share), ("eval_share", self.eval_share)):
            if not 0 <= share < 1:
                raise SettingsError(f"{name}: must be a share from 0 up to, not including, 1, not {share}")
        if not 0 <= self.unseen_labels <= unseen_limit():
            raise SettingsError(
                f"unseen_labels: must be from 0 to {unseen_limit()}, not {self.unseen_labels}: every rule keeps {SEEN_PER_RULE} labels for training"
            )
        if self.unseen_labels and not self.eval_share:
            raise SettingsError(
                f"unseen_labels: {self.unseen_labels} labels need an eval part to occur in; raise eval_share or set unseen_labels to 0"
            )


def unseen_labels(spec: GeneratorSpec) -> frozenset[Label]:
    """The labels that only eval rows have: one a rule in shuffled order, then a second one a rule, until enough."""
    draw = Draw(f"unseen:{spec.seed}")
    candidates = []
    for place in draw.some(range(len(RULES)), len(RULES)):
        variants = len(RULES[place].variants)
        for turn, variant in enumerate(draw.some(range(variants), variants - SEEN_PER_RULE)):
            candidates.append((turn, Label(place, variant)))
    candidates.sort(key=lambda candidate: candidate[0])  # stable: the shuffled order of the rules stays
    return frozenset(label for _, label in candidates[: spec.unseen_labels])
