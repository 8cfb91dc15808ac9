"""No option exists that nothing reads: every field of every settings class is read as an attribute somewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from jobs.embed import EmbedJob
from jobs.evaluate import EvaluateJob
from jobs.mine import MineJob
from jobs.pipeline import PipelineJob
from jobs.search import SearchJob
from ray_pipeline.config import Settings, identity, settings_classes

ROOT = Path(__file__).parents[2]
JOBS = (EmbedJob, SearchJob, MineJob, EvaluateJob, PipelineJob)
TAGS = {"kind", "method"}  # they choose the class of a section; the class is what is read


def sources() -> list[str]:
    return [path.read_text() for room in ("ray_pipeline", "jobs") for path in (ROOT / room).rglob("*.py")]


def attributes_read(texts: Iterable[str]) -> set[str]:
    """Names read as `something.name`, except where a settings class only checks itself."""
    return {name for text in texts for name in _reads(ast.parse(text))}


def _reads(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and any("validator" in ast.dump(decorator) for decorator in node.decorator_list):
        return
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield node.attr
    for child in ast.iter_child_nodes(node):
        yield from _reads(child)


def unread(kinds: Iterable[type[Settings]], read: set[str]) -> list[str]:
    return sorted({f"{kind.__name__}.{name}" for kind in kinds for name in kind.model_fields if name not in read | TAGS})


@pytest.mark.parametrize("job", JOBS)
def test_every_setting_is_read(job: type[Settings]) -> None:
    assert unread(settings_classes(job), attributes_read(sources())) == []


def test_a_planted_option_is_seen() -> None:
    class Planted(Settings):
        nobody_reads_me: int = identity(1, "an option for nothing")
        checked_only: int = identity(1, "read by its own validator alone")

    validator = "class P:\n    @model_validator(mode='after')\n    def _check(self):\n        return self.checked_only\n"
    assert unread([Planted], attributes_read([*sources(), validator])) == ["Planted.checked_only", "Planted.nobody_reads_me"]
    assert unread([Planted], attributes_read(["settings.nobody_reads_me + settings.checked_only"])) == []
