"""bf16 that a CPU emulates is known by what the CPU says of itself."""

from __future__ import annotations

import pytest
import torch

from ray_pipeline.training.emulated import emulated_bf16


@pytest.mark.parametrize(
    ("capabilities", "emulated"),
    [
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}, True),
        ({"architecture": "x86_64"}, True),
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_what_a_cpu_says(capabilities: dict[str, object], emulated: bool) -> None:
    assert emulated_bf16(capabilities) == emulated


def test_torch_says_it_in_these_words() -> None:
    """Else every CPU would pass for one that emulates."""
    found = torch.cpu.get_capabilities()
    assert found["architecture"] in ("x86_64", "aarch64")
    assert found["architecture"] != "x86_64" or {"avx512_bf16", "amx_bf16"} <= found.keys()
