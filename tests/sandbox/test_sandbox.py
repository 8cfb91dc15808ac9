"""What a sandbox answers: calls, tests that are programs, scripts; and what it is held by."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_pipeline.errors import SandboxError
from ray_pipeline.sandbox.held import Held
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import LimitSettings, SandboxSettings

LIMITS = LimitSettings(wall=3, cpu=3, memory_mb=256, output_mb=4, file_mb=4)
ROOT = Path(__file__).parents[2]
DOUBLE = "def double(x): return 2 * x"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(limits=LIMITS)) as found:
        yield found


def test_calls_are_answered_in_order(sandbox: Sandbox) -> None:
    found = sandbox.call(DOUBLE, "double", [(1,), ([2, "a"],), ((3.5,),)])
    assert (found.ended, found.answers) == ("finished", (2, [2, "a", 2, "a"], (3.5, 3.5)))
    assert found.cpu > 0 and found.seconds > 0 and found.held == sandbox.held


def test_a_call_sees_its_own_arguments_and_no_other(sandbox: Sandbox) -> None:
    text = "kept = []\ndef f(x):\n    kept.append(x); x.append(0)\n    return [list(one) for one in kept]"
    assert sandbox.call(text, "f", [([1],), ([1],)]).answers == ([[1, 0]], [[1, 0], [1, 0]])


def test_large_arguments_and_answers_pass(sandbox: Sandbox) -> None:
    numbers = list(range(100_000))
    assert sandbox.call("def f(x): return x[::-1]", "f", [(numbers,), (numbers,)]).answers == (numbers[::-1], numbers[::-1])


def test_a_refused_answer_ends_the_program(sandbox: Sandbox) -> None:
    text = "import time\ndef f(x):\n    time.sleep(60 * (x == 2))\n    return x"
    found = sandbox.call(text, "f", [(0,), (1,), (2,)], accept=lambda place, answer: answer == 0)
    assert (found.ended, found.answers) == ("unwanted", (0, 1))
    assert found.seconds < 2


@pytest.mark.parametrize(
    ("text", "ended", "said"),
    [
        ("def f(x) return x", "syntax", "SyntaxError"),
        ("def f(x):\n\treturn x\n        pass", "syntax", ""),
        ("\0", "syntax", ""),
        ("x = 1", "missing", "defines no f"),
        ("f = 3", "missing", "int in place of the function f"),
        ("def f(): return 1", "exception", "TypeError: f() takes 0 positional arguments but 1 was given"),
        ("def f(x): assert x == 2, 'not two'", "assertion", "not two"),
        ("def f(x): return (one for one in [x])", "unspeakable", "generator"),
        ("raise ValueError('at import')\ndef f(x): return x", "exception", "at import"),
        ("import numpy\ndef f(x): return x", "exception", "No module named 'numpy'"),
        ("def f(x): return {'ä': '\\U0001f600', 'n': float('nan')}['ä']", "finished", ""),
        ("class A: pass\ndef f(x): return A()", "unspeakable", "a value of type A"),
    ],
)  # fmt: skip
def test_every_end_has_its_name(sandbox: Sandbox, text: str, ended: str, said: str) -> None:
    found = sandbox.call(text, "f", [(1,)])
    assert found.ended == ended
    assert said in found.detail


def test_tests_are_programs_that_see_a_stand_in(sandbox: Sandbox) -> None:
    right = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate([1]) == [1, 1]\n"
    assert sandbox.check(DOUBLE, "double", right).ended == "finished"
    assert sandbox.check(DOUBLE, "double", "assert double(2) == 4").ended == "finished"
    wrong = sandbox.check(DOUBLE, "double", "def check(candidate):\n    assert candidate(2) == 5, 'two twice'")
    assert (wrong.ended, wrong.detail) == ("assertion", "AssertionError: two twice")


def test_a_test_can_expect_an_error_and_a_change_in_place(sandbox: Sandbox) -> None:
    text = "def f(x):\n    x.sort()\n    if not x: raise KeyError('empty')"
    tests = (
        "def check(f):\n    a = [3, 1]\n    f(a)\n    assert a == [1, 3]\n"
        "    try: f([])\n    except KeyError as e: assert 'empty' in str(e)\n    else: assert False"
    )
    assert sandbox.check(text, "f", tests).ended == "finished"


def test_tests_are_never_in_the_reach_of_the_program(sandbox: Sandbox) -> None:
    """The program looks through all it can: frames, every object of the interpreter, its folder."""
    secret = "right" + "-answer"
    text = (
        "import gc, os, sys\ndef f(x):\n    secret = '-'.join(['right', 'answer'])\n"
        "    texts = [repr(one) for one in gc.get_objects()] + os.listdir('.')\n    frame = sys._getframe().f_back\n"
        "    while frame:\n        texts.append(repr(frame.f_locals))\n        frame = frame.f_back\n"
        "    return secret if any(secret in text for text in texts) else 'not found'"
    )
    assert sandbox.check(text, "f", f"def check(f):\n    assert f(1) == {secret!r}").ended == "assertion"
    assert sandbox.check(text, "f", f"def check(f):\n    assert f(1) == {secret!r}", live=True).ended == "finished"  # a lower level of trust, and why


def test_a_forged_verdict_counts_nothing_unless_tests_are_live(sandbox: Sandbox) -> None:
    text = (
        'import os, struct\ndef f(x):\n    told = b\'{"t": "dict", "v": [["passed", true]]}\'\n'
        "    os.write(3, struct.pack('>I', len(told)) + told)\n    os._exit(0)"
    )
    tests = "def check(f):\n    assert f(1) == 'never'"
    assert sandbox.check(text, "f", tests).ended != "finished"
    assert sandbox.check(text, "f", tests, live=True).ended == "finished"


def test_a_program_that_falls_silent_under_tests_is_named(sandbox: Sandbox) -> None:
    assert sandbox.check("def f(x):\n    while True: pass", "f", "def check(f): f(1)", wall=1.0).ended == "timeout"
    assert sandbox.check("import os\ndef f(x): os._exit(0)", "f", "def check(f): f(1)").ended == "exit"
    assert sandbox.check("def f(x): return 1", "f", "while True: pass", wall=1.0).ended == "timeout"


def test_scripts_print(sandbox: Sandbox) -> None:
    found = sandbox.run("import sys\nprint('ä')\nif __name__ == '__main__': sys.exit(3)")
    assert (found.ended, found.printed.decode(), found.exit_code) == ("finished", "ä\n", 3)
    assert sandbox.run("1 / 0").ended == "exception"
    assert sandbox.run("while True: print('x' * 10000)").ended == "output"


def test_a_folder_of_packages_that_is_not_there_is_named() -> None:
    with pytest.raises(SandboxError, match=r"sandbox\.packages: /nowhere: no such folder"):
        Sandbox(SandboxSettings(packages=("/nowhere",)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives programs another user")
def test_folders_of_packages_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("ANSWER = 42")
    with pytest.raises(SandboxError, match=r"sandbox\.packages: .*: other users may not read it"):
        Sandbox(SandboxSettings(limits=LIMITS, packages=(str(tmp_path),)))
    tmp_path.chmod(0o755)
    with Sandbox(SandboxSettings(limits=LIMITS, packages=(str(tmp_path),))) as sandbox:
        assert sandbox.call("import extra\ndef f(): return extra.ANSWER", "f", [()]).answers == (42,)
        assert sandbox.call("import sys\ndef f(): return 'extra' in sys.modules", "f", [()]).answers == (False,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives programs another user")
def test_modules_of_such_folders_are_loaded_once_where_that_is_asked_for(tmp_path: Path) -> None:
    """Programs find the module loaded, each its own copy of it."""
    (tmp_path / "extra.py").write_text("ANSWERS = [42]")
    tmp_path.chmod(0o755)
    settings = SandboxSettings(limits=LIMITS, packages=(str(tmp_path),), imports=("extra",))
    with Sandbox(settings) as sandbox:
        changes = "import sys\ndef f(): sys.modules['extra'].ANSWERS.append(1); return sys.modules['extra'].ANSWERS"
        assert [sandbox.call(changes, "f", [()]).answers for _ in range(2)] == [([42, 1],), ([42, 1],)]
    with pytest.raises(SandboxError, match="No module named 'another'"):
        Sandbox(settings.model_copy(update={"imports": ("another",)}))


@pytest.mark.parametrize("jail", ["root", "user", "bubblewrap", "none"])
def test_each_way_of_holding(jail: str) -> None:
    """The same programs, held by each way that this machine has; the network, files and processes are out of reach in all of them."""
    try:
        sandbox = Sandbox(SandboxSettings(jail=jail, limits=LIMITS, minimum="limited"))
    except SandboxError as problem:
        pytest.skip(f"this machine has no such way: {problem}")
    with sandbox:
        assert sandbox.call(DOUBLE, "double", [(2,)]).answers == (4,)
        assert sandbox.call("import socket\ndef f(): socket.socket()", "f", [()]).ended == "forbidden"
        assert sandbox.call("def f(): open('/etc/passwd')", "f", [()]).ended in ("forbidden", "exception")
        assert sandbox.call("import os\ndef f(): os.kill(-1, 9)", "f", [()]).ended == "forbidden"
        assert sandbox.call("import os\ndef f(): open('a', 'w').write('x'); return os.listdir('.')", "f", [()]).answers == (["a"],)
        assert sandbox.call("import os\ndef f(): return os.listdir('.')", "f", [()]).answers == ([],)
        assert sandbox.call("def f():\n    while True: pass", "f", [()], wall=0.5).ended == "timeout"


def test_the_level_is_recorded_and_a_minimum_refuses() -> None:
    with Sandbox(SandboxSettings(jail="none", limits=LIMITS)) as sandbox:
        assert sandbox.held.level == "filtered"
    with pytest.raises(SandboxError, match=r"sandbox\.minimum=isolated cannot be reached.*\n- none: holds programs by no more than filtered"):
        Sandbox(SandboxSettings(jail="none", minimum="isolated"))
    assert Held("none", False, False, 0, True).level == "limited"
    assert Held("user", True, False, 7, False).level == "limited"
    assert Held("user", True, False, 7, True).level == "isolated"


def test_a_killed_jail_is_started_anew() -> None:
    with Sandbox(SandboxSettings(limits=LIMITS)) as sandbox:
        sandbox.call(DOUBLE, "double", [(2,)])
        process = sandbox._nurseries["candidate"]._process
        process.kill()
        process.wait()
        with pytest.raises(SandboxError):
            sandbox.call(DOUBLE, "double", [(2,)])
        assert sandbox.call(DOUBLE, "double", [(2,)]).answers == (4,)


HOLDER = """
import sys, time
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings
with Sandbox(SandboxSettings(jail=sys.argv[1], minimum="limited")) as sandbox:
    print("ready", flush=True)
    sandbox.call("import time\\ndef f(): time.sleep(300)", "f", [()], wall=300)
