"""The process that a user's reward runs in: one line of JSON in for each sample, one out.

    python own_process.py IN OUT FILE FUNCTION         descriptors of two pipes, the file and the function's name

It knows the standard library alone, so it starts at once and the user's file finds what it imports as anywhere else. What the function prints
goes where this process's errors go; a process that does not answer is ended from outside.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(asked: int, told: int, file: str, name: str) -> None:
    os.dup2(2, 1)
    with os.fdopen(told, "w", encoding="utf-8", buffering=1) as out, os.fdopen(asked, encoding="utf-8") as samples:

        def tell(what: dict[str, Any]) -> None:
            out.write(json.dumps(what) + "\n")

        try:
            function = loaded(file, name)
        except BaseException as problem:
            tell({"refused": f"{type(problem).__name__}: {problem}"})
            return
        tell({"ready": True})
        for line in samples:
            try:
                value = function(json.loads(line))
                tell({"value": float(value)} if usable(value) else {"failed": f"answered {value!r}, which is no finite number"[:300]})
            except BaseException as problem:
                tell({"failed": f"{type(problem).__name__}: {problem}"[:300]})


def loaded(file: str, name: str) -> Callable[[dict[str, Any]], Any]:
    """The function, which takes one argument."""
    path = Path(file)
    own = f"reward_of_{path.stem}"  # a file called json.py must not stand in for json
    spec = importlib.util.spec_from_file_location(own, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    sys.path.append(str(path.parent))
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not callable(found):
        known = ", ".join(key for key, value in vars(module).items() if inspect.isfunction(value)) or "none"
        raise AttributeError(f"{file} defines no function {name}; it has {known}")
    try:
        inspect.signature(found).bind({})
    except TypeError as problem:
        raise TypeError(f"{name}{inspect.signature(found)} does not take one argument, the sample ({problem})") from None
    return found  # type: ignore[no-any-return]


def usable(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
