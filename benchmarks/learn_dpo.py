"""Does preference optimisation teach a preference, and nothing else? The decoder of benchmarks.learn_sft learns how its answers are to begin.

It has been taught to call tools. Pairs say that an answer about the first domain's tools had better begin with "Sure.", one about the second's
with "Okay."; both beginnings are new to it, and which is preferred depends on what was asked. Held out pairs are told apart by the likelihood
of the two answers. Three seeds. The control trains on swapped pairs: it must not learn the preference. Calls of tools must stay as right as
they were.

    python -m benchmarks.learn_dpo

`ratio` is the accuracy on held out pairs over 0.75.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.learn_sft import DATA, exact_share, trained
from benchmarks.report import finish, print_table
from benchmarks.tool_caller import new_tool_caller
from jobs.command_line import start_logging
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.chats.openai import message_fields
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.pair_rows import pair_rows
from ray_pipeline.data.rows import Rows
from ray_pipeline.data.tool_chats.domains import DOMAINS
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_chats import GeneratedToolChats, prepare_chats
from ray_pipeline.pipelines.prepare_preferences import PreferenceData, prepare_preferences
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings, render_pairs
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import optimise_preferences
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.dpo.settings import DpoTraining

BEGINNINGS: Final = ("Sure. ", "Okay. ")
RENDER: Final = RenderPairsSettings(max_length=1024, too_long="drop")


def write_pairs(chats: Artifact, path: Path) -> int:
    """Pairs of the answers that come behind a tool's result; how many."""
    first = {function.name for function in next(iter(DOMAINS.values()))}
    rows: list[dict[str, Any]] = []
    for row in Rows.of(chats, "train/").table().to_pylist():
        conversation = conversation_of(row)
        *before, answer = conversation.messages
        if answer.role != "assistant" or not before or before[-1].role != "tool":
            continue
        right = 0 if before[-1].name in first else 1
        sides = [[{"role": "assistant", "content": f"{BEGINNINGS[side]}{answer.content}"}] for side in (right, 1 - right)]
        pair = {"prompt": [message_fields(message) for message in before], "chosen": sides[0], "rejected": sides[1]}
        rows.append(pair if conversation.tools is None else {**pair, "tools": json.loads(conversation.tools)})
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def accuracy(run: Run, preferences: Artifact, model: Path) -> float:
    """The share of held out pairs whose preferred answer is likelier."""
    settings = PolicySettings(name=str(model))
    pairs = pair_rows(render_pairs(run, preferences, settings, RENDER), "eval")
    policy = Policy(settings)
    chosen, rejected = (policy.measure(side, 8192).sums for side in (pairs.chosen, pairs.rejected))
    return float((chosen > rejected).mean())


def optimised(run: Run, preferences: Artifact, model: Path, seed: int, steps: int) -> Path:
    train: dict[str, Any] = {"max_steps": steps, "epochs": None, "batch_size": 32, "seed": seed, "evaluation": None, "guard": None}
    train |= {"checkpoints": {"keep_best": False}, "optimizer": {"lr": 2e-4}, "schedule": {"kind": "linear", "warmup_share": 0.1}}
    training = parse(DpoTraining, {"train": train, "micro": {"token_budget": 8192}, "objective": {"kind": "sigmoid", "beta": 0.1}})
    made = optimise_preferences(run, preferences, PolicySettings(name=str(model)), RENDER, training)
    return Path(made.file("model/config.json").uri).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--sft-steps", type=int, default=2400)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--asked", type=int, default=300, help="held out requests at most")
    parser.add_argument("--workspace", help="where artifacts lie; default: a temporary folder")
    options = parser.parse_args()
    start_logging("info")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Workspace.at(options.workspace or f"{folder}/w"), ClusterSettings(in_process="always"))
        chats = prepare_chats(run, parse(GeneratedToolChats, {"kind": "tool_calls", "rows": options.rows, **DATA}))
        base = new_tool_caller(Path(folder) / "base", chats)
        pairs = Path(folder) / "pairs.jsonl"
        count = write_pairs(chats, pairs)
        given = {"sets": {"beginnings": {"path": str(pairs)}}, "eval_share": 0.2}
        right, swapped = (prepare_preferences(run, parse(PreferenceData, {**given, "swap": swap})) for swap in (False, True))
        seen = [one_seed(run, (chats, right, swapped), base, seed, options) for seed in range(options.seeds)]
    report(seen, count, time.monotonic() - started)


def one_seed(run: Run, data: tuple[Artifact, Artifact, Artifact], base: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    chats, right, swapped = data
    before = trained(run, chats, base, seed, options.sft_steps)
    after = optimised(run, right, before, seed, options.steps)
    control = optimised(run, swapped, before, seed, options.steps)
    return {
        "reference": accuracy(run, right, before),
        "accuracy": accuracy(run, right, after),
        "swapped": accuracy(run, right, control),
        "calls_before": exact_share(before, chats, options.asked)[0],
        "calls_after": exact_share(after, chats, options.asked)[0],
    }


def report(seen: Sequence[dict[str, float]], pairs: int, seconds: float) -> None:
    print_table(["", *seen[0]], [[f"seed {seed}", *one.values()] for seed, one in enumerate(seen)])
    means = {name: float(np.mean([one[name] for one in seen])) for name in seen[0]}
    gain = means["accuracy"] - means["reference"]
    lost = means["calls_before"] - means["calls_after"]
    figures = {**means, "gain": gain, "calls_lost": lost, "by_seed": list(seen), "pairs": pairs, "seconds": seconds}
    finish("learn_dpo", means["accuracy"] / 0.75, **figures, packages=("transformers",))


if __name__ == "__main__":
    main()
