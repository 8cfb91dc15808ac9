"""The settings of whatever is trained."""

from __future__ import annotations

from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.sft.settings import SftTraining

AnyTraining = EmbedderTraining | RerankerTraining | SftTraining | DpoTraining | GrpoTraining
