"""Label the unlabelled queries of a data set by what a model finds for them, where it is sure."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.pseudo_labels import DEPTH, UNLABELLED, label_unlabelled, require_unlabelled
from ray_pipeline.pipelines.retrieve import ChainSettings, RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.pseudo_labels import PseudoLabelSettings


class PseudoLabelJob(JobSettings, ChainSettings):
    labels: PseudoLabelSettings = section(PseudoLabelSettings(), "which of the model's answers count")


def pseudo_label(settings: PseudoLabelJob, run: Run) -> None:
    require_unlabelled(prepare(run, settings.data))
    chain = {name: getattr(settings, name) for name in ChainSettings.model_fields}
    labels = label_unlabelled(run, retrieve(run, RetrievalSettings(**chain, split=UNLABELLED), depth=DEPTH), settings.labels)
    print(labels.metrics["summary"])
    print(f"report: {labels.file('report.md').uri}")
    print(f"labels: {labels.location.uri}")


if __name__ == "__main__":
    main("pseudo_label", PseudoLabelJob, pseudo_label)
