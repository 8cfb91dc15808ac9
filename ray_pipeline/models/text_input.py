"""From a text and its side to the token ids a model reads: tokenizer, length, terminal token and prompt in one object.

It needs no torch, so that tokenising tasks stay light; the model itself holds one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ray_pipeline.models.embedder_record import DEFAULT_LENGTH, as_trained, prompt_of
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.source import locate
from ray_pipeline.text.prompts import Prompt, Side
from ray_pipeline.text.tokens import TextEncoder, Tokens


@dataclass(frozen=True)
class TextInput:
    """How one model reads queries and documents."""

    encoder: TextEncoder
    prompt: Prompt

    def tokens(self, texts: Sequence[str], side: Side) -> Tokens:
        return self.encoder.encode(texts, self.prompt.wrap(side))


def text_input(settings: EmbedderSettings, folder: Path | None = None) -> TextInput:
    """The text input of the model that `settings` name; `folder` is where it lies, if that is known already."""
    place = locate(settings.name, settings.revision).folder if folder is None else folder
    full = as_trained(settings, place)
    return TextInput(TextEncoder(place, full.max_length or DEFAULT_LENGTH, full.terminal_token), prompt_of(full, place))
