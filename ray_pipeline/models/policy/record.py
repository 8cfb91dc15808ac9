"""What a policy was trained with and is to be spoken to with, kept inside its folder: the options of its chat template.

Settings that say nothing take them over, settings that contradict them are refused, as with embedders and rerankers.
"""

from __future__ import annotations

from pathlib import Path

from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.record import read_record


def policy_as_trained(settings: PolicySettings, folder: Path) -> PolicySettings:
    """`settings` with what they leave open filled in by the model in `folder`."""
    record = read_record(folder, "policy")
    if record is None:
        return settings
    options = record.get("trained_with", {}).get("template_options", {})
    if settings.template_options not in ({}, options):
        raise ModelError(
            f"{folder}: policy.template_options={settings.template_options}, but the model was trained with {options}; drop policy.template_options"
        )
    return settings.model_copy(update={"template_options": options})
