"""What a vLLM worker is extended by so that a running engine takes new weights.

On CPUs vLLM packs the weights of linear layers once they are loaded and empties the originals: a later `load_weights` fails, and a reload
returns as if all were well with the old layers still in place. So in processes that import this file linear layers keep their weights and
multiply by them as they stand: loading is then exact, at any time. vLLM imports it in every worker, before the model is made.
"""

from __future__ import annotations

import ctypes
import signal
from typing import Any, Final

import torch
from vllm.model_executor.layers import linear, utils
from vllm.platforms import current_platform

_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG


def _as_it_stands(layer: torch.nn.Module, remove_weight: bool) -> None:
    layer.cpu_linear = torch.nn.functional.linear  # type: ignore[assignment]


if current_platform.is_cpu():
    linear.dispatch_cpu_unquantized_gemm = utils.dispatch_cpu_unquantized_gemm = _as_it_stands


class TakesWeights:
    """Mixed into vLLM's worker: `collective_rpc("take_weights", args=(file,))`."""

    model_runner: Any

    def end_with_parent(self) -> None:
        """An engine whose holder was killed holds memory for nobody: the kernel ends it then."""
        ctypes.CDLL(None, use_errno=True).prctl(_DEATH_SIGNAL, signal.SIGKILL)

    def take_weights(self, file: str) -> list[str]:
        """Load a safetensors file into the model that runs; the names of parameters that it has and the file gave nothing for."""
        from safetensors import safe_open

        model = self.model_runner.model
        with safe_open(file, "pt") as given:
            taken = model.load_weights((name, given.get_tensor(name)) for name in list(given.keys()))
        return sorted({name for name, _ in model.named_parameters()} - set(taken))
