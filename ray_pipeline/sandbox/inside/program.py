"""The program itself: its text runs here, under every layer, and talks over a stream of messages.

Three things can be asked of it. `calls`: run the text, then call one of its functions with whatever arguments come, and answer with what it returned.
`checks`: run a test program whose candidate is a stand-in that asks the other side for every answer. `script`: run the text as a program.
Nothing said here is a verdict that counts, but that of `checks`, whose text is not the candidate's.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from . import frames, plain

Value = Any
READY = plain.encode({"ready": True})
TEXT_OF_ERRORS = 300  # characters of an error's message that are told


def warm(names: list[str]) -> None:
    """Load what programs import, once for all of them."""
    for name in names:
        importlib.import_module(name)


def run(order: dict[str, Any], stream: int) -> None:
    """Do what was ordered and end this process without running anything that was left for the end."""
    os.environ.clear()
    sys.argv = ["program"]
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    text = frames.receive(stream)
    if text is None:
        os._exit(0)
    try:
        {"calls": _calls, "checks": _checks, "script": _script, "timed": _timed}[order["kind"]](text.decode(errors="surrogatepass"), order, stream)
    except BaseException as problem:
        _tell(stream, _failure("run", problem))
    _flush()
    os._exit(0)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except Exception:  # the program put something else there, or nobody reads; neither is anyone's business
        return


def _calls(text: str, order: dict[str, Any], stream: int) -> None:
    function = _loaded(text, order["entry_point"], stream)
    if function is None:
        return
    while (asked := frames.receive(stream)) is not None:
        arguments = plain.decode(asked)
        try:
            answer: dict[str, Any] = {"value": function(*arguments)}
            if order["echo"] and plain.encode(arguments) != asked:
                answer["arguments"] = arguments  # changed in place: a test may look at them
            told = plain.encode(answer)
        except BaseException as problem:
            told = plain.encode(_failure("call", problem))
        frames.send(stream, told)


def _timed(text: str, order: dict[str, Any], stream: int) -> None:
    """Calls with pauses around them, in which the clock of this process is read outside: arguments, work and answer are told apart. A call is
    made `repeats` times, each with arguments of its own; a message of nothing is a call of nothing, to see what the pauses cost."""
    function = _loaded(text, order["entry_point"], stream)
    if function is None:
        return
    while (asked := frames.receive(stream)) is not None:
        given = [plain.decode(asked) for _ in range(order["repeats"])] if asked else []
        answer = None
        gc.collect()
        frames.send(stream, READY)
        frames.receive(stream)
        try:
            for arguments in given:
                answer = function(*arguments)
            frames.send(stream, READY)
            frames.receive(stream)
            told = plain.encode({"value": answer})
        except BaseException as problem:
            told = plain.encode(_failure("call", problem))
        frames.send(stream, told)


def _loaded(text: str, entry_point: str, stream: int) -> Callable[..., Value] | None:
    """Run the text; the function it is asked for, or None once what is wrong has been told."""
    module = types.ModuleType("solution")
    sys.modules["solution"] = module  # dataclasses and pickles look their module up
    try:
        exec(compile(text, "<solution>", "exec", dont_inherit=True), module.__dict__)
    except BaseException as problem:
        phase = "syntax" if isinstance(problem, SyntaxError | ValueError) and problem.__traceback__.tb_next is None else "load"  # type: ignore[union-attr]
        _tell(stream, _failure(phase, problem))
        return None
    function = module.__dict__.get(entry_point)
    if not callable(function):
        what = "defines no" if function is None else f"has a {type(function).__name__} in place of the function"
        _tell(stream, {"phase": "missing", "type": "NameError", "text": f"the program {what} {entry_point}"})
        return None
    _tell(stream, {"loaded": True})
    return function  # type: ignore[no-any-return]


def _checks(text: str, order: dict[str, Any], stream: int) -> None:
    """Tests, with a stand-in under the candidate's name. Live tests hold the candidate itself, in one process with it."""
    if order["live"]:
        names: dict[str, Any] = {"__name__": "solution"}
        source = frames.receive(stream) or b""
        exec(compile(source.decode(errors="surrogatepass"), "<solution>", "exec", dont_inherit=True), names)
        candidate = names[order["entry_point"]]
    else:
        candidate = _stand_in(stream)
        names = {"__name__": "tests", order["entry_point"]: candidate}
    exec(compile(text, "<tests>", "exec", dont_inherit=True), names)
    if callable(names.get("check")):
        names["check"](candidate)
    _tell(stream, {"passed": True})


def _stand_in(stream: int) -> Callable[..., Value]:
    def candidate(*arguments: Value) -> Value:
        frames.send(stream, plain.encode({"ask": list(arguments)}))
        answered = frames.receive(stream)
        if answered is None:
            os._exit(0)
        answer = plain.decode(answered)
        if "type" in answer:
            raise _remade(answer["type"], answer["text"])
        for mine, theirs in zip(arguments, answer.get("arguments", ()), strict=False):
            _change(mine, theirs)
        return answer["value"]

    return candidate


def _remade(name: str, text: str) -> BaseException:
    """The candidate's error as one of the same built-in type, so a test that expects it finds it."""
    kind = getattr(__import__("builtins"), name, None)
    # A StopIteration would end a loop of the test as if all had been looked at.
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, StopIteration | StopAsyncIteration):
        try:
            return kind(text)
        except TypeError:  # a UnicodeError, which wants five arguments
            return RuntimeError(f"{name}: {text}")
    return RuntimeError(f"{name}: {text}")


def _change(mine: Value, theirs: Value) -> None:
    """Make an argument what the candidate made of it, in place."""
    if isinstance(mine, list) and isinstance(theirs, list):
        mine[:] = theirs
    elif isinstance(mine, dict | set) and type(mine) is type(theirs):
        mine.clear()
        mine.update(theirs)


def _script(text: str, order: dict[str, Any], stream: int) -> None:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    code = compile(text, "<program>", "exec", dont_inherit=True)
    try:
        exec(code, module.__dict__)
    except SystemExit as ended:
        _flush()
        _tell(stream, {"exit": ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1})
        return
    _flush()
    _tell(stream, {"exit": 0})


def _failure(phase: str, problem: BaseException) -> dict[str, Any]:
    if isinstance(problem, plain.UnspeakableError):
        phase = "unspeakable"
    try:
        text = str(problem)[:TEXT_OF_ERRORS]
    except BaseException as worse:  # a hostile __str__
        text = f"(its message raised {type(worse).__name__})"
    return {"phase": phase, "type": type(problem).__name__[:80], "text": text}


def _tell(stream: int, what: dict[str, Any]) -> None:
    frames.send(stream, plain.encode(what))
