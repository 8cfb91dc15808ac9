"""Which reranker, and how it is used: kept apart from the model so that reading settings never loads torch.

A reranker that was trained here carries its kind, prompt, words and lengths (`ray_pipeline.json`), which is why the defaults below
say nothing: null (or `auto`) means "as the model says".
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from ray_pipeline.config import identity, section
from ray_pipeline.models.backbone_settings import BackboneSettings
from ray_pipeline.text.pair_prompts import PairPrompt

RerankerKind = Literal["classifier", "causal"]
ListwiseKind = Literal["letters", "windows"]
LISTWISE: Final = ("letters", "windows")
Score = Literal["yes", "yes-no", "softmax"]

_LETTERS: Final = 26


class RerankerSettings(BackboneSettings):
    """Which model judges a query and a document together, and how."""

    kind: Literal["auto"] | RerankerKind | ListwiseKind = identity(
        "auto",
        "pairs: classifier (a head of one output), causal (the next word, yes or no); lists: letters (by the first word's logits), "
        "windows (the order is written); auto: as the model was trained, else as config.json says",
    )
    prompt: PairPrompt | None = section(None, "the strings around query and document; null: as trained, else pair (classifier) or flag (causal)")
    score: Score | None = identity(
        None, "causal: the logit of yes, that logit less the logit of no, or yes's share of both; null: as trained, else yes (flag) or yes-no"
    )
    yes: str | None = identity(None, "causal: the word that means relevant, one token; null: as trained, else as the prompt's makers have it")
    no: str | None = identity(None, "causal: the word that means not relevant, one token; null: as yes")
    max_length: int | None = identity(None, "tokens of a pair or list at most, prompt included; null: as trained, else 512 (a list: 4096)", ge=8)
    query_max_length: int | None = identity(None, "tokens of a query at most; null: as trained, else three quarters of the room", ge=1)

    window: int = identity(20, "letters and windows: documents that are shown at once", ge=2)
    stride: int = identity(10, "letters and windows: how far a window moves up a longer list", ge=1)

    @property
    def listwise(self) -> bool:
        """Whether the model sees many documents at once."""
        return self.kind in LISTWISE

    @model_validator(mode="after")
    def _words_are_for_causal(self) -> RerankerSettings:
        given = [name for name in ("score", "yes", "no") if getattr(self, name) is not None]
        if self.kind == "classifier" and given:
            raise ValueError(f"{' and '.join(given)}: read by kind=causal; a classifier has one output and no words")
        if self.listwise and (given or self.prompt is not None or self.query_max_length is not None):
            raise ValueError(f"kind={self.kind} asks a question of its own; prompt, score, yes, no and query_max_length are for pairs")
        if self.stride > self.window:
            raise ValueError(f"stride={self.stride} is more than window={self.window}: documents between two windows would never be seen")
        if self.kind == "letters" and self.window > _LETTERS:
            raise ValueError(f"window={self.window}, and there are {_LETTERS} letters")
        return self
