"""What a step of a training will need, said before the first one, and the token budget that fits."""

from __future__ import annotations

from typing import Final

from ray_pipeline.models.adapter_files import Adapted
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.policy.likelihood import CHUNK
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.tasks.any_training import AnyTraining
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.micro_batches import MicroBatchSettings
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.sft.settings import SftTraining, TokenBatchSettings
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.free_memory import free_bytes
from ray_pipeline.training.memory import ModelShape, estimate, suggest_token_budget, token_bytes

_BUDGETS: Final = {MicroBatchSettings: "micro.token_budget and micro.keep_tokens", TokenBatchSettings: "micro.token_budget"}


def embedder_memory(embedder: Embedder, training: EmbedderTraining, group: Group) -> str:
    """One line; a step that could not even hold one text is refused."""
    batch = training.train.batch_size
    documents = batch * (1 + training.batches.negatives_per_query)
    chunk_rows = min(training.objective.chunk_rows, batch)
    loss = {"rows": batch + documents, "dim": embedder.output_dim, "chunk_rows": chunk_rows, "documents": documents}
    return _advice(embedder, embedder.text_input.encoder.max_length, training, group, loss)


def reranker_memory(reranker: Reranker, training: RerankerTraining, group: Group) -> str:
    """The same; a pair's loss is one number, which is nothing beside the pair."""
    return _advice(reranker, reranker.pair_input.encoder.max_length, training, group, {})


def policy_memory(policy: Policy, training: SftTraining | DpoTraining, group: Group, longest: int) -> str:
    """The same; the logits of a chunk of tokens are alive at once, and twice in the backward pass."""
    words = {"chunk_rows": CHUNK, "documents": int(policy.output_weight.shape[0])}
    return _advice(policy, longest, training, group, words)


def _advice(model: Adapted, length: int, training: AnyTraining, group: Group, loss: dict[str, int]) -> str:
    settings, micro = training.train, training.micro
    shape = ModelShape.of(model.backbone, group.device)
    bf16, checkpointing = settings.precision == "bf16", settings.gradient_checkpointing
    tokens = max(micro.token_budget, length) if isinstance(micro, TokenBatchSettings) else max(micro.token_budget, micro.keep_tokens)
    expected = estimate(model, shape, tokens=tokens, length=length, bf16=bf16, checkpointing=checkpointing, **loss)
    # ranks on one machine share its memory; each GPU has its own
    free = free_bytes(group.device) // (group.world if group.device.type == "cpu" else 1)
    budget = suggest_token_budget(free, expected.fixed_growth, token_bytes(shape, length, bf16=bf16, checkpointing=checkpointing), length)
    line = f"memory: up to {expected.total / 1e9:.2f} GB expected, {free / 1e9:.1f} GB free; up to {budget:,} padded tokens fit at a time"
    if expected.growth <= free:
        return line
    return f"{line}. THIS RUN MAY NOT FIT: set {_BUDGETS[type(micro)]} to {budget:,} or less"
