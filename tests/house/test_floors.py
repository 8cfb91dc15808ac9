"""The house keeps its floors: a file imports only from floors below its own, or from its own room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ray_pipeline"
FLOORS = {
    "text": 1,
    "data": 2,
    "models": 3,
    "metrics": 3,
    "objectives": 3,
    "placement": 3,
    "sandbox": 3,
    "retrieval": 4,
    "rollout": 4,
    "synthesis": 4,
    "serving": 5,
    "training": 4,
    "evaluation": 5,
    "tasks": 6,
    "reports": 7,
    "pipelines": 8,
}
GROUND = {"errors", "schemas", "ranking", "config", "storage", "artifacts", "external_scores", "local_copy", "run_records", "progress", "revision"}
ROOF = {"notebook", "__init__"}  # what a notebook sees: may look into every room
RAY_ROOMS = {"placement"}


def room_of(module: str) -> str:
    """`ray_pipeline.text.tokens` -> `text`; `ray_pipeline.errors` -> `errors`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor_of(room: str) -> int:
    if room in GROUND:
        return 0
    return {"notebook": 9, "__init__": 10}[room] if room in ROOF else FLOORS[room]


def imports(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def breaches(module: str, source: str) -> list[str]:
    """What the file imports that it must not."""
    room = room_of(module)
    found = []
    for line, name in imports(source):
        if name.split(".")[0] in ("jobs", "serve", "benchmarks", "tests"):
            found.append(f"{module}:{line} imports {name}, which stands above the library")
        elif name.split(".")[0] == "ray" and room not in RAY_ROOMS:
            found.append(f"{module}:{line} imports {name}; only {', '.join(RAY_ROOMS)} knows Ray")
        elif name.startswith("ray_pipeline."):
            other = room_of(name)
            if other != room and floor_of(other) >= floor_of(room) and not (room in GROUND and other in GROUND):
                found.append(f"{module}:{line} (floor {floor_of(room)}) imports {name} (floor {floor_of(other)})")
    return found


def modules() -> list[tuple[str, Path]]:
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in sorted(PACKAGE.rglob("*.py"))]


def test_every_file_keeps_to_its_floor() -> None:
    assert not [breach for module, path in modules() for breach in breaches(module, path.read_text())]


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert rooms == set(FLOORS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == GROUND | ROOF


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ray_pipeline.text.tokens", "from ray_pipeline.models.embedder import Embedder"),
        ("ray_pipeline.models.embedder", "from ray_pipeline.metrics.ranking import evaluate_ranking"),
        ("ray_pipeline.retrieval.embed", "import ray"),
        ("ray_pipeline.pipelines.embed", "import jobs.embed"),
        ("ray_pipeline.errors", "def f():\n    from ray_pipeline.data.beir import read_beir"),
    ],
)
def test_a_planted_breach_is_seen(module: str, source: str) -> None:
    assert breaches(module, source)


def test_what_is_allowed_is_allowed() -> None:
    assert not breaches("ray_pipeline.retrieval.embed", "from ray_pipeline.models.embedder import Embedder\nimport torch")
    assert not breaches("ray_pipeline.placement.shards", "import ray\nfrom ray_pipeline.placement.cluster import connect")
