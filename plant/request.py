"""Request and answer, as every process of the plant speaks it (docs/wire.md).

    request   [request id, msgpack map with "ask"]
    answer    [request id, b"ok", msgpack or Arrow IPC, ...]   or   [request id, b"error", msgpack {"error", "message"}]

over DEALER to ROUTER. A REQ socket's empty delimiter is accepted and sent back.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgpack
import zmq

from plant import sockets
from plant.errors import PlantError, QueryError, Unavailable, from_wire, to_wire

Handler = Callable[[dict[str, Any]], list[Any]]
"""Takes the request's map and returns the frames of the answer; may raise PlantError."""


def answer(frames: list[bytes], handler: Handler) -> list[Any]:
    """Return the answer to the frames a ROUTER received, envelope included. Never raises for what a client sent."""
    envelope, request = _split(frames)
    try:
        if request is None:
            raise QueryError(f"expected [request id, msgpack map], found {len(frames) - 1} frames; see docs/wire.md")
        try:
            fields = msgpack.unpackb(request)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise QueryError(f"a request is a msgpack map; found bytes that are not msgpack ({error})") from None
        if not isinstance(fields, dict) or not isinstance(fields.get("ask"), str):
            raise QueryError(
                f'a request is a msgpack map with the key "ask"; found {type(fields).__name__} {str(fields)[:80]}'
            )
        return [*envelope, b"ok", *handler(fields)]
    except PlantError as error:
        return [*envelope, b"error", msgpack.packb(to_wire(error))]


def _split(frames: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """Return (what the answer starts with, the request's body or None if malformed)."""
    head = 2 if len(frames) > 1 and frames[1] == b"" else 1
    if len(frames) != head + 2:
        return [*frames[:head], b""], None
    return list(frames[: head + 1]), frames[head + 1]


class Requester:
    """Ask one server; from any thread, one question at a time. Reconnects by itself.

    Raises Unavailable if no answer comes in `timeout_s`, and the error the server answered with.
    """

    def __init__(self, address: str, who: str, timeout_s: float = 10.0) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._who = who
        self._context = sockets.context()
        self._socket: zmq.Socket[Any] | None = None
        self._lock = threading.Lock()
        self._asked = 0

    def ask(self, timeout_s: float | None = None, **fields: Any) -> list[bytes]:
        """Return the frames of the answer to a request with these fields."""
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        with self._lock:
            deadline = time.monotonic() + limit_s
            if self._socket is None:
                self._socket = sockets.connect(self._context, zmq.DEALER, self.address)
            self._asked += 1
            request_id = self._asked.to_bytes(8, "little")
            self._socket.send_multipart([request_id, msgpack.packb(fields)])
            while (left := deadline - time.monotonic()) > 0 and self._socket.poll(int(left * 1000) + 1):
                found, status, *body = self._socket.recv_multipart()
                if found != request_id:
                    continue  # an answer that came after we gave up on it
                if status == b"error":
                    raise from_wire(msgpack.unpackb(body[0]))
                return body
            self._socket.close(0)  # so that the question does not wait in a queue for a restart
            self._socket = None
        raise Unavailable(
            f"{self._who} at {self.address} did not answer within {limit_s:g} s; is the plant up? `plant status` tells"
        )

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._socket is not None:
                self._socket.close(0)
                self._socket = None

    def __del__(self) -> None:
        if getattr(self, "_socket", None) is not None:
            self.close()
