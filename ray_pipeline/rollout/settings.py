"""How text is generated, and how the engine that generates it is held: kept apart from the engine so that reading settings never loads vLLM."""

from __future__ import annotations

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, placement


class SamplingSettings(Settings):
    """What is drawn for each prompt."""

    samples: int = identity(1, "answers to each prompt", ge=1)
    temperature: float = identity(0.0, "0: the likeliest token each time", ge=0)
    top_p: float = identity(1.0, "draw among the likeliest tokens that have this share together", gt=0, le=1)
    max_tokens: int = identity(512, "tokens of an answer at most", ge=1)
    stop: tuple[str, ...] = identity((), "texts that end an answer, beside the model's own end of a reply")
    seed: int = identity(0, "of the draws; a prompt's depend on it and on the prompt's place alone", ge=0)
    logprobs: bool = identity(False, "keep the log-likelihood of each token that was drawn")

    @model_validator(mode="after")
    def _answers_differ(self) -> SamplingSettings:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"samples={self.samples} at temperature=0 are one answer so often; raise sampling.temperature, or take one")
        return self


class EngineSettings(Settings):
    """The engine of one worker."""

    max_length: int | None = identity(None, "tokens of prompt and answer together at most; null: what the model has positions for", ge=2)
    eager: bool = placement(False, "start without compiling: sooner ready, slower")
    tensor_parallel: int = placement(1, "GPUs that one engine spreads a model over", ge=1)
    memory_share: float = placement(0.9, "share of a GPU's memory that the engine takes", gt=0, le=1)
    kv_cache_gb: int = placement(2, "on a CPU: GB for keys and values", ge=1)
    sleeps: bool = placement(False, "on GPUs, in training: give the memory back while the policy learns")


class EnginesSettings(Settings):
    """Where engines are. They change when text is drawn, never what is likely."""

    apart: bool = placement(False, "in processes of their own on the cluster, each with its own CPUs or GPUs; else one beside each trainer")
    count: int = placement(1, "apart: engines of each trainer, which share its prompts", ge=1)
    cpus: float = placement(1.0, "apart: logical CPUs an engine holds", ge=0)
    gpus: float = placement(0.0, "apart: GPUs an engine holds", ge=0)
    hung_after: float = placement(120.0, "apart: seconds in which an engine that was asked writes nothing; then another takes its place", gt=0)
    restarts: int = placement(3, "apart: engines that are replaced, those that died and those that hung together", ge=0)
