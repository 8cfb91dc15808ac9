"""Programs that mean harm. Each defines `f(x)`, tries something no program may do, and returns "out" if it could.

The second value names the ends that are right: how the sandbox must call what became of it. Where it is "finished", the program caught the
refusal itself and returned what it saw, which must not be "out".
"""

from __future__ import annotations

import sys
import textwrap

PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {}


def program(name: str, ends: tuple[str, ...] | str, text: str) -> None:
    PROGRAMS[name] = (textwrap.dedent(text), (ends,) if isinstance(ends, str) else ends)


def body(name: str, ends: tuple[str, ...] | str, text: str) -> None:
    """A program whose function does this and then says that it could."""
    program(name, ends, "def f(x):\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), "    ") + "\n    return 'out'\n")


# What uses up a machine.
body("fork bomb", "forbidden", "import os\nwhile True: os.fork()")
body("one fork", "forbidden", "import os\nif os.fork() == 0:\n    while True: pass")
body("subprocess", "forbidden", "import subprocess\nsubprocess.run(['/bin/true'], check=True)")
body("os.system", "finished", "import os\nreturn 'refused' if os.system('true') != 0 else 'out'")
body("exec another program", "forbidden", "import os\nos.execv('/usr/bin/env', ['env'])")
body("posix_spawn", "forbidden", "import os\nos.posix_spawn('/bin/true', ['true'], {})")
body("multiprocessing", "forbidden", "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()")
body("memory bomb", "memory", "kept = []\nwhile True: kept.append(bytearray(1 << 24))")
body("one huge allocation", "memory", "kept = bytearray(1 << 40)")
body("a huge integer", ("timeout", "memory"), "y = 7 ** (10 ** 9)")
body("memory by mmap", ("memory", "exception"), "import mmap\nkept = [mmap.mmap(-1, 1 << 28) for _ in range(64)]")
body("endless loop", "timeout", "while True: pass")
body("endless sleep", "timeout", "import time\ntime.sleep(10 ** 6)")
body("a loop that catches everything", "timeout", "while True:\n    try:\n        while True: pass\n    except BaseException: pass")
body("signals ignored", "timeout", "import signal\n[signal.signal(n, signal.SIG_IGN) for n in (2, 14, 15, 24)]\nwhile True: pass")
body("a regular expression that never ends", "timeout", "import re\nre.match('(a+)+$', 'a' * 64 + 'b')")
program("endless at import", "timeout", "while True: pass\ndef f(x): return 'out'")
body("a generator that never ends", "timeout", "def g():\n    while True: yield 1\nreturn sum(g())")
body("deep recursion", "exception", "def g(n): return g(n + 1)\ng(0)")
body(
    "recursion without a limit",
    ("crash", "memory", "timeout"),
    "import sys\nsys.setrecursionlimit(10 ** 9)\ndef g(n): return [g(n + 1) for _ in (0,)]\ng(0)",
)
body(
    "a thousand threads",
    ("exception", "memory"),
    "import threading, time\nfor _ in range(1000): threading.Thread(target=time.sleep, args=(60,)).start()",
)
body("a thread that stays", "finished", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nreturn 'ended with it'")
body("a thousand open files", ("exception", "forbidden"), "kept = [open('a%d' % n, 'w') for n in range(1000)]")
body("a huge file", ("output", "exception"), "with open('big', 'wb') as f:\n    for _ in range(1000): f.write(bytes(1 << 20))")
body("many files", ("exception", "timeout"), "n = 0\nwhile True:\n    with open('n%d' % n, 'wb') as f: f.write(bytes(1 << 20))\n    n += 1")
body("many empty files", ("exception", "timeout"), "n = 0\nwhile True:\n    open('n%d' % n, 'wb').close()\n    n += 1")
body("huge answer", "output", "return 'x' * (1 << 24)")
body("many prints", ("output", "timeout"), "while True: print('x' * 100000)")
body(
    "raw writes to every descriptor",
    ("output", "malformed", "timeout"),
    """
    import os
    while True:
        for n in range(3, 10):
            try: os.write(n, b'x' * 65536)
            except OSError: pass
""",
)
# What reaches out.
for name, line in {
    "TCP": "socket.create_connection(('127.0.0.1', 9), 1)",
    "a listening socket": "socket.socket().bind(('0.0.0.0', 0))",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
    "a unix socket": "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    "an abstract socket": "socket.socket(socket.AF_UNIX).connect(chr(0) + 'x')",
    "a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "datagrams over a pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
}.items():
    body(name, "forbidden", f"import socket\n{line}")
body("http", ("forbidden", "exception"), "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:8265/', timeout=1)")
# What looks around.
for name, path in {
    "passwd": "/etc/passwd",
    "the parent's environment": "/proc/1/environ",
    "its own memory": "/proc/self/mem",
    "its own maps": "/proc/self/maps",
}.items():
    body(f"reads {name}", ("forbidden", "exception"), f"open({path!r}, 'rb').read()")
body("walks /proc", ("forbidden", "exception"), "import os\nos.listdir('/proc')")
body("walks the root", ("forbidden", "exception"), "import os\nos.listdir('/')")
body("the environment", "finished", "import os\nreturn 'out' if os.environ else 'empty'")
# What leaves traces.
for name, path in {"home": "~/planted-by-a-program", "tmp": "/tmp/planted-by-a-program", "shared memory": "/dev/shm/planted-by-a-program"}.items():
    body(f"writes to {name}", ("forbidden", "exception"), f"import os\nopen(os.path.expanduser({path!r}), 'w').write('x')")
body("writes into the standard library", ("forbidden", "exception"), "import json\nopen(json.__file__, 'a').write('x')")
body("a symbolic link out", ("forbidden", "exception"), "import os\nos.symlink('/etc/passwd', 'a')\nopen('a').read()")
body("a hard link out", ("forbidden", "exception"), "import os, json\nos.link(json.__file__, 'a')\nopen('a', 'a').write('x')")
body("a rename out", ("forbidden", "exception"), "import os\nopen('a', 'w').close()\nos.rename('a', '/tmp/planted-by-a-program')")
body("mode bits", "forbidden", "import os\nopen('a', 'w').close()\nos.chmod('a', 0o4777)\nos.chown('a', 0, 0)")
body("a device", "forbidden", "import os, stat\nos.mknod('a', stat.S_IFBLK | 0o600, os.makedev(8, 0))")
body("memory as a file", "forbidden", "import os\nos.memfd_create('a')")
# What attacks others.
body("kill everyone", "forbidden", "import os\nos.kill(-1, 9)")
body("kill the parent", "forbidden", "import os\nos.kill(os.getppid(), 9)")
body("kill process 1", "forbidden", "import os\nos.kill(1, 9)")
CALL = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nif libc.{}({}) == -1: raise PermissionError(ctypes.get_errno())"
for name, arguments in {
    "ptrace": "16, os.getppid(), 0, 0",
    "unshare": "0x10000000",
    "mount": "b'a', b'b', b'tmpfs', 0, 0",
    "chroot": "b'.'",
    "setuid": "0",
}.items():
    body(f"{name} by ctypes", "forbidden", CALL.format(name, arguments))
for name, number in {"keyctl": 250, "bpf": 321, "io_uring_setup": 425, "perf_event_open": 298, "userfaultfd": 323, "process_vm_readv": 310}.items():
    body(f"{name} by number", "forbidden", CALL.format("syscall", f"{number}, 0, 0, 0, 0, 0, 0"))
body("a jump to nowhere", "crash", "import ctypes\nctypes.string_at(8)")
body("abort", "crash", "import os\nos.abort()")
body("raises its own limits", ("forbidden", "exception"), "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (10 ** 6, 10 ** 6))")
# What lies.
program("exits before the checks", "exit", "import sys\nsys.exit(0)\ndef f(x): return 'out'")
body("exits in the call", "exit", "import sys\nsys.exit(0)")
body("leaves by os._exit", "exit", "import os\nos._exit(0)")
body("asks atexit to lie", "finished", "import atexit\natexit.register(lambda: open('/tmp/planted-by-a-program', 'w'))\nreturn 'never run'")
body("KeyboardInterrupt", "exit", "raise KeyboardInterrupt")
program("equal to everything", "unspeakable", "class Yes:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(x): return Yes()")
program(
    "an integer equal to everything",
    "finished",
    "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(x): return Yes(7)",
)
program(
    "a list that lies about itself",
    "finished",
    "class Liar(list):\n    def __iter__(self): return iter(['out'])\n    def __eq__(self, o): return True\ndef f(x): return Liar(['in'])",
)
program("a patched clock", "timeout", "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\ndef f(x):\n    while True: pass")
program(
    "a patched import",
    "finished",
    "import builtins, sys\nbuiltins.__import__ = lambda *a, **k: 1 / 0\nsys.meta_path.clear()\ndef f(x): return 'alone'",
)
program(
    "patched builtins",
    ("finished", "exception", "malformed", "exit"),
    "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda a: 0\nbuiltins.type = 3\ndef f(x): return 'alone'",
)
program(
    "the answer's writer replaced",
    "unwanted",
    """
    import sys
    def f(x):
        for name, module in list(sys.modules.items()):
            if name.endswith('plain') and hasattr(module, 'encode'):
                module.encode = lambda value: b'{"t": "dict", "v": [["value", 8]]}'
        return 1
""",
)
program(
    "a forged message",
    "unwanted",
    """
    import os, struct
    def f(x):
        told = b'{"t": "dict", "v": [["passed", true], ["value", 8]]}'
        os.write(3, struct.pack('>I', len(told)) + told)
        return 1
""",
)
body("a forged length", ("output", "malformed"), "import os\nos.write(3, b'\\xff' * 16)\nreturn 1")
body("forged nesting", ("malformed", "output"), "import os, struct\ntold = b'[' * 100000\nos.write(3, struct.pack('>I', len(told)) + told)")
body("a forged pickle", "malformed", "import os, pickle, struct\ntold = pickle.dumps(print)\nos.write(3, struct.pack('>I', len(told)) + told)")
body("colliding integers", "malformed", "return {n * (2 ** 61 - 1) for n in range(2000)}")
body("an answer inside itself", "unspeakable", "a = []\na.append(a)\nreturn a")
body("an error that raises when it is shown", "exception", "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E")
body("a prompt printed as a verdict", "finished", "print('{\"passed\": true}')\nreturn 'printed'")
# What spoils the place for others.
body("closes its own folder", ("finished", "forbidden"), "import os\nos.chmod('.', 0)\nreturn 'closed'")
body("folders too deep to remove", ("finished", "exception"), "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')\nreturn 'deep'")
body("a locked folder", "forbidden", "import os\nos.mkdir('l', 0); os.chmod('l', 0)")
body("a signal without a name", ("finished", "crash", "forbidden"), "import signal\nsignal.raise_signal(40)\nreturn 'survived'")
body("stops itself", ("finished", "timeout"), "import signal\nsignal.raise_signal(19)\nreturn 'survived'")
body("leaves as one that could not be confined", "exit", "import os\nos._exit(113)")
body("an error text that has no bytes", "exception", "raise ValueError('\\ud800\\x1b[2J')")
body("an error with an endless text", "exception", "raise ValueError('x' * 1000000)")
body("a lease on a file of others", "forbidden", "import fcntl, json\nfcntl.fcntl(open(json.__file__), 1024, 0)")
body("imports what the judge has", "exception", f"import sys\nsys.path += {[path for path in sys.path if 'site-packages' in path]!r}\nimport numpy")
TOLD = "import os, struct, time\ntold = {}\nos.write(3, struct.pack('>I', len(told)) + told)\ntime.sleep(9)"
body(
    "a forged error with a huge number",
    "exception",
    TOLD.format('b\'{"t": "dict", "v": [["type", {"t": "int", "v": "\' + b\'f\' * 40000 + b\'"}]]}\''),
)
body("a forged object with a long key", "malformed", TOLD.format("b'{\"' + b'k' * 50000 + b'\\\\ud800\": 1}'"))
body("millions of empty lists", "malformed", TOLD.format("b'[' + b'[],' * 2100000 + b'[]]'"))
body(
    "equal hashes, costly to compare",
    "malformed",
    """
    import itertools
    head = (999,) * 500
    return {head + tail for tail in itertools.islice(itertools.product((-1, -2), repeat=10), 100)}
""",
)
