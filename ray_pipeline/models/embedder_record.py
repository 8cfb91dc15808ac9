"""What a model was trained with, kept inside its folder, and what follows from it for its use.

`ray_pipeline.json` beside the weights holds the prompt, the pooling, the terminal token, the reading direction and the
length of the training. Settings that say nothing take them over; settings that contradict them are refused, since a byte
of another prompt is another model. `as_trained` is the one place where this is decided: training, mining, evaluation and
serving all ask it (through `text_input`, or through an `Embedder`), so they cannot drift apart.

Free to differ: `max_length` (longer texts may be read than were trained on), `normalize` and `dim` (they shape the vector
after the fact).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from ray_pipeline.config import Settings, identity, parse, section
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.record import RECORD, read_record
from ray_pipeline.text.prompts import PlainPrompt, Prompt, Side

DEFAULT_LENGTH: Final = 256
_SIDES: Final[tuple[Side, ...]] = ("query", "document")


class TrainedSettings(Settings):
    """The settings that a trained model brings with it."""

    prompt: Prompt = section(PlainPrompt(), "the strings around queries and documents")
    pooling: Literal["mean", "cls", "last"] = identity(..., "how token states became one vector")
    normalize: bool = identity(..., "whether vectors were scaled to length 1")
    max_length: int = identity(..., "tokens a text at most", ge=3)
    terminal_token: str | None = identity(None, "token appended after every text")
    bidirectional: bool | None = identity(None, "whether a decoder's tokens saw the tokens after them; null: not switched on here")
    projection: int | None = identity(None, "dimensions of the head that was added and trained")


def trained_settings(folder: Path) -> TrainedSettings | None:
    """What the model in `folder` was trained with; nothing where it does not say."""
    record = read_record(folder, "embedder")
    if record is None:
        return None
    try:
        return parse(TrainedSettings, record.get("trained_with", {}))
    except SettingsError as problem:
        raise ModelError(f"{folder / RECORD}: {problem}; the file is damaged, export the model again") from problem


def as_trained(settings: EmbedderSettings, folder: Path) -> EmbedderSettings:
    """`settings` with what they leave open filled in by the model in `folder`; a contradiction is a `ModelError`.
    Doing it again changes nothing."""
    trained = trained_settings(folder)
    if trained is None:
        usual = {"prompt": settings.prompt or PlainPrompt(), "max_length": settings.max_length or DEFAULT_LENGTH}
        return settings.model_copy(update=usual)
    _refuse_other_prompt(settings.prompt, trained.prompt, folder)
    given = {
        "pooling": None if settings.pooling == "auto" else settings.pooling,
        "terminal_token": settings.terminal_token,
        "bidirectional": settings.bidirectional,
        "projection": settings.projection,
    }
    for name, value in given.items():
        was = getattr(trained, name)
        if value is not None and value != (bool(was) if name == "bidirectional" else was):
            raise ModelError(f"{folder}: model.{name}={value}, but the model was trained with {was}; drop model.{name}")
    return settings.model_copy(
        update={
            "prompt": trained.prompt,
            "pooling": trained.pooling,
            "terminal_token": trained.terminal_token,
            "bidirectional": trained.bidirectional,
            "projection": None,  # the model has its head already; a second, random one would stand behind it
            "normalize": trained.normalize if settings.normalize is None else settings.normalize,
            "max_length": settings.max_length or trained.max_length,
        }
    )


def _refuse_other_prompt(given: Prompt | None, trained: Prompt, folder: Path) -> None:
    """Prompts are told apart by their strings: `e5` and a `custom` prompt with e5's strings are one."""
    for side in _SIDES:
        if given is not None and given.wrap(side) != trained.wrap(side):
            raise ModelError(
                f"{folder}: model.prompt puts {given.wrap(side)!r} around a {side}, but the model was trained with {trained.wrap(side)!r}; "
                "drop model.prompt"
            )


def prompt_of(settings: EmbedderSettings, folder: Path) -> Prompt:
    """The prompt that texts get for this model: the one way to ask for it."""
    return as_trained(settings, folder).prompt or PlainPrompt()
