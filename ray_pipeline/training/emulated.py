"""Arithmetic that a CPU only emulates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def emulated_bf16(capabilities: Mapping[str, Any] | None = None) -> bool:
    """Whether bf16 is turned into fp32 and back around every operation on this CPU. Of other kinds than x86 nothing is said."""
    found = torch.cpu.get_capabilities() if capabilities is None else capabilities
    return found.get("architecture") == "x86_64" and not (found.get("avx512_bf16") or found.get("amx_bf16"))
