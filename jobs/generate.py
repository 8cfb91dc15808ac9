"""Let a policy answer conversations, with vLLM: so many answers each, drawn as you say, shard by shard."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.generate import GenerateSettings, generate
from ray_pipeline.pipelines.prepare_chats import ChatData, prepare_chats
from ray_pipeline.pipelines.stage import Run

SHOWN = 2  # answers


class GenerateJob(JobSettings, GenerateSettings):
    chats: ChatData = section(..., "the conversations")
    policy: PolicySettings = section(..., "the model that answers: a model artifact (jobs.sft, jobs.dpo), a folder, or a hub id")

    def generating(self) -> GenerateSettings:
        return GenerateSettings(**{name: getattr(self, name) for name in GenerateSettings.model_fields})


def run_generate(settings: GenerateJob, run: Run) -> None:
    found = generate(run, prepare_chats(run, settings.chats), settings.policy, settings.generating())
    for row in found.table("generations/000000.parquet").slice(0, SHOWN).to_pylist():
        print(f"--- {row['chat_id']}, answer {row['sample']} of {len(row['ids'])} tokens{'' if row['finished'] else ', cut off'}\n{row['text']}")
    counts = found.metrics
    print(f"{counts['answers']:,} answers to {counts['prompts']:,} prompts, {counts['tokens']:,} tokens, {counts['cut_off']:,} cut off")
    print(f"generations: {found.location.uri}")


if __name__ == "__main__":
    main("generate", GenerateJob, run_generate)
