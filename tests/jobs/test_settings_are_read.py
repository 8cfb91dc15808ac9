"""No option exists that nothing reads: every field of every settings class is read somewhere outside its declaration."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from jobs.command_line import JobSettings
from ray_pipeline.config import Settings, identity, section, settings_classes

ROOT = Path(__file__).parents[2]


def sources() -> list[str]:
    return [path.read_text() for room in ("ray_pipeline", "jobs", "serve") for path in sorted((ROOT / room).rglob("*.py"))]


def attributes_read(texts: Iterable[str]) -> set[str]:
    """Names that are read as attributes, `settings.name`. Declaring a field, setting it or checking it is not reading it."""
    return {name for text in texts for name in _reads(ast.parse(text))}


def _reads(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and any("validator" in ast.dump(decorator) for decorator in child.decorator_list):
            continue
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Load):
            yield child.attr
        yield from _reads(child)


def unread(classes: Iterable[type[Settings]], read: set[str]) -> list[str]:
    """The fields nothing reads, but for those that only tell a choice from others: there the type that is chosen is what counts."""
    fields = {(one, name, info.annotation) for one in classes for name, info in one.model_fields.items()}
    tags = {(one, name) for one, name, kind in fields if get_origin(kind) is Literal and len(get_args(kind)) == 1}
    return sorted(f"{one.__name__}.{name}" for one, name, _ in fields if name not in read and (one, name) not in tags)


def job_settings() -> Mapping[str, type[JobSettings]]:
    found: dict[str, type[JobSettings]] = {}
    for path in sorted((ROOT / "jobs").glob("*.py")):
        if path.stem != "__main__":
            module = importlib.import_module(f"jobs.{path.stem}")
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, JobSettings) and value.__module__ == module.__name__:
                    found[path.stem] = value
    return found


def test_every_setting_of_every_job_is_read() -> None:
    jobs = job_settings()
    assert {"embed", "search", "mine", "evaluate", "pipeline"} <= set(jobs)
    classes = {one for kind in jobs.values() for one in settings_classes(kind)}
    assert len(classes) > 15
    assert unread(classes, attributes_read(sources())) == []


def test_a_setting_that_nothing_reads_is_found() -> None:
    class Inner(Settings):
        used: int = identity(1, "used")
        never_read_by_anyone: int = identity(1, "planted")

    class Outer(Settings):
        kind: Literal["outer"] = identity("outer", "planted")
        inner: Inner = section(Inner(), "planted")

    text = "def work(outer):\n    outer.never_read_by_anyone = outer.inner.used\n    return outer.kind\n"
    assert unread(settings_classes(Outer), attributes_read([text])) == ["Inner.never_read_by_anyone"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("class A(Settings):\n    x: int = identity(1, 'x')\n", set()),
        (
            "class A(Settings):\n    x: int = identity(1, 'x')\n\n    @model_validator(mode='after')\n    def check(self):\n        return self.x\n",
            set(),
        ),
        ("class A(Settings):\n    x: int = identity(1, 'x')\n\n    def twice(self):\n        return 2 * self.x\n", {"x"}),
        ("a.x = 1\ndel a.y\n", set()),
        ("f(x=1)\n", set()),
    ],
)
def test_declaring_checking_and_setting_is_not_reading(text: str, read: set[str]) -> None:
    assert attributes_read([text]) & {"x", "y"} == read
