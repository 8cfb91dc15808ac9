"""The eight lines of the README, in a process where Ray cannot be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BLOCK = "import sys\nfor name in ('ray', 'vllm', 'faiss', 'hydra'): sys.modules[name] = None\n"


def test_the_readme_s_lines_run_without_ray() -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "from ray_pipeline import" in block)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    ran = subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, cwd=README.parent, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "map@10" in ran.stdout or re.search(r"\d\.\d", ran.stdout), ran.stdout
