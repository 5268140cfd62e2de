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
import structlog
import zmq

from plant import sockets
from plant.errors import PlantError, QueryError, Unavailable, WireError, from_wire, to_wire

log = structlog.get_logger()

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
            raise QueryError(f'a request is a msgpack map with the key "ask"; found {_shown(fields)}')
        return [*envelope, b"ok", *handler(fields)]
    except PlantError as error:
        return [*envelope, b"error", msgpack.packb(to_wire(error))]
    except Exception as error:  # whatever a client sent, the others are still served
        log.exception("request failed", request=str(request)[:200])
        return [*envelope, b"error", msgpack.packb(to_wire(error))]


def _shown(fields: Any) -> str:
    """Return what a request was, without the repr of a value, which may be nested too deeply to have one."""
    return f"a map of {', '.join(map(repr, fields))[:80]}" if isinstance(fields, dict) else type(fields).__name__


def _split(frames: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """Return (what the answer starts with, the request's body or None if malformed)."""
    head = 2 if len(frames) > 1 and frames[1] == b"" else 1
    if len(frames) != head + 2:
        return [*frames[:head], b""], None
    return list(frames[: head + 1]), frames[head + 1]


class Requester:
    """Ask one server; from any thread, one question at a time. Reconnects by itself.

    Raises Unavailable if no answer comes in `timeout_s`, the error the server answered with, QueryError for what
    msgpack cannot carry, and WireError for an answer that is none.
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
        try:
            body = msgpack.packb(fields)
        except (TypeError, ValueError, OverflowError) as error:  # UnicodeEncodeError is a ValueError
            raise QueryError(f"cannot ask {self._who}: {error}") from None
        with self._lock:
            deadline = time.monotonic() + limit_s
            if self._socket is None:
                self._socket = sockets.connect(self._context, zmq.DEALER, self.address)
            self._asked += 1
            request_id = self._asked.to_bytes(8, "little")
            self._socket.send_multipart([request_id, body])
            while (left := deadline - time.monotonic()) > 0 and self._socket.poll(int(left * 1000) + 1):
                found, *rest = self._socket.recv_multipart()
                if found != request_id:
                    continue  # an answer that came after we gave up on it
                return _answered(rest, f"{self._who} at {self.address}")
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


def _answered(frames: list[bytes], who: str) -> list[bytes]:
    """Return the body of an answer; raises the error it holds."""
    status, body = frames[:1], frames[1:]
    if status == [b"ok"]:
        return body
    try:
        error = from_wire(msgpack.unpackb(body[0])) if status == [b"error"] else None
    except (ValueError, IndexError, TypeError, AttributeError, msgpack.UnpackException):
        error = None
    raise error or WireError(
        f"{who} sent {len(frames)} frames that are no answer; is it another process? `plant status` tells"
    )
