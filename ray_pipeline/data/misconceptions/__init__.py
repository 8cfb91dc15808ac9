"""Generated misconception data: questions, wrong answers, and the misconception that explains each.

`generate` streams rows, `corpus_labels` is the corpus that their labels are retrieved from.
"""

from __future__ import annotations

from ray_pipeline.data.misconceptions.generate import ROWS, generate
from ray_pipeline.data.misconceptions.labels import corpus_labels
from ray_pipeline.data.misconceptions.spec import GeneratorSpec

__all__ = ["ROWS", "GeneratorSpec", "corpus_labels", "generate"]
