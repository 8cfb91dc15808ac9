"""Stage `reference`: what the policy that a preference optimisation begins from finds of all pairs, computed once.

train/NNNNNN.parquet, eval/NNNNNN.parquet   the sums of log-likelihoods of both answers, in the order of the pairs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ray_pipeline.artifacts import Artifact, Attempt, File
from ray_pipeline.data.rows import Rows
from ray_pipeline.evaluation.reference_shards import MakeReferenceShard, ReadPairs
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.render import SPLITS, policy_inputs
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, all_records, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.tasks.dpo.settings import DpoTraining

ALGORITHM: Final = 1
_SHARD_PAIRS: Final = 512


def reference_of(run: Run, pairs: Artifact, model: PolicySettings, training: DpoTraining) -> Artifact:
    """The sums of all splits."""
    micro, precision = training.micro, training.train.precision
    held = {"model": model, "micro": micro, "adaptation": training.adaptation}
    stage = Stage("reference", ALGORITHM, held, {"pairs": pairs.as_input(), **policy_inputs(model)}, {"precision": precision})
    shards = _shards(pairs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        todo = [shard for shard in shards if shard["shard"] not in finished]
        make = MakeReferenceShard(model, training.adaptation, precision, micro.token_budget, micro.packing, attempt.location.uri, attempt.prefix)
        measured = run_shards(todo, ReadPairs(pairs.location.uri), make, run.cluster)
        records = all_records(attempt, "pairs", finished, len(shards), measured)
        for shard, record in zip(shards, records, strict=True):
            attempt.adopt(f"{shard['split']}/{shard['shard']:06d}.parquet", File(**record["file"]))
        return Outcome(sum(shard["stop"] - shard["start"] for shard in shards), summed(records), placed_workers(records))

    return run.ensure(stage, build)


def _shards(pairs: Artifact) -> list[dict[str, Any]]:
    """Of all splits, numbered on."""
    found: list[dict[str, Any]] = []
    for split in SPLITS:
        if pairs.files(f"{split}/"):
            for shard in shards_of(len(Rows.of(pairs, f"{split}/")), _SHARD_PAIRS):
                found.append({**shard, "shard": len(found), "split": split})
    return found
