"""Waiting for sockets: asleep, or, where rows come closely behind one another, looking again and again for a while."""

import time
from collections.abc import Iterable
from typing import Any

import zmq


class Poller:
    """Tells which of some sockets have something to read.

    To fall asleep and be woken costs some tens of microseconds. With `spin_us` a thread looks again and again for so
    long before it sleeps, if what came last came within that time: so it burns a CPU only while rows come so closely
    behind one another, and none in a plant that rests.
    """

    def __init__(self, sockets: Iterable[zmq.Socket[Any]], spin_us: float = 0.0) -> None:
        self._poller = zmq.Poller()
        for socket in sockets:
            self._poller.register(socket, zmq.POLLIN)
        self._spin_ns = int(spin_us * 1000)
        self._closely = False  # whether what came last came within the spin

    def poll(self, timeout_ms: int) -> dict[zmq.Socket[Any], int]:
        """Return {socket: zmq.POLLIN} of those that have something, having waited at most so long for the first."""
        poll = self._poller.poll
        if not self._spin_ns:
            return dict(poll(timeout_ms))
        begun = time.monotonic_ns()
        if self._closely:
            end = begun + min(self._spin_ns, timeout_ms * 1_000_000)
            while not (found := poll(0)) and time.monotonic_ns() < end:
                pass
            if found:
                return dict(found)
        found = poll(timeout_ms)
        self._closely = bool(found) and time.monotonic_ns() - begun <= self._spin_ns
        return dict(found)
