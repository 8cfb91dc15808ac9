"""What every task that trains one model answers alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from torch import nn

from ray_pipeline.models.adapter_files import Adapted
from ray_pipeline.models.parameters import parameter_kinds
from ray_pipeline.training.settings import ParameterKind

Model = TypeVar("Model", bound=Adapted)


class ModelTask(Generic[Model]):
    """A model, and what it is called through in training: itself, or what DDP or FSDP wrapped around it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._wrapped: nn.Module = model

    def kinds(self) -> Mapping[str, ParameterKind]:
        own: dict[str, ParameterKind] = dict.fromkeys(self.own_parameters(), "head")
        return {**parameter_kinds(self.model), **own}

    def own_parameters(self) -> Mapping[str, nn.Parameter]:
        """What is trained beside the model."""
        return {}

    def wrapped(self, model: nn.Module) -> None:
        self._wrapped = model
