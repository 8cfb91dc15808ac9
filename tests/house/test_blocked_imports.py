"""The lower rooms import where ray, vllm, faiss and hydra cannot be: on a bare GPU machine, in another's notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("", "text", "data", "models", "metrics", "objectives", "sandbox", "training")
BLOCKED = ("ray", "vllm", "faiss", "hydra", "omegaconf")
SCRIPT = """
import importlib, sys
for name in {blocked!r}: sys.modules[name] = None
for module in sys.argv[1:]: importlib.import_module(module)
print(len(sys.argv) - 1, "imported")
"""


def modules() -> list[str]:
    package = ROOT / "ray_pipeline"
    files = [path for room in ROOMS for path in ((package / room).rglob("*.py") if room else package.glob("*.py"))]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files)


def run(names: list[str], blocked: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(blocked=blocked), *names]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)


def test_the_lower_rooms_do_without() -> None:
    names = modules()
    assert len(names) > 40
    ran = run(names, BLOCKED)
    assert ran.returncode == 0, ran.stderr
    assert f"{len(names)} imported" in ran.stdout


def test_a_planted_import_is_seen() -> None:
    ran = run(["ray_pipeline.placement.cluster"], BLOCKED)
    assert ran.returncode != 0
    assert "ray" in ran.stderr
