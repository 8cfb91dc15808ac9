"""The state of every random generator of a process: Python's, numpy's, torch's, and CUDA's where there is one."""

from __future__ import annotations

import base64
import json
import random

import numpy as np
import torch
from torch import Tensor


def seed_generators(seed: int, rank: int, step: int = 0) -> None:
    """Dropout draws other numbers on every rank."""
    torch.manual_seed((seed + step) * 1_000_003 + rank)


def generators_state(device: torch.device) -> Tensor:
    """As bytes in a tensor, so that ranks can gather it."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state = {
        "python": random.getstate(),
        "numpy": [name, [int(key) for key in keys], position, has_gauss, gauss],
        "torch": _text(torch.get_rng_state()),
        "cuda": _text(torch.cuda.get_rng_state(device)) if device.type == "cuda" else None,
    }
    return torch.frombuffer(bytearray(json.dumps(state).encode()), dtype=torch.uint8).to(device)


def restore_generators(saved: Tensor, device: torch.device) -> None:
    state = json.loads(bytes(saved.cpu().numpy()))
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(_tensor(state["torch"]))
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(_tensor(state["cuda"]), device)


def _text(state: Tensor) -> str:
    return base64.b64encode(bytes(state.cpu().numpy())).decode()


def _tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
