"""Liger's kernel, run by Triton's interpreter where there is no GPU: the likelihoods and gradients of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

_COMPARED = """
import json, torch
from ray_pipeline.models.policy import fused_likelihood
from ray_pipeline.models.policy.likelihood import token_log_likelihood
generator = torch.Generator().manual_seed(0)
states = torch.randn(9, 8, generator=generator).requires_grad_()
weight = torch.randn(40, 8, generator=generator).requires_grad_()
targets, wanted = torch.randint(0, 40, (9,), generator=generator), torch.randn(9, generator=generator)
found = [one(states, weight, targets) for one in (token_log_likelihood, fused_likelihood.fused_log_likelihood)]
gradients = [torch.autograd.grad((one * wanted).sum(), (states, weight)) for one in found]
apart = [float((one - other).abs().max()) for one, other in zip((found[0], *gradients[0]), (found[1], *gradients[1]))]
print(json.dumps({"installed": fused_likelihood.installed(), "apart": apart}))
"""


def test_equals_our_own_token_by_token() -> None:
    """In a process of its own: Triton reads how it is to run when it is imported."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run([sys.executable, "-c", _COMPARED], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["installed"]
    assert found["apart"] == pytest.approx([0, 0, 0], abs=1e-5)
