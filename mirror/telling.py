"""What the mirror tells its tickerplant, on the socket for questions: how far the stream is, and that it went away."""

import contextlib
import itertools
import time

import msgpack
import zmq

from plant.errors import PlantError
from plant.transport import sockets
from plant.transport.request import Requester
from plant.wire import messages

AGAIN_S = 0.5
"""How far the stream is, is told again so often: a tickerplant that was started anew does not know."""

DIVERGED_S = 5.0
"""Longest the tickerplant may take to hear that its journal is not the stream's any more."""


class Telling:
    """Sends without waiting for the answers."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = sockets.connect(sockets.context(), zmq.DEALER, address, IMMEDIATE=1, SNDHWM=16)
        self._numbers = itertools.count(1)
        self._told, self._told_at = (0, 0), 0.0

    def mirrored(self, seq: int, epoch: int) -> None:
        """Tell that the stream has everything up to `seq`, read from the tickerplant of this epoch.

        What was told a moment ago is not told again.
        """
        now = time.monotonic()
        if not seq or ((seq, epoch) == self._told and now - self._told_at < AGAIN_S):
            return
        with contextlib.suppress(zmq.Again):
            while True:
                self._socket.recv_multipart(zmq.NOBLOCK)  # answers, of which none is needed
        with contextlib.suppress(zmq.Again):
            body = msgpack.packb(messages.mirrored(seq, epoch))
            self._socket.send_multipart([next(self._numbers).to_bytes(8, "little"), body], zmq.NOBLOCK)
            self._told, self._told_at = (seq, epoch), now

    def diverged(self, reason: str) -> None:
        """Tell that the stream goes on with other rows than the journal; an answer is waited for."""
        requester = Requester(self._address, "tickerplant", DIVERGED_S)
        with contextlib.suppress(PlantError):  # one that is down asks for no acknowledgement either
            requester.ask(**messages.diverged(reason))
        requester.close()

    def close(self) -> None:
        """Disconnect."""
        self._socket.close(100)
