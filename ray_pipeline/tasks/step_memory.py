"""What a step of an embedder's training will need, said before the first one, and the token budget that fits."""

from __future__ import annotations

from ray_pipeline.models.embedder import Embedder
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.free_memory import free_bytes
from ray_pipeline.training.memory import ModelShape, estimate, suggest_token_budget, token_bytes


def memory_advice(embedder: Embedder, training: EmbedderTraining, group: Group) -> str:
    """One line; a step that could not even hold one text is refused."""
    settings, micro = training.train, training.micro
    shape = ModelShape.of(embedder.backbone, group.device)
    bf16, checkpointing = settings.precision == "bf16", settings.gradient_checkpointing
    length = embedder.text_input.encoder.max_length
    documents = settings.batch_size * (1 + training.batches.negatives_per_query)
    expected = estimate(
        embedder,
        shape,
        tokens=max(micro.token_budget, micro.keep_tokens),
        length=length,
        bf16=bf16,
        checkpointing=checkpointing,
        rows=settings.batch_size + documents,
        dim=embedder.output_dim,
        chunk_rows=min(training.objective.chunk_rows, settings.batch_size),
        documents=documents,
    )
    # ranks on one machine share its memory; each GPU has its own
    free = free_bytes(group.device) // (group.world if group.device.type == "cpu" else 1)
    budget = suggest_token_budget(free, expected.fixed_growth, token_bytes(shape, length, bf16=bf16, checkpointing=checkpointing), length)
    line = f"memory: up to {expected.total / 1e9:.2f} GB expected, {free / 1e9:.1f} GB free; up to {budget:,} padded tokens fit at a time"
    if expected.growth <= free:
        return line
    return f"{line}. THIS RUN MAY NOT FIT: set micro.token_budget and micro.keep_tokens to {budget:,} or less"
