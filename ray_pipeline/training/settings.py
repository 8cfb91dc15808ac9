"""The settings of a training run, whatever is trained.

What counts as identity: everything that moves the weights, if only in their last bits. That includes how many workers
train and by which strategy: sums over ranks are taken in another order on another number of ranks, floats do not
associate, and a training run amplifies a last bit into another model of the same quality. (Embedding and mining keep their
workers among the placement settings, since there a shard's bytes do not depend on who did it.) Trackers, the console and the times of
checkpoints are placement: a run that is killed and resumed ends with the weights of one that was not.

Where two settings say the same thing in two units (a share or steps, steps or epochs), both are null until one is given.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, placement, section

ParameterKind = Literal["body", "lora_a", "lora_b", "embed_tokens", "head"]
TrackerName = Literal["tensorboard", "wandb", "mlflow"]


class OptimizerSettings(Settings):
    """AdamW, with a rate for each kind of parameter."""

    lr: float = identity(2e-5, "peak learning rate", gt=0)
    lr_lora_a: float | None = identity(None, "peak rate of LoRA's A matrices; null: lr", gt=0)
    lr_lora_b: float | None = identity(None, "peak rate of LoRA's B matrices; null: lr", gt=0)
    lr_embed_tokens: float | None = identity(None, "peak rate of token embeddings; null: lr", gt=0)
    lr_head: float | None = identity(None, "peak rate of what follows the backbone (projection, temperature); null: lr", gt=0)
    weight_decay: float = identity(0.01, "decoupled weight decay; norms, biases and other vectors have none", ge=0)
    betas: tuple[float, float] = identity((0.9, 0.999), "decay of AdamW's two running means")
    eps: float = identity(1e-8, "added to the root of AdamW's second mean", gt=0)

    @model_validator(mode="after")
    def _betas_are_shares(self) -> OptimizerSettings:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas={list(self.betas)}: both must lie in [0, 1)")
        return self

    def own_rates(self) -> dict[ParameterKind, float]:
        """The kinds that were given a rate of their own."""
        given: dict[ParameterKind, float | None] = {
            "lora_a": self.lr_lora_a,
            "lora_b": self.lr_lora_b,
            "embed_tokens": self.lr_embed_tokens,
            "head": self.lr_head,
        }
        return {kind: rate for kind, rate in given.items() if rate is not None}

    def rate(self, kind: ParameterKind) -> float:
        """The peak learning rate of a kind of parameter."""
        return self.own_rates().get(kind, self.lr)


class ScheduleSettings(Settings):
    """The learning rate over the run, as a share of each group's peak."""

    kind: Literal["cosine", "linear", "constant"] = identity("cosine", "how the rate falls after the warm-up")
    warmup_share: float | None = identity(None, "warm up over this share of all steps (rounded up)", ge=0, le=1)
    warmup_steps: int | None = identity(None, "warm up over so many steps; with neither there is no warm-up", ge=0)
    end_share: float = identity(0.0, "share of the peak that cosine and linear end at", ge=0, le=1)

    @model_validator(mode="after")
    def _one_warm_up(self) -> ScheduleSettings:
        if self.warmup_share is not None and self.warmup_steps is not None:
            raise ValueError(f"warmup_share={self.warmup_share} and warmup_steps={self.warmup_steps} both say how long to warm up; give one")
        if self.kind == "constant" and self.end_share:
            raise ValueError(f"end_share={self.end_share} is where cosine and linear end; kind=constant stays at the peak")
        return self


class EvaluationSettings(Settings):
    """When to evaluate, on what, and which figure decides."""

    every_steps: int | None = identity(None, "evaluate after every so many steps", ge=1)
    every_epochs: float | None = identity(None, "evaluate after every so many epochs; with neither: each epoch; always after the last step", gt=0)
    at_start: bool = identity(True, "also evaluate before the first step")
    query_share: float = identity(1.0, "evaluate on this share of the queries", gt=0, le=1)
    share_seed: int = identity(0, "which queries that share holds", ge=0)
    metric: str = identity("map@25", "the figure that decides which checkpoint is best and when to stop", min_length=1)
    greater_is_better: bool = identity(True, "false where the figure is a loss")
    patience: int | None = identity(None, "stop after so many evaluations without a gain; null: never", ge=1)
    min_delta: float = identity(
        0.0, "what patience counts as a gain: more than this over the value it counts from; the best is kept by any gain", ge=0
    )

    @model_validator(mode="after")
    def _one_interval(self) -> EvaluationSettings:
        if self.every_steps is not None and self.every_epochs is not None:
            raise ValueError(f"every_steps={self.every_steps} and every_epochs={self.every_epochs} both say when to evaluate; give one")
        if self.patience is None and self.min_delta:
            raise ValueError(f"min_delta={self.min_delta} is read where patience says when to stop; give patience too")
        if self.query_share == 1 and self.share_seed:
            raise ValueError(f"share_seed={self.share_seed} chooses a share of the queries, and query_share=1 is all of them")
        return self


