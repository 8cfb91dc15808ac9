"""The settings of the contrastive objective; combinations without a meaning are refused before anything is loaded."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity

Direction = Literal["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
Hardness = Literal["none", "in_batch_negatives", "hard_negatives", "all_negatives"]
Positives = Literal["one", "each", "others_removed"]

HIGHEST_SCALE: Final = 100.0  # 1 / temperature may be learned up to here, as in CLIP


class ContrastiveSettings(Settings):
    """Which pairs are compared, how, and what else is asked of the scores."""

    similarity: Literal["cosine", "dot"] = identity("cosine", "how two vectors are compared")
    temperature: float = identity(0.05, "similarities are divided by this before the softmax", gt=0)
    learnable_temperature: bool = identity(False, "learn the temperature, beginning with `temperature`; never below 0.01")
    directions: tuple[Direction, ...] = identity(("query_to_doc",), "what is compared with what; query_to_doc always")
    partition: Literal["joint", "per_direction"] = identity("joint", "one softmax over all directions, or one each, averaged")
    hardness: Hardness = identity("none", "whose logits grow by hardness_strength * their own similarity (no gradient through it)")
    hardness_strength: float = identity(0.0, "the alpha of hardness weighting; 5 to 9 in the literature", ge=0)

    positives: Positives = identity(
        "one", "one: the drawn positive; each: all in the batch, full denominator; others_removed: each against the negatives alone"
    )
    mask_same_id: bool = identity(True, "the drawn positive under another query is no negative")
    mask_same_text: bool = identity(True, "a document with the text of a known positive is no negative")
    mask_known: bool = identity(True, "a document judged relevant, or of the query's label group, is no negative")
    mask_margin: float | None = identity(None, "a document more similar than the drawn positive by more than this is no negative")
    guide_margin: float | None = identity(None, "the same by the guide model's cosine")

    matryoshka_dims: tuple[int, ...] = identity((), "train these first dimensions; the full size counts only if it is listed")
    matryoshka_weights: tuple[float, ...] = identity((), "a weight for each of matryoshka_dims; none: 1 each")

    ce_weight: float = identity(1.0, "weight of the contrastive loss", ge=0)
    distill_weight: float = identity(0.0, "weight of the KL divergence from the teacher's scores", ge=0)
    student_temperature: float = identity(1.0, "divides the similarities (not the logits) in the KL divergence", gt=0)
    teacher_temperature: float = identity(1.0, "divides the teacher's raw scores in the KL divergence", gt=0)

    chunk_rows: int = identity(256, "queries whose scores exist at one time; moves only the last bits", ge=1)

    @model_validator(mode="after")
    def _directions_make_sense(self) -> ContrastiveSettings:
        chosen = set(self.directions)
        _require("query_to_doc" in chosen, "directions: query_to_doc holds the positive pair and must be among them")
        _require(len(chosen) == len(self.directions), f"directions: {', '.join(self.directions)} names one twice")
        if self.partition == "per_direction":
            apart = sorted(chosen & {"query_to_query", "doc_to_doc"})
            _require(not apart, f"partition=per_direction: a softmax over {', '.join(apart)} alone holds no positive; use partition=joint")
        if self.positives != "one" and "doc_to_query" in chosen:
            _require(
                self.partition == "per_direction",
                f"positives={self.positives}: a joint softmax counts the drawn pair twice with doc_to_query, but the other positives once; "
                "use partition=per_direction, or leave doc_to_query out",
            )
        return self

    @model_validator(mode="after")
    def _weights_make_sense(self) -> ContrastiveSettings:
        if self.hardness == "none":
            _require(self.hardness_strength == 0, f"hardness_strength={self.hardness_strength} is read only with a hardness other than none")
        else:
            _require(self.hardness_strength > 0, f"hardness={self.hardness} changes nothing with hardness_strength=0; the literature has 5 to 9")
        _require(self.ce_weight > 0 or self.distill_weight > 0, "ce_weight and distill_weight are both 0: nothing would be learned")
        if self.learnable_temperature:
            lowest = 1 / HIGHEST_SCALE
            _require(self.temperature >= lowest, f"learnable_temperature begins at temperature={self.temperature}, below its bound {lowest}")
        return self

    @model_validator(mode="after")
    def _dimensions_make_sense(self) -> ContrastiveSettings:
        dims, weights = self.matryoshka_dims, self.matryoshka_weights
        _require(all(dim > 0 for dim in dims), f"matryoshka_dims={dims}: every size must be at least 1")
        _require(len(set(dims)) == len(dims), f"matryoshka_dims={dims} names a size twice")
        _require(not weights or len(weights) == len(dims), f"matryoshka_weights: {len(weights)} for {len(dims)} matryoshka_dims; give one each")
        _require(all(weight > 0 for weight in weights), f"matryoshka_weights={weights}: every weight must be above 0")
        return self


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
