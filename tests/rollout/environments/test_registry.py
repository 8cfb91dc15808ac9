"""Every kind of settings opens an environment of its kind."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from ray_pipeline.rollout.environments.registry import opened
from ray_pipeline.rollout.environments.settings import EnvironmentSettings

KINDS = get_args(EnvironmentSettings.model_fields["kind"].annotation)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_opened(kind: str, tmp_path: Path) -> None:
    if kind == "bfcl" and find_spec("bfcl_eval") is None:
        pytest.skip("BFCL's package is not installed")
    (tmp_path / "own.py").write_text("class Own:\n    def __init__(self, task): ...\n    def answer(self, reply): ...\n    def standing(self): ...\n")
    own = {"environment": f"{tmp_path}/own.py:Own"} if kind == "own" else {}
    environments = opened(EnvironmentSettings(kind=kind, **own))  # type: ignore[arg-type]
    try:
        assert type(environments).__name__.lower() == f"{kind}environments"
    finally:
        environments.close()
