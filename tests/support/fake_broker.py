"""A broker on this machine: its orders and executions, a REST and a WebSocket server, and what can go wrong with both.

`FakeBroker` (fake_account.py) is the account and knows no protocol; `fake_alpaca` and `fake_binance` are its faces.
`fates` says what becomes of the next requests: each name is used once, and then `chance` decides by the seed.

    answer          as it should be
    lost            the connection is cut, nothing was done
    cut             it was done, the connection is cut before the answer
    late            the connection is cut, and it is done a moment later
    hang            it was done, the answer comes after the client gave up
    broken          it was done, and the answer is HTTP 502 with a page of HTML
    busy            it was not done, HTTP 503
    limited         it was not done, HTTP 429
"""

import contextlib
import json
import socket
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fake_account import OPEN, Done, FakeBroker, FakeOrder, Refusal
from local_servers import LocalServers
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

__all__ = (
    "KEY",
    "OPEN",
    "SECRET",
    "Answer",
    "Done",
    "FakeBroker",
    "FakeOrder",
    "Refusal",
    "Servers",
    "text",
)

KEY, SECRET = "PKFAKEKEY0123456789", "fakesecret/with+signs=0123456789"
LATE_S, HANG_S = 0.15, 0.8

Answer = tuple[int, Any]
"""Status and JSON; a body of None is empty."""


class Servers:
    """The two servers of a face: REST, and the order socket with whoever listens to it. Subclasses speak.

    late_s   a message of the socket may come so much later, when `broker.faults` says so
    ports    of the two servers, 0 for any
    """

    def __init__(self, broker: FakeBroker, ports: tuple[int, int] = (0, 0)) -> None:
        self.broker, self._ports = broker, ports
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.listeners: list[ServerConnection] = []
        self.connections = 0
        broker.changed = self._changed
        self._later: list[threading.Timer] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any], headers: Any) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def message(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        """Take a message of a client of the socket."""
        raise NotImplementedError

    def telling(self, order: FakeOrder, what: str, done: Done | None) -> str | bytes:
        """Return the socket's message of a change."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._servers = LocalServers(self._serve, self._listen, self._ports)
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        for timer in self._later:
            timer.cancel()
        self._servers.close()
        for timer in self._later:
            timer.join(10)

    @property
    def http(self) -> str:
        return self._servers.http

    @property
    def ws(self) -> str:
        return self._servers.ws

    def drop(self) -> None:
        """Cut every connection of the order socket, as a dying network does."""
        with self.broker.lock:
            for connection in self.listeners:
                with contextlib.suppress(OSError):
                    connection.socket.shutdown(socket.SHUT_RDWR)
            self.listeners = []

    def _listen(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            for text in connection:
                self.message(connection, json.loads(text))
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self.broker.lock:
                if connection in self.listeners:
                    self.listeners.remove(connection)

    def _changed(self, order: FakeOrder, what: str, done: Done | None) -> None:
        broker, frame = self.broker, self.telling(order, what, done)
        for _ in range(2 if broker.random.random() < broker.faults else 1):
            if broker.random.random() < broker.faults:
                timer = threading.Timer(broker.random.uniform(0, LATE_S), self.send, (frame,))
                self._later.append(timer)
                timer.start()
            else:
                self.send(frame)

    def send(self, frame: str | bytes) -> None:
        """Send a frame to all who listen."""
        with self.broker.lock:
            for connection in self.listeners:
                with contextlib.suppress(ConnectionClosed, OSError):
                    connection.send(frame)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        body = self.parsed(raw)
        self.requests.append((handler.command, address.path, query))
        fate = self.broker.fate(handler.command != "GET")
        arguments = (handler.command, address.path, query, body, handler.headers)
        if fate == "late":
            timer = threading.Timer(LATE_S, lambda: self._done(*arguments))
            self._later.append(timer)
            timer.start()
        if fate in ("lost", "late"):
            return self._cut(handler)
        if fate in ("busy", "limited"):
            return self._send(handler, (503, None) if fate == "busy" else (429, {"message": "too many requests."}))
        answer = self._done(*arguments)
        if fate == "cut":
            return self._cut(handler)
        if fate == "hang":
            time.sleep(HANG_S)
        self._send(handler, (502, "<html>Bad Gateway</html>") if fate == "broken" else answer)
        return None

    def parsed(self, raw: str) -> dict[str, Any]:
        """Return a request's body."""
        return dict(json.loads(raw)) if raw else {}

    def _done(self, method: str, path: str, query: dict[str, str], body: dict[str, Any], headers: Any) -> Answer:
        try:
            with self.broker.lock:
                return self.answer(method, path, query, body, headers)
        except Refusal as refusal:
            return refusal.status, refusal.body

    @staticmethod
    def _cut(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        status, body = answer
        content = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        with contextlib.suppress(OSError):
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(content)))
            if status == 429:
                handler.send_header("Retry-After", "1")
            handler.end_headers()
            handler.wfile.write(content)


def text(number: Fraction) -> str:
    """Return a number as both venues write it."""
    return f"{float(number):.9f}".rstrip("0").rstrip(".")
