"""The update of a policy on several answers to each prompt: the prompt once a group, over each answer with its own copy, both packed.

A small decoder of Qwen3's kind with random weights in fp32. One step is the likelihoods of all answers and their gradients; both sides take the
answers to one prompt at a time. With P tokens of prompt and n answers of R tokens the tokens alone bound the gain at n (P + R) / (P + n R): 4.5 for
P = 1,024, R = 128 and n = 8. `ratio` is plain over shared, medians of rounds that take turns; `gradient` is the largest difference of a
gradient, over the largest gradient.

    python -m benchmarks.shared_prompts
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import finish, print_table
from benchmarks.small_decoder import save_small_decoder
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.text.learned_tokens import LearnedTokens, TokenBatch, pack, plan_rows
from ray_pipeline.text.shared_prompts import families, pack_shared, plan_families
from ray_pipeline.text.tokens import end_to_end


def rollouts(prompts: int, prompt: int, answers: int, answer: int) -> tuple[LearnedTokens, np.ndarray]:
    """Random tokens, and the group of each row."""
    generator = np.random.default_rng(0)
    said = [generator.integers(0, 8000, prompt).tolist() for _ in range(prompts)]
    rows = [[*said[group], *generator.integers(0, 8000, answer).tolist()] for group in range(prompts) for _ in range(answers)]
    learned = np.tile(np.arange(prompt + answer) >= prompt, len(rows))
    return LearnedTokens(end_to_end(rows), learned), np.repeat(np.arange(prompts), answers)


def micro_batches(given: LearnedTokens, groups: np.ndarray, token_budget: int, *, shared: bool) -> Iterator[TokenBatch]:
    """All answers: behind the prompt of their group, or each behind its own copy."""
    if shared:
        yield from (pack_shared(given, micro) for micro in plan_families(given, families(given, groups), token_budget))
    else:
        yield from (pack(given.take(rows)) for rows in plan_rows(given.tokens.lengths, token_budget, packing=True))


def update(policy: Policy, given: LearnedTokens, groups: np.ndarray, token_budget: int, *, shared: bool) -> float:
    """Seconds of one step; its gradients stay."""
    policy.zero_grad()
    started = time.perf_counter()
    for batch in micro_batches(given, groups, token_budget, shared=shared):
        policy(*policy.on_device(batch)).sum().backward()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shared_prompts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=1024, help="its tokens")
    parser.add_argument("--answers", type=int, default=8, help="to each prompt")
    parser.add_argument("--answer", type=int, default=128, help="its tokens")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    given, groups = rollouts(options.prompts, options.prompt, options.answers, options.answer)
    budgets = {True: options.prompt + options.answers * options.answer, False: options.answers * (options.prompt + options.answer)}  # a group
    with tempfile.TemporaryDirectory() as folder:
        policy = Policy(PolicySettings(name=str(save_small_decoder(Path(folder))))).requires_grad_(True)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    gradients: dict[bool, dict[str, torch.Tensor]] = {}
    for number in range(options.rounds + 1):
        for shared in (False, True):
            took = update(policy, given, groups, budgets[shared], shared=shared)
            if number:
                seconds[shared].append(took)
            gradients[shared] = {name: one.grad.clone() for name, one in policy.named_parameters() if one.grad is not None}
    largest = max(float(one.abs().max()) for one in gradients[False].values())
    differs = max(float((gradients[True][name] - one).abs().max()) for name, one in gradients[False].items())
    medians = {shared: statistics.median(found) for shared, found in seconds.items()}
    print_table(["", "seconds a step"], [["each its own prompt", medians[False]], ["the prompt shared", medians[True]]])
    finish(
        "shared_prompts",
        medians[False] / medians[True],
        bound=budgets[False] / budgets[True],
        gradient=differs / largest,
        rounds=options.rounds,
        packages=("transformers",),
    )


if __name__ == "__main__":
    main()
