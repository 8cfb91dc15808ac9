"""Does fine-tuning teach anything? A decoder of 750,000 random weights learns to call tools from generated conversations.

It begins knowing nothing, reads conversations of two domains, and is asked, on requests it never saw, for the calls: right only if every call has the
right name and exactly the right arguments. Three seeds. The control trains on conversations whose replies were exchanged among requests for the
same functions: it learns which to call, and not with what.

    python -m benchmarks.learn_sft

`ratio` is the share of held out requests that are answered by exactly the right calls, the mean of the seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch

from benchmarks.report import finish, print_table
from benchmarks.tool_caller import new_tool_caller
from jobs.command_line import start_logging
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.chats.formats import write_chats
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.rows import Rows
from ray_pipeline.metrics.tool_calls import Call, read_calls, same_calls
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import renderer_of
from ray_pipeline.pipelines.prepare_chats import ChatFiles, GeneratedToolChats, prepare_chats
from ray_pipeline.pipelines.render import RenderSettings
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import fine_tune
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.rollout.generate_shards import asked
from ray_pipeline.tasks.sft.settings import SftTraining
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import MaskSettings

OPTIMIZER: Final = {"lr": 6e-3, "betas": (0.9, 0.98), "weight_decay": 0.01}
DATA: Final = {"domains": 2, "most_tools": 2, "parallel_share": 0.2, "multi_turn_share": 0.0, "no_call_share": 0.1, "eval_share": 0.05}


def exchanged(chats: Artifact, folder: Path) -> str:
    """The training side, each first reply that of another request for the same functions, as a file."""
    table = Rows.of(chats, "train/").table()
    rows, same = table.to_pylist(), defaultdict(list)
    for place, row in enumerate(rows):
        same[tuple(call["name"] for call in row["messages"][1]["tool_calls"] or ())].append(place)
    replies = [row["messages"][1] for row in rows]
    for places in same.values():
        for place, other in zip(places, np.random.default_rng(0).permutation(places), strict=True):
            rows[place]["messages"] = [rows[place]["messages"][0], replies[other]]
            rows[place]["source"] = None
    path = folder / "exchanged.jsonl"
    write_chats(pa.Table.from_pylist(rows, schema=table.schema), str(path), "openai")
    return str(path)


def exact_share(model: Path, chats: Artifact, most: int) -> tuple[float, int]:
    """The share of held out requests whose answer is right: the right calls, or none where none is asked for."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    decoder, tokenizer = AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)
    renderer = renderer_of(model, PolicySettings(name=str(model)), MaskSettings(), "chat")
    held_out = [conversation_of(row) for row in Rows.of(chats, "eval/").table().slice(0, most).to_pylist()]
    requests = [first_request(one) for one in held_out]
    order = sorted(range(len(requests)), key=lambda row: len(renderer.prompt(requests[row][0])))
    right = 0
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        prompts = [renderer.prompt(requests[row][0]) for row in rows]
        longest = max(map(len, prompts))
        ids = torch.tensor([[tokenizer.pad_token_id] * (longest - len(one)) + one for one in prompts])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
        with torch.inference_mode():
            written = decoder.generate(ids, attention_mask=mask, max_new_tokens=160, do_sample=False)[:, longest:]
        for row, tokens in zip(rows, written, strict=True):
            found = read_calls(tokenizer.decode(tokens, skip_special_tokens=True))
            right += found is not None and same_calls(found, requests[row][1])
    return right / len(requests), len(requests)


def first_request(conversation: Conversation) -> tuple[Conversation, list[Call]]:
    """What is said before the first reply, and the calls of that reply."""
    place = next(at for at, message in enumerate(conversation.messages) if message.role == "assistant")
    reply = conversation.messages[place]
    calls = [Call(call.name, json.loads(call.arguments)) for call in reply.tool_calls or ()]
    return asked(Conversation(conversation.messages[: place + 1], conversation.tools)), calls


def trained(run: Run, chats: Artifact, base: Path, seed: int, steps: int) -> Path:
    train: dict[str, Any] = {"max_steps": steps, "epochs": None, "batch_size": 16, "seed": seed, "evaluation": None, "guard": None}
    train |= {"checkpoints": {"keep_best": False}, "optimizer": OPTIMIZER, "schedule": {"kind": "cosine", "warmup_share": 0.03}}
    training = parse(SftTraining, {"train": train, "micro": {"token_budget": 8192}})
    render = parse(RenderSettings, {"max_length": 1024, "too_long": "drop"})
    made = fine_tune(run, chats, PolicySettings(name=str(base)), render, training)
    return Path(made.file("model/config.json").uri).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--steps", type=int, default=2400)
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
        shares = [exact_share(trained(run, chats, base, seed, options.steps), chats, options.asked) for seed in range(options.seeds)]
        shuffled = prepare_chats(run, ChatFiles(path=exchanged(chats, Path(folder)), eval_share=0.0))
        control, _ = exact_share(trained(run, shuffled, base, 0, options.steps), chats, options.asked)
        untrained, requests = exact_share(base, chats, options.asked)
    report([share for share, _ in shares], control, untrained, requests, time.monotonic() - started)


def report(shares: Sequence[float], control: float, untrained: float, requests: int, seconds: float) -> None:
    rows = [[f"seed {seed}", share] for seed, share in enumerate(shares)]
    print_table(["", "exact calls"], [*rows, ["replies exchanged", control], ["untrained", untrained]])
    figures = {"by_seed": list(shares), "control": control, "untrained": untrained, "requests": requests, "seconds": seconds}
    finish("learn_sft", float(np.mean(shares)), **figures, packages=("transformers", "trl"))


if __name__ == "__main__":
    main()
