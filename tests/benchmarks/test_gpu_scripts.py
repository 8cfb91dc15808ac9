"""The GPU scripts run at their smallest on any machine, with no more than they say they need, and count operations right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import encode, gradcache_step
from benchmarks.gpu.gradcache_step import info_nce_backward
from benchmarks.gpu.shapes import SMOKE, Backbone
from ray_pipeline.objectives.gradcache_chunks import plan_chunks

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "main"), [("gpu_encode", encode.main), ("gpu_gradcache_step", gradcache_step.main)])
def test_smoke(name: str, main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    main(["--smoke"])
    said = capsys.readouterr().out
    last = json.loads(said.splitlines()[-1])
    assert "These are not GPU figures" in said
    assert (last["name"], last["gpu"], last["smoke"]) == (name, False, True)
    assert last["ratio"] > 0 and set(last["shapes"]) == set(SMOKE)


@pytest.mark.parametrize("main", [encode.main, gradcache_step.main])
def test_without_a_gpu_it_says_so(main: Callable[[list[str]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no CUDA device here"):
        main([])


def test_operations_by_hand() -> None:
    """Two layers of BERT: 4 x 32 x 32 of attention and 2 x 32 x 64 of the inner layer, 8,192 weights each."""
    model = Backbone(SMOKE["tiny bert"](), torch.device("cpu"), torch.float32)
    assert model.weights == 2 * 8192
    lengths = np.array([3, 5, 4])
    assert model.model_operations(lengths) == 2 * 16384 * 12 + 4 * 2 * 32 * (9 + 25 + 16)
    plan = plan_chunks(lengths, token_budget=10, max_rows=8)  # 5; then 3 padded to 2 x 4
    assert plan.tokens == (5, 8)
    assert model.hardware_operations(plan, [1]) == 2 * 16384 * 8 + 4 * 2 * 32 * 4 * 8
    assert model.hardware_operations(plan, []) == 0


def test_causal_attention_counts_half() -> None:
    """q 32 x 32, k and v 32 x 16, o 32 x 32, three of 32 x 64: 9,216 weights a layer; 2 heads of 16 dimensions."""
    model = Backbone(SMOKE["tiny qwen3"](), torch.device("cpu"), torch.float32)
    assert model.weights == 2 * 9216
    assert model.model_operations(np.array([3])) == 2 * 18432 * 3 + 0.5 * 4 * 2 * 32 * 9


def test_chunked_loss_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcache_step, "LOSS_ROWS", 3)
    vectors = torch.randn(14, 6, dtype=torch.float64)
    place = torch.randperm(14)
    chunks = [part.clone().requires_grad_() for part in vectors.split([5, 4, 5])]
    info_nce_backward(chunks, place)
    leaf = vectors.clone().requires_grad_()
    texts = leaf[place]
    torch.nn.functional.cross_entropy(texts[:7] @ texts[7:].T / 0.05, torch.arange(7)).backward()
    assert leaf.grad is not None
    assert torch.allclose(torch.cat([one.grad for one in chunks if one.grad is not None]), leaf.grad, atol=1e-12)


def test_nothing_else_is_imported() -> None:
    """A bare GPU machine has torch, transformers, peft, numpy and pyarrow."""
    absent = ["ray", "vllm", "faiss", "hydra", "pydantic", "sentence_transformers", "datasets", "bm25s", "sklearn"]
    program = [
        f"import sys; sys.modules.update(dict.fromkeys({absent}))",
        "from benchmarks.gpu import encode, gradcache_step",
        "encode.main(['--smoke']), gradcache_step.main(['--smoke'])",
    ]
    ran = subprocess.run([sys.executable, "-c", "; ".join(program)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
