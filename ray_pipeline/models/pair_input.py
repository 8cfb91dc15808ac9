"""From a query and its documents to the token ids that a reranker reads: tokenizer, prompt, lengths, words in one object.

It needs no torch, so that tokenising tasks stay light; the model itself holds one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ray_pipeline.errors import ModelError
from ray_pipeline.models.reranker_record import DEFAULT_LENGTH, reranker_as_trained
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.text.pair_prompts import TwoTextsPrompt
from ray_pipeline.text.pairs import PairEncoder


@dataclass(frozen=True)
class PairInput:
    """How one reranker reads pairs."""

    encoder: PairEncoder
    words: tuple[int, int] | tuple[()]  # the ids of yes and no; a classifier has none


def pair_input(settings: RerankerSettings, folder: Path | None = None) -> PairInput:
    """The pair input of the reranker that `settings` name; `folder` is where it lies, if that is known already."""
    place = locate(settings.name, settings.revision).folder if folder is None else folder
    full = reranker_as_trained(settings, place)
    encoder = PairEncoder(place, full.prompt or TwoTextsPrompt(), full.max_length or DEFAULT_LENGTH, full.query_max_length)
    if full.yes is None or full.no is None:
        return PairInput(encoder, ())
    return PairInput(encoder, (_one_token(encoder, "yes", full.yes, place), _one_token(encoder, "no", full.no, place)))


def _one_token(encoder: PairEncoder, name: str, word: str, folder: Path) -> int:
    ids = encoder.plain(word)
    if len(ids) != 1:
        raise ModelError(f"{folder}: reranker.{name}={word!r} is {len(ids)} tokens, and the score is the logit of one; set another word")
    return ids[0]
