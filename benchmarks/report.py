"""What every benchmark ends with: a table a person can read and, as the last line, one JSON object a program can."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def finish(name: str, ratio: float, **figures: Any) -> None:
    """Print the last line: the name, the ratio, the other figures, and what it was measured with.

    The version of each package that `figures["packages"]` lists is looked up; numpy, and torch where it was imported, always.
    """
    packages = {"numpy", *figures.pop("packages", ()), *({"torch"} & sys.modules.keys())}
    versions = {"python": platform.python_version(), **{package: version(package) for package in sorted(packages)}}
    machine = {"cpus": len(os.sched_getaffinity(0)), "machine": platform.machine()}
    print(json.dumps({"name": name, "ratio": rounded(ratio), **rounded(figures), "versions": versions, **machine}))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns of text, the first flush left, the others flush right; floats with three significant digits."""
    lines = [list(header), *([shown(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))
        print("  ".join([line[0].ljust(widths[0]), *cells]))
    print()


def shown(value: object) -> str:
    """A number as the table shows it."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def rounded(value: Any) -> Any:
    """Floats to four significant digits, also inside lists and dictionaries."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def peak_resident_bytes() -> int:
    """The largest resident size of this process since it was started.

    Not `getrusage`: its figure is handed down to a child, which then starts at the peak of its parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM: peak memory is measured on Linux only")