"""


@pytest.mark.parametrize("jail", ["auto", "none"])
def test_nothing_outlives_a_holder_that_is_killed(jail: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, jail], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout is not None and holder.stdout.readline() == b"ready\n"
    time.sleep(0.5)
    below = _below(holder.pid)
    assert len(below) >= 2  # a nursery and a program
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    until = time.monotonic() + 10
    while (left := [pid for pid in below if _alive(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def _below(pid: int) -> list[int]:
    children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    return [*children, *(lower for child in children for lower in _below(child))]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_programs_that_end_before_they_are_asked_are_named_under_tests(sandbox: Sandbox) -> None:
    assert sandbox.check("def f(x) return", "f", "f(1)").ended == "syntax"
    assert sandbox.check("x = 1", "f", "f(1)").ended == "missing"


def test_an_error_of_the_program_does_not_end_a_loop_of_the_test(sandbox: Sandbox) -> None:
    """A StopIteration that went through `all(map(...))` would look as if every answer had been right."""
    found = sandbox.check("def f(x): raise StopIteration", "f", "def check(f): assert all(map(lambda x: f(x) == 1, [1, 2]))")
    assert found.ended == "exception" and "StopIteration" in found.detail


def test_answers_that_cannot_be_passed_on_end_the_check_at_once(sandbox: Sandbox) -> None:
    sent = "    os.write(3, struct.pack('>I', len(told)) + told)\n    import time; time.sleep(9)"
    for told in ("b'[' * 495 + b']' * 495", "b'[' * 9"):
        text = f'import os, struct\ndef f(x):\n    told = b\'{{"t": "dict", "v": [["value", \' + {told} + b\']]}}\'\n{sent}'
        found = sandbox.check(text, "f", "def check(f): assert f(1) == 1")
        assert found.ended in ("malformed", "assertion") and found.seconds < 2


def test_a_script_that_tells_its_end_and_goes_on_is_late(sandbox: Sandbox) -> None:
    told = 'b\'{"t": "dict", "v": [["exit", "zero"]]}\''
    found = sandbox.run(f"import os, struct\ntold = {told}\nos.write(3, struct.pack('>I', len(told)) + told)\nwhile True: pass", wall=1.0)
    assert (found.ended, found.exit_code) == ("timeout", None)


def test_an_interruption_leaves_nothing_to_the_next_program(sandbox: Sandbox) -> None:
    """A report that nobody heard would be taken for the next program's."""

    class Interrupted(Exception):
        pass

    def interrupted(place: int, answer: object) -> bool:
        raise Interrupted

    for _ in range(3):
        with pytest.raises(Interrupted):
            sandbox.call("import os\ndef f(): return 1", "f", [(), ()], accept=interrupted)
        found = sandbox.call("import os\ndef f(): os._exit(41)", "f", [()])
        assert (found.ended, found.detail) == ("exit", "ended itself with 41 before it was done")


def test_live_programs_of_any_length(sandbox: Sandbox) -> None:
    text = "def f(x): return x\n" + "# a long program\n" * 10_000
    assert sandbox.check(text, "f", "assert f(1) == 1", live=True).ended == "finished"


def test_sandboxes_do_not_share_their_limits() -> None:
    many = (
        "import threading, time\ndef f(n):\n    for _ in range(n): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n    return n"
    )
    limits = LimitSettings(wall=5, threads=8)
    with Sandbox(SandboxSettings(limits=limits)) as one, Sandbox(SandboxSettings(limits=limits)) as other:

        def meanwhile(place: int, answer: object) -> bool:
            return other.call(many, "f", [(6,)]).answers == (6,)

        assert one.call(many, "f", [(6,)], accept=meanwhile).ended == "finished"
