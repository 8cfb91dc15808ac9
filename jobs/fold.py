"""Fold a collection's changes into a new version: nothing is embedded again, and services go over to it by themselves."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import placement, section
from ray_pipeline.pipelines.fold import fold_changes
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.index import versions_table
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.index.settings import IndexSettings


class FoldJob(JobSettings):
    collection: str = placement(..., "the collection, as jobs.index named it")
    index: IndexSettings | None = section(None, "another index than the one before; null: the same")
    note: str = placement("", "a word about the new version")


def fold(settings: FoldJob, run: Run) -> None:
    collection = Collection(run.workspace.root, settings.collection)
    fold_changes(run, collection, settings.index, settings.note)
    print(versions_table(collection))


if __name__ == "__main__":
    main("fold", FoldJob, fold)
