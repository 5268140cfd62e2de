"""Processes forked from one that has imported the plant already: alive within 20 ms instead of most of a second.

So a process that is killed every 200 ms is hit at its work, not while Python still imports. Run as a program this is
the process they are forked from: it reads orders, one JSON array [module, arguments, environment, log file] a line, and
prints the pids.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path

MODULES = (
    "tickerplant.__main__",
    "rdb.__main__",
    "processor.__main__",
    "hdb.__main__",
    "trading.__main__",
    "kept_broker",
    "numbered_feed",
)


class Forked:
    """A forked process, with what subprocess.Popen has of methods; its exit code is not known, only that it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)  # tells the end, and never means another process that got the same number

    def poll(self) -> int | None:
        """Return None while the process lives, else 1."""
        return 1 if select.select([self._pidfd], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        if not select.select([self._pidfd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return 1

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
        self._parent = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._parent.stdout is not None
        assert self._parent.stdout.readline() == "ready\n"

    def start(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> Forked:
        """Run `module.main()` in a process of its own, with these arguments, its output appended to `log`."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps([module, arguments, environment, str(log)]) + "\n")
        self._parent.stdin.flush()
        return Forked(int(self._parent.stdout.readline()))

    def close(self) -> None:
        """End the process that forks."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(timeout=10)
        self._parent.stdout.close()


def _serve() -> None:
    for name in MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps what ended
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_become(*json.loads(line)))
        print(pid, flush=True)


def _become(module: str, arguments: list[str], environment: dict[str, str], log: str) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, output), (2, output)):
        os.dup2(source, target)
    sys.argv = [module, *arguments]
    os.environ.update(environment)
    try:
        importlib.import_module(module).main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve()
