from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from ray_pipeline.data import registry
from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.registry import READERS, read_dataset, reader_options
from ray_pipeline.data.tables import read_table
from ray_pipeline.errors import DataError


def test_every_format_takes_a_path_and_named_options_with_defaults() -> None:
    for name, reader in READERS.items():
        path, *options = inspect.signature(reader).parameters.values()
        assert path.default is inspect.Parameter.empty, name
        assert all(option.kind is inspect.Parameter.KEYWORD_ONLY and option.default is not inspect.Parameter.empty for option in options), name
    assert reader_options("table") == ("columns", "split")


def test_options_reach_the_reader(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    dataset = read_dataset("table", str(tmp_path / "t.jsonl"), {"columns": {"query": "question", "positive": "answer"}})
    assert dataset.queries.column("text").to_pylist() == ["q"]


def test_unknown_formats_and_options_are_refused() -> None:
    with pytest.raises(DataError, match=r"there is no format 'bier' \(did you mean 'beir'\?\); the formats are beir, eedi"):
        read_dataset("bier", "x", {})
    with pytest.raises(DataError, match=r"format 'eedi' has no option 'columns'; its options are query_template"):
        read_dataset("eedi", "x", {"columns": {}})
    with pytest.raises(DataError, match=r"format 'table' has no option 'column' \(did you mean 'columns'\?\)"):
        read_dataset("table", "x", {"column": {}})
    with pytest.raises(DataError, match=r"format 'trec' has no option 'split'; its options are none"):
        read_dataset("trec", "x", {"split": "a"})


def test_a_format_is_one_function_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_two_columns(path: str, *, reverse: bool = False) -> RetrievalDataset:
        return read_table(path, columns={"query": "b", "positive": "a"} if reverse else {"query": "a", "positive": "b"})

    monkeypatch.setitem(registry.READERS, "two_columns", read_two_columns)
    (tmp_path / "t.jsonl").write_text('{"a": "x", "b": "y"}\n')
    assert read_dataset("two_columns", str(tmp_path / "t.jsonl"), {"reverse": True}).queries.column("text").to_pylist() == ["y"]


def test_reading_needs_neither_ray_nor_torch_nor_datasets() -> None:
    blocked = "import sys\nfor name in ('ray', 'vllm', 'faiss', 'hydra', 'torch', 'datasets', 'pandas', 'pickle5'): sys.modules[name] = None\n"
    program = blocked + "import ray_pipeline.data.registry, ray_pipeline.data.runs, ray_pipeline.data.partition"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2], timeout=60)
