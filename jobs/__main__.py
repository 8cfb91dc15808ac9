"""`python -m jobs`: every job with one line on what it does."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    print("python -m jobs.<name> key=value ...     (--help shows a job's settings)\n")
    for name in jobs():
        summary = (ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or "").splitlines()[0]
        print(f"  {name:<14} {summary}")


def jobs() -> list[str]:
    """The files here that can be run; the others are parts of them."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem != "__main__" and 'if __name__ == "__main__":' in path.read_text())


if __name__ == "__main__":
    main()
