"""What answers HTTP loads tokenizers and no model: it starts fast, and many of it cost little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT


@pytest.mark.parametrize("module", ["ray_pipeline.serving.service", "ray_pipeline.serving.http.endpoints", "serve.entrance"])
def test_the_entrance_loads_no_model_code(module: str) -> None:
    look = f"import sys, {module}; print(*[name for name in ('torch', 'faiss', 'transformers') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
