"""Every start leaves a record, whatever ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.run_records import Stopped, recorded
from ray_pipeline.storage import Location

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys, time
from ray_pipeline.run_records import recorded
from ray_pipeline.storage import Location
with recorded(Location.of(sys.argv[1]), "sleep", {"n": 1}) as run:
    run.artifacts.append("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def records(workspace: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the only run left: its start, and its end if it told of one."""
    (folder,) = (Location.of(str(workspace)) / "runs").children()
    ended = folder / "ended.json"
    return (folder / "started.json").read_json(), ended.read_json() if ended.exists() else None


def test_finished(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with recorded(Location.of(str(tmp_path)), "embed", {"a": 1}) as run:
        started, ended = records(tmp_path)
        assert ended is None
        assert (started["job"], started["settings"], started["pid"]) == ("embed", {"a": 1}, os.getpid())
        run.artifacts.append("vectors/1")
    _, ended = records(tmp_path)
    assert ended is not None
    assert (ended["status"], ended["error"], ended["artifacts"]) == ("finished", None, ["vectors/1"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_failed_with_its_error_even_an_unprintable_one(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), recorded(Location.of(str(tmp_path)), "embed", {}):
        raise RuntimeError("no such file: caf\udce9")
    _, ended = records(tmp_path)
    assert ended is not None
    assert (ended["status"], ended["error"]) == ("failed", "RuntimeError: no such file: caf\udce9")


def test_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), recorded(Location.of(str(tmp_path)), "embed", {}):
        raise KeyboardInterrupt
    _, ended = records(tmp_path)
    assert ended is not None and ended["status"] == "stopped"


def test_a_second_sigterm_does_not_break_off_the_record(tmp_path: Path) -> None:
    with pytest.raises(Stopped), recorded(Location.of(str(tmp_path)), "embed", {}):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    _, ended = records(tmp_path)
    assert ended is not None and (ended["status"], ended["error"]) == ("stopped", "Stopped")


def test_outside_the_main_thread_signals_stay_as_they_are(tmp_path: Path) -> None:
    def work() -> None:
        with recorded(Location.of(str(tmp_path)), "embed", {}):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    _, ended = records(tmp_path)
    assert ended is not None and ended["status"] == "finished"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_says_so_and_a_killed_one_cannot(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(how)
        assert process.wait(timeout=30) != 0
    started, ended = records(tmp_path)
    assert started["settings"] == {"n": 1}
    if how == signal.SIGKILL:
        assert ended is None
    else:
        assert ended is not None and (ended["status"], ended["artifacts"]) == ("stopped", ["half"])
