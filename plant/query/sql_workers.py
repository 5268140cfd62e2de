"""Processes that work on SQL, one question each, so that a question can be bounded and ended whatever it does.

A worker is a fresh interpreter (plant.query.sql_worker), never a fork: of a process with threads and sockets that would
be a gamble. It is ended, by SIGKILL, when its question's time is up or its asker gives up; another is ready by then,
because one more than are under way is always kept. It ends by itself with the process that began it, however that ends:
the kernel sends it a signal once nobody holds the other end of its lifeline.
"""

import atexit
import contextlib
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from plant.errors import QueryError, QueryLimit
from plant.query.limits import MEBIBYTE, Budget
from plant.query.sql_handing import Parcel, Received, receive, send
from plant.rows.shared_memory import shared_memory

MOST_IDLE = 4
"""So many wait for questions at most."""

LOOK_S = 0.05
"""Pause between looks at whether the asker still wants an answer."""


@functools.cache
def workers(memory_mb: int) -> "Workers":
    """Return this process's workers with so much memory each."""
    return Workers(memory_mb)


class Workers:
    """As many workers as there are questions under way, and one more; any thread."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._closed = False
        self._lifeline, self._held = os.pipe()
        atexit.register(self.close)

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            if self._closed:
                return
            self._closed, idle, self._idle = True, self._idle, []
            os.close(self._held)
            os.close(self._lifeline)
        for worker in idle:
            worker.end()

    def ready(self) -> None:
        """See to it that a worker is there before the next question is."""
        with self._lock:
            if not self._idle and not self._closed:
                self._idle.append(self._begun())

    @contextlib.contextmanager
    def taken(self) -> Iterator["Worker"]:
        """Give a worker to one question; it is ended if that fails for any reason but its answer."""
        with self._lock:
            if self._closed:
                raise QueryError("sql: this process is about to end")
            while self._idle and self._idle[-1].ended:
                self._idle.pop().end()  # killed while nobody asked it
            worker = self._idle.pop() if self._idle else self._begun()
        try:
            self.ready()
            yield worker
        except BaseException:
            worker.end()
            raise
        with self._lock:
            if worker.lives and len(self._idle) < MOST_IDLE and not self._closed:
                self._idle.append(worker)
                return
        worker.end()

    def _begun(self) -> "Worker":
        return Worker(self._memory_mb, self._lifeline)


class Worker:
    """One process; one thread at a time."""

    def __init__(self, memory_mb: int, lifeline: int) -> None:
        self.lives = True
        self._memory_mb = memory_mb
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        shared = shared_memory()
        given = [other.fileno(), lifeline, *([] if shared is None else [shared.readable()])]
        command = [sys.executable, "-m", "plant.query.sql_worker", str(memory_mb), *map(str, given)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others take addresses that they do not use: see the limit
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=given)
        finally:
            other.close()
            for number in given[2:]:
                os.close(number)

    def ask(self, budget: Budget, fields: Mapping[str, Any], parcel: Parcel | None = None) -> Received:
        """Send a message and return what comes back; look at the budget meanwhile.

        Raises QueryLimit, Cancelled, and QueryError if the worker ended.
        """
        found: Received | None = None
        with contextlib.suppress(OSError):
            send(self._channel, fields, parcel)
            while not select.select([self._channel], [], [], min(LOOK_S, budget.left_s))[0]:
                budget.check()
            found = receive(self._channel)
        if found is None:
            raise self._ended()
        self.lives = not found[0].get("last")
        return found

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it, whatever it does."""
        self.lives = False
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def _ended(self) -> QueryError:
        """Return the error for a worker that ended without a word."""
        code = self._process.wait()
        if code in (-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV):
            return QueryLimit(
                f"the process that worked on it was stopped ({signal.Signals(-code).name}); a question may use "
                f"{self._memory_mb * MEBIBYTE / 1e9:.3g} GB of memory, ask for less"
            )
        return QueryError(f"sql: the process that worked on it ended with {code}; its log may say why")
