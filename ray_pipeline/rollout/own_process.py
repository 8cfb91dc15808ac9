"""The process that a user's own code runs in: one line of JSON in for each question, one out.

    python -P own_process.py IN OUT KIND FILE NAME     descriptors of two pipes, what is asked of the file, the file, the name in it

KIND is `reward` (a function of a sample) or `environment` (a class of a task, whose objects answer replies). It knows the standard library alone, so
it starts at once and the user's file finds what it imports as anywhere else. What the user's code prints goes where this process's errors go; a
process that does not answer is ended from outside.

Trap: without -P this file's own folder is searched for modules, and a user's `import engine` would find ours.
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

Answering = Callable[[dict[str, Any]], dict[str, Any]]


def main(asked: int, told: int, kind: str, file: str, name: str) -> None:
    os.dup2(2, 1)
    with os.fdopen(told, "w", encoding="utf-8", buffering=1) as out, os.fdopen(asked, encoding="utf-8") as questions:
        try:
            answering = {"reward": reward, "environment": Worlds.of}[kind](loaded(kind, file, name), name)
        except BaseException as problem:
            out.write(json.dumps({"refused": f"{type(problem).__name__}: {problem}"}) + "\n")
            return
        out.write('{"ready": true}\n')
        for line in questions:
            try:
                answer = json.dumps(answering(json.loads(line)))
            except BaseException as problem:
                answer = json.dumps({"failed": f"{type(problem).__name__}: {problem}"[:300]})
            out.write(answer + "\n")


def loaded(kind: str, file: str, name: str) -> Any:
    """What the file calls so: a function, or a class."""
    path = Path(file)
    own = f"{kind}_of_{path.stem}"  # a file called json.py must not stand in for json
    spec = importlib.util.spec_from_file_location(own, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    sys.path.append(str(path.parent))
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    word, fits = ("class", inspect.isclass) if kind == "environment" else ("function", callable)
    if not fits(found):
        counts = inspect.isclass if kind == "environment" else inspect.isfunction
        known = ", ".join(key for key, value in vars(module).items() if counts(value)) or "none"
        raise AttributeError(f"{file} defines no {word} {name}; it has {known}")
    return found


def takes(what: Any, name: str, arguments: list[Any], meant: str) -> None:
    """Refuse what cannot be called so."""
    try:
        inspect.signature(what).bind(*arguments)
    except TypeError as problem:
        raise TypeError(f"{name}{inspect.signature(what)} does not take {meant} ({problem})") from None


def reward(function: Callable[[dict[str, Any]], Any], name: str) -> Answering:
    """A sample in, its worth out."""
    takes(function, name, [{}], "one argument, the sample")

    def answering(sample: dict[str, Any]) -> dict[str, Any]:
        value = function(sample)
        return {"value": float(value)} if usable(value) else {"failed": f"answered {value!r}, which is no finite number"[:300]}

    return answering


class Worlds:
    """Objects of the user's class by a number, each from its beginning until its standing was asked."""

    def __init__(self, kind: Callable[[dict[str, Any]], Any]) -> None:
        self._kind = kind
        self._worlds: dict[int, Any] = {}

    @staticmethod
    def of(kind: Any, name: str) -> Answering:
        takes(kind, name, [{}], "one argument, the task")
        for method, arguments, meant in (("answer", [None, {}], "one argument, the reply"), ("standing", [None], "no argument")):
            found = getattr(kind, method, None)
            if not inspect.isfunction(found):
                raise AttributeError(f"{name} has no method {method}")
            takes(found, f"{name}.{method}", arguments, meant)
        return Worlds(kind)

    def __call__(self, question: dict[str, Any]) -> dict[str, Any]:
        number, what = question["world"], question["what"]
        if what == "begin":
            self._worlds[number] = self._kind(question["task"])
            return {"begin": True}
        world = self._worlds.pop(number)  # one that raises is not asked again
        if what == "standing":
            return {"standing": world.standing()}
        answer = world.answer(question["reply"])
        self._worlds[number] = world
        return {"answer": answer}


def usable(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6])
