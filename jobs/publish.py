"""List the versions of a collection, take one into use (`collection=papers version=3` goes back to version 3), or drop one."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import placement
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.index import versions_table
from ray_pipeline.retrieval.collection.store import Collection


class PublishJob(JobSettings):
    collection: str = placement(..., "the collection, as jobs.index named it")
    version: int | None = placement(None, "the version to take into use", ge=1)
    forget: int | None = placement(None, "a version to drop; jobs.prune may then delete its artifacts", ge=1)


def publish(settings: PublishJob, run: Run) -> None:
    collection = Collection(run.workspace.root, settings.collection)
    if settings.version is not None:
        version = settings.version
        run.act(f"take version {version} of {collection.name} into use", lambda: collection.use(version))
    if settings.forget is not None:
        dropped = settings.forget
        run.act(f"drop version {dropped} of {collection.name}", lambda: collection.forget(dropped))
    print(versions_table(collection))


if __name__ == "__main__":
    main("publish", PublishJob, publish)
