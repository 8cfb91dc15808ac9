"""`python -m jobs`: every job with one line on what it does."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent
HIDDEN = {"__init__", "__main__", "command_line"}


def main() -> None:
    print("python -m jobs.<name> key=value ...     (--help shows a job's settings)\n")
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in HIDDEN:
            summary = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0]
            print(f"  {path.stem:<12} {summary}")


if __name__ == "__main__":
    main()
