"""What a reranker was trained with, kept inside its folder, and what follows from it for its use.

`ray_pipeline.json` beside the weights holds the kind, the prompt, the score, its words and the lengths. As with embedders
(`embedder_record.py`): settings that say nothing take them over, settings that contradict them are refused, and training,
scoring and serving all ask `reranker_as_trained`. Free to differ: the lengths.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ray_pipeline.config import Settings, identity, parse, section
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.record import RECORD, read_record, role_of
from ray_pipeline.models.reranker_settings import RerankerKind, RerankerSettings, Score
from ray_pipeline.text.pair_prompts import FlagPrompt, PairPrompt, TwoTextsPrompt

DEFAULT_LENGTH: Final = 512
_WORDS: Final = {"flag": ("Yes", "No"), "qwen3-reranker": ("yes", "no")}


class TrainedReranker(Settings):
    """The settings that a trained reranker brings with it."""

    kind: RerankerKind = identity(..., "what the score is read from")
    prompt: PairPrompt = section(..., "the strings around query and document")
    score: Score | None = identity(None, "causal: what of the words' logits")
    yes: str | None = identity(None, "causal: the word that means relevant")
    no: str | None = identity(None, "causal: the word that does not")
    max_length: int = identity(..., "tokens of a pair at most", ge=8)
    query_max_length: int | None = identity(None, "tokens of a query at most")


def trained_reranker(folder: Path) -> TrainedReranker | None:
    """What the reranker in `folder` was trained with; nothing where it does not say."""
    record = read_record(folder, "reranker")
    if record is None:
        return None
    try:
        return parse(TrainedReranker, record.get("trained_with", {}))
    except SettingsError as problem:
        raise ModelError(f"{folder / RECORD}: {problem}; the file is damaged, export the model again") from problem


def reranker_as_trained(settings: RerankerSettings, folder: Path) -> RerankerSettings:
    """`settings` with all they leave open filled in by the model in `folder`, or by what is usual; a contradiction is a
    `ModelError`. Doing it again changes nothing."""
    if settings.listwise:
        raise ModelError(f"{folder}: reranker.kind={settings.kind} orders lists and scores no pairs; it reranks, and cannot be trained or teach")
    trained = None if settings.kind == "classifier" and _is_embedder(folder) else trained_reranker(folder)
    if trained is None:
        return _usual(settings, folder)
    if settings.prompt is not None and settings.prompt.pieces() != trained.prompt.pieces():
        raise ModelError(
            f"{folder}: reranker.prompt is {settings.prompt.pieces()}, but the model was trained with {trained.prompt.pieces()}; drop reranker.prompt"
        )
    for name in ("kind", "score", "yes", "no"):
        given, was = getattr(settings, name), getattr(trained, name)
        if given not in (None, "auto", was):
            raise ModelError(f"{folder}: reranker.{name}={given}, but the model was trained with {was}; drop reranker.{name}")
    lengths = {name: getattr(settings, name) or getattr(trained, name) for name in ("max_length", "query_max_length")}
    return settings.model_copy(
        update={"kind": trained.kind, "prompt": trained.prompt, "score": trained.score, "yes": trained.yes, "no": trained.no, **lengths}
    )


def _is_embedder(folder: Path) -> bool:
    """An embedder of ours may be what a classifier begins with; it has no head yet."""
    record = read_record(folder, None)
    return record is not None and role_of(record) == "embedder"


def _usual(settings: RerankerSettings, folder: Path) -> RerankerSettings:
    kind = _kind_of(folder) if settings.kind == "auto" else settings.kind
    length = settings.max_length or DEFAULT_LENGTH
    if kind == "classifier":
        given = [name for name in ("score", "yes", "no") if getattr(settings, name) is not None]
        if given:
            raise ModelError(f"{folder}: is a classifier, and reranker.{given[0]} is for causal models; drop it")
        return settings.model_copy(update={"kind": kind, "prompt": settings.prompt or TwoTextsPrompt(), "max_length": length})
    prompt = settings.prompt or FlagPrompt()
    yes, no = _WORDS.get(prompt.kind, (None, None))
    words = {"yes": settings.yes or yes, "no": settings.no or no}
    if None in words.values():
        raise ModelError(
            f"{folder}: a causal reranker with the prompt {prompt.kind!r} needs reranker.yes and reranker.no, the two words it chooses from"
        )
    score = settings.score or ("yes" if prompt.kind == "flag" else "yes-no")
    return settings.model_copy(update={"kind": kind, "prompt": prompt, "max_length": length, "score": score, **words})


def _kind_of(folder: Path) -> RerankerKind:
    """What the model's own configuration says."""
    try:
        names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    except ValueError as problem:
        raise ModelError(f"{folder / 'config.json'}: not valid JSON ({problem}); the file is damaged") from problem
    if any(name.endswith("ForCausalLM") for name in names):
        return "causal"
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "classifier"
    raise ModelError(
        f"{folder}: config.json names {' and '.join(names) or 'no architecture'}, which is no reranker; set reranker.kind to causal or classifier"
    )
