"""Request and answer, as every process of the plant speaks it (docs/wire.md).

    request   [request id, msgpack map with "ask"]
    answer    [request id, b"ok", msgpack or Arrow IPC, ...]   or   [request id, b"error", msgpack {"error", "message"}]
    ahead of an answer, to those who take it in parts: [request id, b"more", bytes], any number of them

over DEALER to ROUTER. A REQ socket's empty delimiter is accepted and sent back.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import msgpack
import zmq

from plant.errors import Cancelled, QueryError, Unavailable, WireError, from_wire
from plant.transport import sockets
from plant.transport.forking import begins_anew
from plant.transport.reply import ERROR, MORE, OK

LOOK_S = 0.1
"""Pause between looks whether the asker still wants the answer."""

_MORE = int(zmq.SNDMORE)
_LOOK_MS = int(LOOK_S * 1000) + 1

GRACE_S = 0.5
"""A server that stops a question when its time is up may need so long to say so."""

LINGER_MS = 300
"""How long a cancel may take to leave."""

GIVE_UP: ContextVar[threading.Event | None] = ContextVar("give_up", default=None)
"""Set around a question by who may want to give it up from another thread: it then ends with Cancelled."""


class Requester:
    """Ask one server; from any thread, also at once: each question under way has a connection of its own.

    Reconnects by itself. Who gives up on a question (its time is over, KeyboardInterrupt, `close`) tells the server to
    stop. Raises Unavailable if no answer comes in `timeout_s`, the error the server answered with, Cancelled if it was
    given up, QueryError for what msgpack cannot carry, and WireError for an answer that is none.
    """

    def __init__(self, address: str, who: str, timeout_s: float = 10.0, client: str = "") -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._who = who
        self._client = client or client_name()
        self._asked = 0
        self._closings = 0
        self.forked()
        begins_anew(self)

    def forked(self) -> None:
        """Begin without connections, as in the child of a fork."""
        self._context = sockets.context()
        self._idle: list[zmq.Socket[Any]] = []
        self._lock = threading.Lock()

    def ask(self, timeout_s: float | None = None, **fields: Any) -> list[bytes]:
        """Return the frames of the answer to a request with these fields."""
        return self._exchange(fields, self.timeout_s if timeout_s is None else timeout_s)

    def status(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Return what the process says of itself, as every process of the plant does."""
        return dict(msgpack.unpackb(self.ask(timeout_s, ask="status")[0]))

    def table(self, fields: dict[str, Any], timeout_s: float | None = None) -> bytes:
        """Return the Arrow IPC stream that answers a question. `timeout_s` is for the answer to begin, and to go on."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        if not limit_s > 0:
            raise QueryError(f"timeout_s must be a positive number of seconds, found {limit_s!r}")
        asked = {**fields, "client": self._client, "timeout_s": limit_s, "parts": True}
        return self._exchange(asked, limit_s, GRACE_S)[0]

    def close(self) -> None:
        """Disconnect; questions under way end with Cancelled."""
        with self._lock:
            self._closings += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close(0)

    def __del__(self) -> None:
        for connection in getattr(self, "_idle", ()):
            connection.close(0)

    def _exchange(self, fields: dict[str, Any], limit_s: float, grace_s: float = 0.0) -> list[bytes]:
        try:
            body = msgpack.packb(fields)
        except (TypeError, ValueError, OverflowError) as error:  # UnicodeEncodeError is a ValueError
            raise QueryError(f"cannot ask {self._who}: {error}") from None
        with self._lock:
            self._asked += 1
            number, closings = self._asked.to_bytes(8, "little"), self._closings
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = sockets.connect(self._context, zmq.DEALER, self.address, RCVTIMEO=_LOOK_MS)
        try:
            connection.send(number, _MORE)
            connection.send(body)
            frames = self._received(connection, number, limit_s, grace_s, closings)
        except BaseException:
            if "parts" in fields:
                _cancel(connection, number)
            connection.close(LINGER_MS)  # so that the question does not wait in a queue for a restart
            raise
        with self._lock:
            kept = closings == self._closings
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close(0)
        return _answered(frames, f"{self._who} at {self.address}")

    def _received(
        self, connection: zmq.Socket[Any], number: bytes, limit_s: float, grace_s: float, closings: int
    ) -> list[bytes]:
        """Return what follows the request id in the answer, its parts joined."""
        give_up = GIVE_UP.get()
        deadline = time.monotonic() + limit_s + grace_s
        parts: list[bytes] = []
        while (left := deadline - time.monotonic()) > 0:
            if closings != self._closings or (give_up is not None and give_up.is_set()):
                raise Cancelled(f"the question to {self._who} at {self.address} was given up before it was answered")
            if left < LOOK_S:
                connection.setsockopt(zmq.RCVTIMEO, int(left * 1000) + 1)
            try:
                found, *rest = connection.recv_multipart()
            except zmq.Again:
                continue
            finally:
                if left < LOOK_S:
                    connection.setsockopt(zmq.RCVTIMEO, _LOOK_MS)
            if found != number:
                continue  # an answer to nothing we asked
            if rest[:1] == [MORE]:
                parts += rest[1:]
                deadline = time.monotonic() + limit_s + grace_s
            elif parts and rest[:1] == [OK]:
                return [OK, b"".join([*parts, *rest[1:]])]
            else:
                return rest
        raise Unavailable(
            f"{self._who} at {self.address} did not answer within {limit_s:g} s; is the plant up? `plant status` tells"
        )


def _cancel(connection: zmq.Socket[Any], number: bytes) -> None:
    with contextlib.suppress(zmq.ZMQError):
        connection.send_multipart([b"cancel", msgpack.packb({"ask": "cancel", "id": number})], zmq.NOBLOCK)


def client_name() -> str:
    """Return how this process calls itself when it asks: name of the script/pid@host."""
    return f"{Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else 'python'}/{os.getpid()}@{socket.gethostname()}"


def _answered(frames: list[bytes], who: str) -> list[bytes]:
    """Return the body of an answer; raises the error it holds."""
    status, body = frames[:1], frames[1:]
    if status == [OK]:
        return body
    try:
        error = from_wire(msgpack.unpackb(body[0])) if status == [ERROR] else None
    except (ValueError, IndexError, TypeError, AttributeError, msgpack.UnpackException):
        error = None
    raise error or WireError(
        f"{who} sent {len(frames)} frames that are no answer; is it another process? `plant status` tells"
    )