class GuardSettings(Settings):
    """When a run counts as collapsed (`guard.py` has the rules)."""

    stuck_tolerance: float = identity(0.02, "the loss counts as that of chance within this share of ln(candidates)", gt=0, lt=1)
    stuck_steps: int = identity(200, "steps after the warm-up that it may stay there without progress", ge=10)
    cosine_level: float = identity(0.95, "mean off-diagonal cosine above which the vectors may have fallen together", gt=0, lt=1)
    cosine_shrink: float = identity(0.5, "1 - cosine must also have shrunk to this share of the run's largest", gt=0, lt=1)
    cosine_steps: int = identity(50, "steps in a row that both must hold", ge=5)
    spike_factor: float = identity(10.0, "a gradient norm above this many running medians is a spike", gt=1)
    spike_steps: int = identity(20, "so many spikes in a row are an explosion: clipping makes fewer harmless", ge=2)
    spike_window: int = identity(100, "steps the running median looks back; none is a spike before it has seen so many", ge=10)
    metric_fall: float = identity(0.5, "the evaluation's figure may fall by this share from its best", gt=0, lt=1)


class CheckpointSettings(Settings):
    """What a run can be continued from, and what it ends with."""

    every_steps: int | None = placement(
        None, "write a checkpoint after every so many steps; null: at each evaluation, and each epoch without any", ge=1
    )
    keep_last: int = placement(1, "how many of the latest checkpoints to keep, to continue from", ge=1)
    keep_best: bool = identity(True, "keep the best by evaluation.metric, and end with it; false: end with the last")
    keep_epochs: bool = identity(False, "also keep what was trained as it stood after each epoch")


class DistributedSettings(Settings):
    """How training is spread; it moves the last bits of the weights (see the module's docstring)."""

    workers: int = identity(1, "processes that train together, each on its part of every batch", ge=1)
    min_workers: int | None = identity(None, "elastic: go on with as few, while the cluster has no room for all; null: wait for all", ge=1)
    strategy: Literal["ddp", "fsdp"] = identity("ddp", "ddp: each holds the whole model; fsdp: its shard of it")

    @model_validator(mode="after")
    def _fewer_is_fewer(self) -> DistributedSettings:
        if self.min_workers is not None and self.min_workers >= self.workers:
            raise ValueError(f"min_workers={self.min_workers} is not below workers={self.workers}; set it lower, or to null")
        return self


class LoggingSettings(Settings):
    """Where the figures of a run are shown while it runs; they are always written to its history."""

    trackers: tuple[TrackerName, ...] = placement((), "also send them to tensorboard, wandb or mlflow")
    project: str = placement("ray_pipeline", "project in wandb, experiment in mlflow", min_length=1)
    console_every: float = placement(10.0, "seconds between two lines on the console", gt=0)

    @model_validator(mode="after")
    def _each_once(self) -> LoggingSettings:
        if len(set(self.trackers)) < len(self.trackers):
            raise ValueError(f"trackers={list(self.trackers)}: each at most once")
        return self


class TrainSettings(Settings):
    """How to train: length, batches, numerics, and what watches over it."""

    epochs: float | None = identity(1.0, "passes over the data; null: only max_steps ends the run", gt=0)
    max_steps: int | None = identity(None, "end after so many steps (updates) where epochs would take more; the schedule ends there too", ge=1)
    batch_size: int = identity(64, "queries (rows) of one batch over all workers", ge=1)
    accumulate: int = identity(1, "batches whose gradients make one step", ge=1)
    seed: int = identity(0, "order of the data, dropout, and what is begun at random", ge=0)
    precision: Literal["fp32", "bf16"] = identity("fp32", "bf16: autocast, with weights and optimizer as they are loaded")
    clip_norm: float | None = identity(1.0, "scale gradients down to this norm; null: never", gt=0)
    gradient_checkpointing: bool = identity(False, "recompute activations in the backward pass: less memory, about a third more time")
    compile: bool = identity(False, "torch.compile the model")
    optimizer: OptimizerSettings = section(OptimizerSettings(), "AdamW and its rates")
    schedule: ScheduleSettings = section(ScheduleSettings(), "the learning rate over the run")
    evaluation: EvaluationSettings | None = section(EvaluationSettings(), "evaluation while training; null: none")
    guard: GuardSettings | None = section(GuardSettings(), "stop a run that has collapsed; null: let it run")
    checkpoints: CheckpointSettings = section(CheckpointSettings(), "what is kept on the way")
    distributed: DistributedSettings = section(DistributedSettings(), "how training is spread")
    logging: LoggingSettings = section(LoggingSettings(), "where its figures are shown")

    @model_validator(mode="after")
    def _makes_sense(self) -> TrainSettings:
        if self.epochs is None and self.max_steps is None:
            raise ValueError("epochs and max_steps are both null, and the run would never end; give one")
        warm = self.schedule.warmup_steps
        if warm is not None and self.max_steps is not None and warm > self.max_steps:
            raise ValueError(
                f"schedule.warmup_steps={warm} is longer than the run of max_steps={self.max_steps}; warm up for less or train for longer"
            )
        if self.batch_size < self.distributed.workers:
            raise ValueError(
                f"batch_size={self.batch_size} over distributed.workers={self.distributed.workers} leaves a worker without a row; "
                "raise batch_size or take fewer workers"
            )
        if self.evaluation is None and self.checkpoints.keep_best:
            raise ValueError("checkpoints.keep_best needs evaluation to tell which is best; set it to false, or evaluate")
        return self
