"""Processes forked from one that has imported the plant already: alive within 20 ms instead of most of a second.

So a process that is killed every 200 ms is hit at its work, not while Python still imports, and a test that starts six
processes does not pay for six imports. Run as a program this is the process they are forked from: it reads orders, one
JSON array a line, ["start", module, arguments, environment, folder, log file] or ["wait", pid], and prints the pid or
the exit code.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any

MODULES = (
    "tickerplant.__main__",
    "rdb.__main__",
    "processor.__main__",
    "hdb.__main__",
    "trading.__main__",
    "feedhandler.__main__",
    "monitor.__main__",
    "mirror.__main__",
    "archive.__main__",
    "kept_broker",
    "numbered_feed",
)


class Forked:
    """A forked process, with what subprocess.Popen has of methods; it stays a zombie until it is waited for."""

    def __init__(self, pid: int, forker: "Forker") -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forker = forker
        self._asking = threading.Lock()  # the code is told once, and tests wait in several threads
        self._pidfd = os.pidfd_open(pid)  # tells the end, and never means another process that got the same number

    def poll(self) -> int | None:
        """Return None while the process lives, else its exit code, or -N if signal N ended it."""
        with self._asking:
            if self.returncode is None and select.select([self._pidfd], [], [], 0)[0]:
                self.returncode = int(self._forker.ask("wait", self.pid))
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return what `poll` returns; raises subprocess.TimeoutExpired."""
        if self.returncode is None and not select.select([self._pidfd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens if the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL it."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of the process, which may go on."""
        os.close(self._pidfd)


class Forker:
    """Forks processes from one that has imported MODULES; `close` ends that one, not the forked."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._parent = subprocess.Popen(
            [sys.executable, "-u", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._parent.stdout is not None
        assert self._parent.stdout.readline() == "ready\n"

    def start(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> Forked:
        """Run `module.main()` in a process of its own, with these arguments, its output appended to `log`."""
        told = {"OPENBLAS_NUM_THREADS": "1", **environment}
        return Forked(int(self.ask("start", module, arguments, told, str(Path.cwd()), str(log))), self)

    def ask(self, *order: Any) -> str:
        """Return the answer to one order."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with self._turn:
            code = self._parent.poll()
            assert code is None, f"what forks has ended with {code}: its stderr says why"
            self._parent.stdin.write(json.dumps(order) + "\n")
            self._parent.stdin.flush()
            return self._parent.stdout.readline()

    def close(self) -> None:
        """End the process that forks."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(timeout=10)
        self._parent.stdout.close()


@cache
def shared() -> Forker:
    """Return the one of this process of tests, which ends with it."""
    return Forker()


def _serve() -> None:
    for name in MODULES:
        importlib.import_module(name)
    print("ready", flush=True)
    alive = set[int]()
    for line in sys.stdin:
        order, *rest = json.loads(line)
        if order == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1]), flush=True)
            alive.discard(rest[0])
            continue
        pid = os.fork()
        if pid == 0:
            os._exit(_become(*rest))
        alive.add(pid)
        print(pid, flush=True)
    for pid in alive:  # the tests are over, or were killed
        os.kill(pid, signal.SIGKILL)


def _become(module: str, arguments: list[str], environment: dict[str, str], folder: str, log: str) -> int:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, output), (2, output)):
        os.dup2(source, target)
    os.chdir(folder)
    sys.argv = [module, *arguments]
    os.environ.clear()
    os.environ.update(environment)
    try:
        importlib.import_module(module).main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve()
