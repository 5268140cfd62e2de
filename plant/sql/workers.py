"""Processes that work on SQL, one question each, so that a question can be bounded and ended whatever it does.

A worker is forked by a fresh interpreter (plant.sql.worker), never by this process: of one with threads and sockets
that would be a gamble. It is ended, by SIGKILL, when its question's time is up or its asker gives up, and the next one
is there in milliseconds. All of them end with the process they work for, however that ends: the interpreter when nobody
holds the other end of its socket, the workers with it, by the kernel.
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
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import msgpack

from plant.errors import QueryError, QueryLimit
from plant.query.limits import MEBIBYTE, Budget
from plant.shared_memory import shared_memory
from plant.sql.handing import Parcel, Received, receive, send

MOST_IDLE = 4
"""So many wait for questions at most."""

LOOK_S = 0.05
"""Pause between looks at whether the asker still wants an answer."""

_AGAIN = 3
"""Times that a worker is asked for: the process that forks them may have been ended."""


def begin_in(seconds: float) -> None:
    """Begin what a first question would wait for, a while from now: a process that starts has other work."""
    later = threading.Timer(seconds, _forker(os.getpid()).begin)
    later.daemon = True
    later.start()


@functools.lru_cache(1)
def _forker(owner: int) -> "Forker":
    """Return that of a process; a fork has one of its own."""
    return Forker(owner)


class Forker:
    """The process that forks workers; begun when the first one is needed, and anew if it was ended. Any thread."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        atexit.register(self.end)

    def begin(self) -> None:
        """See to it that it is there, so that the next to ask need not wait for it."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self._process = _begun(other)

    def fork(self, channel: socket.socket, memory_mb: int, folder: str | None) -> None:
        """Have a worker forked that is asked over a channel."""
        self.begin()
        with self._lock:
            try:
                if self._control is not None:
                    socket.send_fds(self._control, [msgpack.packb([memory_mb, folder])], [channel.fileno()])
            except OSError:  # it was ended; the channel tells
                self._end()

    def end(self) -> None:
        """End it, and with it all workers."""
        if os.getpid() == self._owner:
            with self._lock:
                self._end()

    def _end(self) -> None:
        if self._process is not None and self._control is not None:
            self._process.kill()
            self._process.wait()
            self._control.close()
        self._process = self._control = None


def _begun(control: socket.socket) -> "subprocess.Popen[bytes]":
    shared = shared_memory()
    given = [control.fileno(), *([] if shared is None else [shared.readable()])]
    command = [sys.executable, "-m", "plant.sql.worker", *map(str, given)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONSAFEPATH": "1",  # not what a folder called plant has where this process was started
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # others take addresses that they do not use: see the limit
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # no thread at all: it forks
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=given)
    finally:
        control.close()
        for number in given[1:]:
            os.close(number)


class Workers:
    """As many workers as there are questions under way, and some that wait for the next; any thread.

    `folder`: its files may be read.
    """

    def __init__(self, memory_mb: int, folder: str | None) -> None:
        self._memory_mb, self._folder = memory_mb, folder
        self._begin()

    def _begin(self) -> None:
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._idle: list[Worker] = []
        weakref.finalize(self, _end, self._idle, self._owner)

    @contextlib.contextmanager
    def taken(self, budget: Budget) -> Iterator["Worker"]:
        """Give a worker to one question; it is ended if that fails for any reason but its answer.

        Raises QueryLimit or Cancelled if the budget does before there is one.
        """
        worker = self._next(budget)
        try:
            yield worker
        except BaseException:
            worker.end()
            raise
        with self._lock:
            if worker.lives and len(self._idle) < MOST_IDLE:
                self._idle.append(worker)
                return
        worker.end()

    def _next(self, budget: Budget) -> "Worker":
        if os.getpid() != self._owner:  # a fork: those that wait are its parent's
            self._begin()
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if not worker.ended:
                    return worker
                worker.end()  # killed while nobody asked it
        for _ in range(_AGAIN):
            channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            _forker(os.getpid()).fork(other, self._memory_mb, self._folder)
            other.close()
            try:
                _wait(channel, budget)
                _, numbers, _, _ = socket.recv_fds(channel, 64, 1)
            except BaseException:
                channel.close()  # which ends the worker
                raise
            if numbers:
                return Worker(channel, numbers[0], self._memory_mb)
            channel.close()
        raise QueryError("sql: no process works on SQL here; the log may say why")


def _end(idle: list["Worker"], owner: int) -> None:
    """End the workers that wait for an engine that is gone."""
    if os.getpid() == owner:
        for worker in idle:
            worker.end()


def _wait(channel: socket.socket, budget: Budget) -> None:
    """Wait until there is a message. Raises QueryLimit or Cancelled."""
    while not _readable(channel.fileno(), min(LOOK_S, budget.left_s)):
        budget.check()


def _readable(number: int, wait_s: float) -> bool:
    """Return whether there is something to read; select() knows no number beyond 1023, poll() does."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(max(wait_s, 0.0) * 1000))


class Worker:
    """One process; one thread at a time."""

    def __init__(self, channel: socket.socket, process: int, memory_mb: int) -> None:
        self.lives = True
        self._channel, self._process, self._memory_mb = channel, process, memory_mb

    def ask(self, budget: Budget, fields: Mapping[str, Any], parcel: Parcel | None = None) -> Received:
        """Send a message and return what comes back; look at the budget meanwhile.

        Raises QueryLimit, also if the worker ended, and Cancelled.
        """
        found: Received | None = None
        with contextlib.suppress(OSError):
            send(self._channel, fields, parcel)
            _wait(self._channel, budget)
            found = receive(self._channel)
        if found is None:
            raise QueryLimit(
                "the process that worked on it was ended from outside, as a system does that is short of memory; a "
                f"question may use {self._memory_mb * MEBIBYTE / 1e9:.3g} GB, ask for less or once more"
            )
        self.lives = not found[0].get("last")
        return found

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return _readable(self._process, 0.0)

    def end(self) -> None:
        """End it, whatever it does."""
        self.lives = False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        os.close(self._process)
        self._channel.close()
