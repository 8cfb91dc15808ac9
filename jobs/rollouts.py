"""Look at the rollouts that a reinforcement learning kept, draw by draw and samples: `policy=outputs/policy/... show=worst html=page.html`."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.command_line import JobSettings, main
from ray_pipeline.artifacts import load
from ray_pipeline.config import placement, source
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.rollouts.choice import Picked, Show, matching
from ray_pipeline.reports.rollouts.kept import draws_of
from ray_pipeline.reports.rollouts.page import to_html
from ray_pipeline.reports.rollouts.sample import Sample, sample_of
from ray_pipeline.reports.rollouts.summary import DrawFigures, figures_of
from ray_pipeline.reports.rollouts.terminal import sample_text, table_text
from ray_pipeline.reports.rollouts.tokens import decoder_of
from ray_pipeline.storage import Location


class RolloutsJob(JobSettings):
    policy: str = source(..., "the artifact of the training (jobs.grpo): a folder or any URI that pyarrow.fs opens")
    step: int | None = placement(None, "of this training step alone, counted from 1", ge=1)
    prompt: str | int | None = placement(None, "of this prompt alone")
    show: Show = placement("newest", "which samples: newest, best, worst (by reward), longest, failed (no reward), truncated")
    most: int = placement(10, "samples at most; 0: the table alone", ge=0)
    html: str | None = placement(None, "write one page with the table and the samples, tokens shaded by their likelihood, to this file")


def look(settings: RolloutsJob, run: Run) -> None:
    artifact = load(settings.policy, "policy")
    picked, figures = Picked(settings.show, settings.most), list[DrawFigures]()
    prompt = None if settings.prompt is None else str(settings.prompt)
    for draw in matching(draws_of(artifact), settings.step, prompt, artifact.location.uri):
        figures.append(figures_of(draw))
        picked.take(draw)
    rows = picked.rows()
    samples: Sequence[Sample] = ()
    if rows:
        decode = decoder_of(artifact)
        samples = [sample_of(row, decode) for row in rows]
    print("\n\n".join([table_text(figures), *map(sample_text, samples)]))
    if settings.most and not samples:
        print(f"\nno sample: no rollout here is {settings.show}")
    if settings.html is not None:
        page = Location.of(settings.html)
        html = to_html(artifact.location.uri, figures, samples, settings.show)
        run.act(f"write {page.uri}", lambda: page.write(html.encode("utf-8", "replace")))
        print(f"\npage: {page.uri}")


if __name__ == "__main__":
    main("rollouts", RolloutsJob, look)
