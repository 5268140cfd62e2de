"""Answers on their way to clients, each at the pace at which its client reads.

A message goes to ZeroMQ while less than WINDOW_BYTES of that client are in its hands; ZeroMQ tells when it has written
one to the network. So what a client does not read waits here, counted, and holds up nobody else.

A state machine around one function, `send(frames)`, that hands a message to ZeroMQ and returns what tells when it is
through (None: at once). It raises zmq.Again if ZeroMQ takes no more for that client, another ZMQError if it is gone.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq

WINDOW_BYTES = 8 * 2**20
"""About so many bytes of one client are in ZeroMQ's hands."""

LOOK_S = 0.002
IDLE_LOOK_S = 0.05
"""Pauses between looks whether a client has read on: while some do, and while none does."""

Message = list[Any]
Send = Callable[[Message], Any]


@dataclass(slots=True)
class _Outgoing:
    """What one client has not read."""

    messages: deque[Message] = field(default_factory=deque)
    waiting_bytes: int = 0
    handed: deque[tuple[Any, int]] = field(default_factory=deque)
    handed_bytes: int = 0


class Delivery:
    """Messages for several clients, told apart by the first frame.

    `gone` collects clients that turned out to be gone, for whoever takes them out.

    `max_bytes`: if more than this waits here, of all clients together, the one that left the most loses its messages.
    """

    def __init__(self, send: Send, max_bytes: int, window_bytes: int = WINDOW_BYTES) -> None:
        self._send = send
        self._max_bytes = max_bytes
        self._window_bytes = window_bytes
        self.gone: list[bytes] = []
        self._clients: OrderedDict[bytes, _Outgoing] = OrderedDict()
        self._progress = time.monotonic()

    def put(self, messages: list[Message]) -> list[Message]:
        """Send messages to one client, in order; what it does not read yet waits. Return messages that were lost."""
        peer = messages[0][0]
        if len(messages) == 1 and peer not in self._clients and self._sent_at_once(messages[0]):
            return []
        out = self._clients.setdefault(peer, _Outgoing())
        out.messages.extend(messages)
        out.waiting_bytes += sum(map(_size, messages))
        self._progress = time.monotonic()
        self._flush(peer, out)
        lost: list[Message] = []
        while self.waiting_bytes > self._max_bytes and (most := self._largest()) is not None:
            lost += self.drop(most)
        return lost

    def flush(self) -> float | None:
        """Send what can be sent; return after how many seconds to look again, None if nothing waits."""
        for peer, out in list(self._clients.items()):
            self._flush(peer, out)
        if not self._clients:
            return None
        return LOOK_S if time.monotonic() - self._progress < IDLE_LOOK_S else IDLE_LOOK_S

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait here, of all clients."""
        return sum(out.waiting_bytes for out in self._clients.values())

    def unread(self, peer: bytes) -> int:
        """Return the bytes that a client has not read, as far as is known."""
        out = self._clients.get(peer)
        return 0 if out is None else out.waiting_bytes + out.handed_bytes

    def drop(self, peer: bytes, number: bytes | None = None) -> list[Message]:
        """Forget what waits for a client (`number`: of this question only), and return it."""
        out = self._clients.get(peer)
        if out is None:
            return []
        dropped = [m for m in out.messages if number is None or number == (m[1] or m[2])]
        out.messages = deque(m for m in out.messages if number is not None and number != (m[1] or m[2]))
        out.waiting_bytes -= sum(map(_size, dropped))
        return dropped

    def _sent_at_once(self, message: Message) -> bool:
        """Send a message of a client that has read all others; return whether it needs no more attention."""
        try:
            tracker = self._send(message)
        except zmq.Again:
            return False
        except zmq.ZMQError:  # it is gone
            self.gone.append(message[0])
            return True
        if tracker is not None:
            out = self._clients[message[0]] = _Outgoing()
            out.handed.append((tracker, _size(message)))
            out.handed_bytes = _size(message)
            self._progress = time.monotonic()
        return True

    def _flush(self, peer: bytes, out: _Outgoing) -> None:
        while out.handed and out.handed[0][0].done:
            out.handed_bytes -= out.handed.popleft()[1]
            self._progress = time.monotonic()
        while out.messages and out.handed_bytes < self._window_bytes:
            message = out.messages[0]
            try:
                tracker = self._send(message)
            except zmq.Again:
                break
            except zmq.ZMQError:  # it is gone
                del self._clients[peer]
                self.gone.append(peer)
                return
            out.messages.popleft()
            size = _size(message)
            out.waiting_bytes -= size
            if tracker is not None:
                out.handed.append((tracker, size))
                out.handed_bytes += size
        if not out.messages and not out.handed:
            del self._clients[peer]

    def _largest(self) -> bytes | None:
        sizes = {peer: out.waiting_bytes for peer, out in self._clients.items() if out.waiting_bytes}
        return max(sizes, key=sizes.__getitem__, default=None)


def _size(message: Message) -> int:
    return sum(memoryview(frame).nbytes for frame in message)
