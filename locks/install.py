"""Install pinned layers into a virtual environment, without resolving anything.

    python3 locks/install.py .venv cpu core rollout dev

The one choice left to the machine is torch's build: where pip finds a CPU build it stays that, and where it finds the
CUDA build the CUDA libraries that this build names are installed beside it. A stamp a layer makes a second call cheap.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
CUDA_BUILD = "import importlib.metadata as m, sys; sys.exit(not any(r.startswith(('nvidia', 'cuda')) for r in m.requires('torch') or []))"


def main(folder: str, platform: str, layers: list[str]) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs under whatever `python3` is
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11 ...")
    home = Path(folder)
    python = home / "bin" / "python"
    if not python.exists():
        print(f"making {home}", flush=True)
        venv.create(home, with_pip=True)
    for layer in layers:
        lock = HERE / f"linux-{platform}" / f"{layer}.txt"
        stamp = home / f".layer-{layer}"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            continue
        print(f"installing {lock.parent.name}/{layer} ({len(lock.read_text().splitlines())} packages)", flush=True)
        subprocess.run([str(python), *PIP, "-r", str(lock)], check=True)
        if layer == "core":
            if subprocess.run([str(python), "-c", CUDA_BUILD], check=False).returncode == 0:
                print("this torch is a CUDA build: installing its libraries", flush=True)
                subprocess.run([str(python), *PIP, "-r", str(HERE / "torch-cuda.txt")], check=True)
            subprocess.run([str(python), *PIP, "-e", str(HERE.parent)], check=True)
        stamp.write_text(digest)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
