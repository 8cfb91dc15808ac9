"""Resolve pyproject.toml once for a platform and write one pinned file a layer; `install.py` never resolves.

    python locks/resolve.py cpu      python locks/resolve.py gpu

A package in ALONE is pinned without being resolved: what it asks for clashes with the rest, and what is used of it needs none of that.

Layers: `core` (what a job needs), `rollout` (vLLM), `dev` (tests and their oracles), and `torch-cuda` (what the CUDA
build of torch needs beside it). Each file holds what the layers before it do not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

HERE = Path(__file__).parent
LEFT_OUT = {"torchvision", "torchaudio", "torchcodec"}  # their registry builds want CUDA; nothing here uses them
# bfcl-eval wants a client of every vendor, numpy 1.26 and faiss 1.11; its data and its simulators run on the standard library and mpmath, which
# torch brings (through sympy).
ALONE = {"rollout": ["bfcl-eval==2026.3.23"]}
LAYERS = {"cpu": {"core": ["cpu"], "rollout": ["rollout-cpu"], "dev": ["dev"]}, "gpu": {"core": ["gpu"], "rollout": ["rollout"], "dev": ["dev"]}}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(requirements: list[str]) -> dict[str, dict[str, Any]]:
    """What pip would install, by name, with the metadata it saw."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", str(report), *requirements]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text())["install"]
    return {normal(entry["metadata"]["name"]): entry["metadata"] for entry in found}


def closure(roots: list[str], packages: dict[str, dict[str, Any]]) -> set[str]:
    """All that the roots need, extras and environment markers evaluated for this Python."""
    seen: set[tuple[str, str]] = set()
    waiting = [(normal(root.name), extra) for root in map(Requirement, roots) for extra in ("", *root.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in packages or name in LEFT_OUT:
            continue
        seen.add((name, extra))
        for need in map(Requirement, packages[name].get("requires_dist", [])):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting.extend((normal(need.name), inner) for inner in ("", *need.extras))
    return {name for name, _ in seen}


def pins(names: set[str], packages: dict[str, dict[str, Any]]) -> str:
    return "".join(f"{name}=={packages[name]['version'].split('+')[0]}\n" for name in sorted(names))


def main(platform: str) -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    layers = {layer: [need for extra in names for need in extras[extra]] for layer, names in LAYERS[platform].items()}
    packages = resolved(project["dependencies"] + [need for needs in layers.values() for need in needs])
    folder = HERE / f"linux-{platform}"
    folder.mkdir(exist_ok=True)
    held: set[str] = set()
    cuda = {name for name in closure(["torch"], packages) if name.startswith(("nvidia-", "cuda-"))}
    for layer, needs in layers.items():
        roots = needs + (project["dependencies"] if layer == "core" else [])
        mine = closure(roots, packages) - held - cuda
        held |= mine
        lines = sorted([*pins(mine, packages).splitlines(), *ALONE.get(layer, [])], key=lambda line: line.partition("==")[0])
        (folder / f"{layer}.txt").write_text("".join(f"{line}\n" for line in lines))
        print(f"{folder.name}/{layer}.txt: {len(lines)} packages")
    if cuda:
        needed = cuda | {"triton"}
        (HERE / "torch-cuda.txt").write_text(pins(needed & packages.keys(), packages))
        print(f"torch-cuda.txt: {len(needed)} packages")


if __name__ == "__main__":
    main(sys.argv[1])
