"""A publisher's connection: hello until a plant welcomes, anew if it is silent, on to the next that takes rows."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq

from plant.errors import TakesNoRows
from plant.stream.addresses import Addresses
from plant.transport import sockets
from plant.wire import messages

HELLO_AGAIN_S = 1.0
"""Pause before asking again, while no welcome or no acknowledgement comes."""

AWAY_S = 2.0
"""A plant with standbys that nobody can connect to is waited for no longer."""


class Line:
    """The socket to the plant in use, of several `addresses`; `hello` gives what is said first on each connection.

    welcomed      whether the plant has answered the last hello
    hello_sent    when a hello was said that is not answered yet, None if none is under way
    refusal       what the plant that was asked last said if it takes no rows, None once one welcomes
    """

    def __init__(self, addresses: Iterable[str], hello: Callable[[], messages.Said]) -> None:
        self.addresses = Addresses(addresses, time.monotonic())
        self.welcomed = False
        self.hello_sent: float | None = None
        self.refusal: TakesNoRows | None = None
        self._hello = hello
        self._progress = time.monotonic()
        self.socket = self._connected()

    @property
    def address(self) -> str:
        """Of the plant in use."""
        return self.addresses.present

    @property
    def names(self) -> str:
        """Of all of them, for a message."""
        return " or ".join(self.addresses.all)

    def receive(self) -> tuple[bytes, bytes] | None:
        """Return what the plant said next, (verb, body), None if it has said nothing more."""
        while True:
            try:
                verb, body = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            except ValueError:
                continue  # not two frames: not from a tickerplant
            self._progress = time.monotonic()
            self.addresses.heard(self._progress)
            return verb, body

    def send(self, said: messages.Said) -> bool:
        """Say something; False if that cannot be now."""
        try:
            self.socket.send_multipart(said, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def attend(self, waits: bool) -> None:
        """Do what is due: say hello (again), connect anew, go on to the next plant.

        waits    for an acknowledgement: one that does not come is asked about
        """
        now = time.monotonic()
        stalled = waits and now - self._progress > HELLO_AGAIN_S
        away = self.addresses.several and self.hello_sent is None
        lost = not self.welcomed or (stalled and self.addresses.several)
        if lost and self.addresses.due(now, AWAY_S if away else sockets.SILENCE_S):
            self._go_on(now)
        if (not self.welcomed or stalled) and (self.hello_sent is None or now - self.hello_sent > HELLO_AGAIN_S):
            self.say_hello()

    def say_hello(self) -> None:
        """Say hello, as soon as there is a connection."""
        if self.send(self._hello()):
            self.hello_sent = time.monotonic()
        else:
            self.welcomed = False

    def take_welcome(self) -> None:
        """Note that the plant takes our rows."""
        self.welcomed, self.hello_sent, self.refusal = True, None, None
        self.addresses.welcomed()

    def take_doubt(self, held: int) -> None:
        """Note that this plant may have another journal than the one that is mirrored, and its rows do not fit ours."""
        self.take_refusal(
            TakesNoRows(
                f"the plant at {self.address} holds this source up to row {held}, which does not fit what was "
                "acknowledged, and its mirror has not said yet that its journal is the one in the stream: "
                "see mirror in `plant status`"
            )
        )

    def take_refusal(self, refusal: TakesNoRows) -> None:
        """Note that this plant takes no rows: the next one is asked, or this one again after a while."""
        now = time.monotonic()
        self.welcomed, self.refusal, self.hello_sent = False, refusal, now
        self.addresses.refused(now)

    def renew(self) -> None:
        """Begin anew with the same plant: what is under way is lost, in both directions."""
        self.welcomed, self.hello_sent = False, None
        sockets.reconnect(self.socket, self.address)

    def close(self) -> None:
        """Disconnect."""
        self.socket.close(0)

    def _go_on(self, now: float) -> None:
        before = self.address
        if self.addresses.go_on(now) == before:
            self.renew()
            return
        self.welcomed, self.hello_sent = False, None
        self.socket.close(0)  # with what the other plant said: its word on our rows is not this one's
        self.socket = self._connected()

    def _connected(self) -> zmq.Socket[Any]:
        return sockets.connect(sockets.context(), zmq.DEALER, self.address, IMMEDIATE=1, SNDHWM=1000)
