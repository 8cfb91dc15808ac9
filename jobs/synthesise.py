"""Let a model write conversations with tools, over any endpoint that speaks OpenAI's chat protocol; checked, counted, and paid for once."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.synthesise import SynthesisSettings, synthesise


class SynthesiseJob(JobSettings, SynthesisSettings):
    def synthesis(self) -> SynthesisSettings:
        return SynthesisSettings(**{name: getattr(self, name) for name in SynthesisSettings.model_fields})


def run_synthesis(settings: SynthesiseJob, run: Run) -> None:
    found = synthesise(run, settings.synthesis())
    for name, value in sorted(found.metrics.items()):
        print(f"{name}: {value:,.4f}" if isinstance(value, float) else f"{name}: {value:,}")
    print(f"chats.path={found.file('chats.jsonl').uri}")


if __name__ == "__main__":
    main("synthesise", SynthesiseJob, run_synthesis)
