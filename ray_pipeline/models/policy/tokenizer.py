"""The tokenizer of a policy, with the chat template it is spoken to in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.text.chat.plain import PlainRenderer
from ray_pipeline.text.chat.rendering import ChatRenderer, MaskSettings, Renderer
from ray_pipeline.text.chat.template import ChatTemplate

Form = Literal["chat", "plain"]


def policy_tokenizer(folder: Path, settings: PolicySettings) -> Any:
    """transformers' fast tokenizer of the model in `folder`."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as problem:
        raise ModelError(f"{folder}: the tokenizer cannot be loaded: {problem}") from problem
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: the tokenizer has no tokenizer.json, which says where in a text each token stands; convert it")
    if settings.template is not None:
        tokenizer.chat_template = template_text(settings.template)
    return tokenizer


def template_text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ModelError(f"policy.template={path}: cannot be read: {problem}") from problem


def renderer_of(folder: Path, settings: PolicySettings, mask: MaskSettings, form: Form) -> Renderer:
    """What turns conversations into this model's tokens."""
    tokenizer = policy_tokenizer(folder, settings)
    if form == "plain":
        return PlainRenderer(tokenizer)
    if not tokenizer.chat_template:
        raise ModelError(
            f"{folder}: the tokenizer has no chat template (a base model's has none); give one (policy.template=FILE.jinja), or set render.form=plain"
        )
    return ChatRenderer(tokenizer, ChatTemplate(tokenizer, settings.template_options), mask)
