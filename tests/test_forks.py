"""Processes that tests fork: each has its own words, environment, output and end, as one started afresh has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.forks import Forked

TELLS = """
import atexit, os, sys
atexit.register(lambda: print("at exit", flush=True))
if __name__ == "__main__":
    print(sys.argv[1:], os.environ.get("MARK"), os.environ.get("HOME"), "wave" in sys.modules, sys.stdin.read())
    print("aside", file=sys.stderr)
"""


def run(folder: Path, text: str, *words: str, ahead: tuple[str, ...] = (), **environment: str) -> tuple[int, str, str]:
    program = folder / "program.py"
    program.write_text(text)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = Forked(str(program), words, environment, out, err, ahead).wait(60)
        for one in (out, err):
            one.seek(0)
        return code, out.read(), err.read()


def test_what_a_process_is_given_is_its_own_and_the_next_ones_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", "of the session")
    assert run(tmp_path, TELLS, "a", "b c", MARK="x") == (0, "['a', 'b c'] x None False \nat exit\n", "aside\n")
    assert run(tmp_path, TELLS, ahead=("wave",)) == (0, "[] None None True \nat exit\n", "aside\n")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("raise ValueError('planted')", 1, "ValueError: planted"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("import os; os._exit(os.fork() and 3)", 3, ""),
    ],
)
def test_an_end_is_told_as_it_was(text: str, code: int, said: str, tmp_path: Path) -> None:
    found, _, err = run(tmp_path, text)
    assert found == code
    assert said in err


def test_one_that_runs_is_waited_for_signalled_and_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\nprint('ready', flush=True)\ntime.sleep(60)")
    with (tmp_path / "said").open("w") as said:
        asked, killed = (Forked(str(program), [], {}, said, said) for _ in range(2))
    while (tmp_path / "said").read_text().count("ready") < 2:
        time.sleep(0.005)
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(0.01)
    assert asked.poll() is None and asked.pid != killed.pid != os.getpid()
    asked.send_signal(signal.SIGTERM)
    assert asked.wait(60) == 5
    killed.kill()
    assert killed.wait(60) == -signal.SIGKILL
    assert (killed.poll(), killed.returncode) == (-signal.SIGKILL, -signal.SIGKILL)
    killed.kill()  # the process is gone, and its number may be another's


def test_a_module_that_was_imported_ahead_runs_as_main(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as log:
        assert Forked("jobs.__main__", [], {}, log, log, ["jobs.__main__"]).wait(60) == 0
    with said.open() as log:
        listing = log.read()
    expected = subprocess.run([sys.executable, "-m", "jobs"], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert listing == expected.stdout and expected.stderr == ""


def test_nothing_is_left_when_the_session_ends(tmp_path: Path) -> None:
    """The process that forks, and its folder."""
    text = "from tests.forks import Forked; from sys import stdout\nprint(Forked('jobs.__main__', [], {}, stdout, stdout).wait(60))"
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": root}
    ran = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.endswith("0\n")  # and so its stdout is closed: run() waits for all that hold it
    assert list(tmp_path.iterdir()) == []
