"""The eight lines of the README, in a process where Ray cannot be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from ray_pipeline.models.adaptation import FullTuning
from ray_pipeline.models.adapters import trainable_reranker
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.export import export_model
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.notebook import rerank
from ray_pipeline.ranking import PAD_DOC, Ranking

README = Path(__file__).parent.parent / "README.md"
BLOCK = "import sys\nfor name in ('ray', 'vllm', 'faiss', 'hydra'): sys.modules[name] = None\n"


def test_the_readme_s_lines_run_without_ray() -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "from ray_pipeline import" in block)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    ran = subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, cwd=README.parent, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "map@10" in ran.stdout or re.search(r"\d\.\d", ran.stdout), ran.stdout


def test_rerank_puts_the_first_documents_in_the_rerankers_order(tiny_model: Path, tmp_path: Path) -> None:
    settings = RerankerSettings(name=str(tiny_model), kind="classifier", max_length=40)
    export_model(trainable_reranker(settings, FullTuning()).eval(), tmp_path / "reranker", ModelFacts(), "fp32")
    queries, documents = ["the area", "a fraction"], ["adds the number", "wrong answer", "negative", "the fraction", "correct"]
    found = Ranking(np.arange(2), np.array([[0, 1, 2, 3], [4, 2, PAD_DOC, PAD_DOC]]), np.array([[4, 3, 2, 1], [2, 1, -np.inf, -np.inf]], np.float32))
    again = rerank(found, queries, documents, str(tmp_path / "reranker"), depth=3)
    scores = Reranker(RerankerSettings(name=str(tmp_path / "reranker"))).rank(queries[0], documents[:3])
    assert again.docs[0].tolist() == [*np.argsort(-scores).tolist(), 3]
    assert sorted(again.docs[1, :2].tolist()) == [2, 4]
    assert again.docs[1, 2:].tolist() == [PAD_DOC, PAD_DOC]
