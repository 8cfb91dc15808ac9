"""What is left of a training: the files of its artifact, and the figures in its manifest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray_pipeline.artifacts import File, write_file
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.evaluation import live_likelihood, live_preferences, live_retrieval
from ray_pipeline.models.adapter_files import Adapted, save_adapter
from ray_pipeline.models.adapters import is_adapted
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.export import export_model
from ray_pipeline.models.held_weights import Precision
from ray_pipeline.models.parameters import counts
from ray_pipeline.storage import Location
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.history import evaluations_of, to_lines
from ray_pipeline.training.run_state import Ending

SHOWN_FIGURES: Final = (*live_retrieval.SHOWN, *live_likelihood.FIGURES, *live_preferences.FIGURES)
"""What consoles and cards show of an evaluation, of whatever kind."""


@dataclass(frozen=True)
class Facts:
    """What a training learned from: how many rows, and what a model card says of them."""

    rows: int
    lines: tuple[str, ...]

    @classmethod
    def of(cls, data: TrainingSet) -> Facts:
        """Of queries and their documents."""
        judged, mined = len(data.positives.docs), len(data.negatives.docs)
        return cls(len(data), (f"{len(data):,} queries with {judged:,} judged documents and {mined:,} mined negatives",))


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """The model whole in this process, and how it came about."""

    model: Adapted
    training: Mapping[str, Any]  # all settings of the training, plain values
    export_precision: Precision
    ending: Ending
    data: Facts

    def write(self, checkpoints: Checkpoints) -> list[dict[str, Any]]:
        """Write the files under the attempt; name and description of each, those of the checkpoints included."""
        place, prefix = checkpoints.artifact, checkpoints.prefix
        history = self.ending.history
        written = {
            "history.jsonl": write_file(place, f"{prefix}/history.jsonl", to_lines(history).encode(), len(history)),
            "epochs.md": write_file(place, f"{prefix}/epochs.md", (self._table() + "\n").encode(), None),
            **self._export(place, prefix),
        }
        for step, checkpoint in checkpoints.all().items():
            digest, size = checkpoint.weights().sha256()
            written[f"checkpoints/step-{step:08d}.safetensors"] = File(place.relative(checkpoint.weights()), size, digest)
        return [{"name": name, "file": vars(file)} for name, file in written.items()]

    def _export(self, place: Location, prefix: str) -> dict[str, File]:
        with tempfile.TemporaryDirectory(prefix="ray_pipeline-model-") as folder:
            export_model(self.model, Path(folder) / "model", self._facts(), self.export_precision)
            if is_adapted(self.model):
                save_adapter(self.model, Path(folder) / "adapter", {"step": self.ending.chosen_step})
            files = {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*")) if path.is_file()}
            return {name: write_file(place, f"{prefix}/{name}", path.read_bytes(), None) for name, path in files.items()}

    def metrics(self) -> dict[str, Any]:
        ending, evaluations = self.ending, self._evaluations()
        found = counts(self.model)
        return {
            "ended": ending.how,
            "why": ending.why,
            "steps": ending.steps,
            "chosen_step": ending.chosen_step,
            "before": next((row for row in evaluations if row["step"] == 0), None),
            "after": next((row for row in reversed(evaluations) if row["step"] == ending.chosen_step), None),
            "evaluations": evaluations,
            "parameters": {"total": found.total, "trained": dict(found.by_kind)},
        }

    def _evaluations(self) -> list[Mapping[str, Any]]:
        """Their rows as JSON can hold them: a collapsed run's figures need not be numbers."""
        rows = [row for row in self.ending.history if row["kind"] == "evaluation"]
        return [json.loads(line) for line in to_lines(rows).splitlines()]

    def _table(self) -> str:
        rows = [row for row in self.ending.history if row["kind"] == "evaluation"]
        return evaluations_of(self.training, rows).markdown()

    def _facts(self) -> ModelFacts:
        shown = ("step", "epoch", "train_loss", *SHOWN_FIGURES)
        ending = self.ending
        return ModelFacts(
            data=self.data.lines,
            settings={"training": self.training},
            metrics=[{name: row[name] for name in shown if name in row} for row in self._evaluations()],
            training={"steps": ending.steps, "chosen_step": ending.chosen_step, "ended": ending.how},
        )
