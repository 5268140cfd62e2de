"""A broker on this machine: its orders and executions, a REST and a WebSocket server, and what can go wrong with both.

`FakeBroker` is the account and knows no protocol; `fake_alpaca` and `fake_binance` are its faces. It counts what a test
is about: how often an order of one id arrived. `fates` says what becomes of the next requests: each name is used once,
and then `chance` decides by the seed.

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
import random
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local_servers import LocalServers
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

KEY, SECRET = "PKFAKEKEY0123456789", "fakesecret/with+signs=0123456789"
FATES = ("lost", "cut", "late", "hang", "broken", "busy")
LATE_S, HANG_S = 0.15, 0.8
OPEN = frozenset(("open", "partial"))


@dataclass
class Done:
    """One execution: its number is the account's, from 1 on."""

    number: int
    qty: Fraction
    price: Fraction
    cumulative: Fraction
    time_ns: int


@dataclass
class FakeOrder:
    """One order: `status` is open, partial, filled, canceled, expired or rejected; numbers are as they were written."""

    number: int
    client_id: str
    sym: str
    side: str
    qty: Fraction
    fields: dict[str, Any]
    status: str = "open"
    executions: list[Done] = field(default_factory=list)
    made_ns: int = field(default_factory=time.time_ns)
    changed_ns: int = field(default_factory=time.time_ns)

    @property
    def filled(self) -> Fraction:
        return sum((one.qty for one in self.executions), Fraction(0))

    @property
    def paid(self) -> Fraction:
        return sum((one.qty * one.price for one in self.executions), Fraction(0))


class Refusal(Exception):
    """The broker's no: an HTTP status and a body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class FakeBroker:
    """An account; a face makes it speak. Use the face as a context manager.

    faults   chance of a fault of a request, and of a message of the socket
    """

    def __init__(self, seed: int = 0, faults: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.lock = threading.RLock()
        self.orders: dict[str, FakeOrder] = {}
        self.arrivals: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.fates: deque[str] = deque()
        self.refuse_with: Refusal | None = None
        self.cash = Fraction(1_000_000)
        self.moved: dict[str, Fraction] = {}
        """Positions that no order made: what a person did by hand."""
        self.changed: Callable[[FakeOrder, str, Done | None], None] = lambda *_: None
        """Called for all that the order socket is to tell: the order, what happened, and the execution."""
        self._number = 0

    def keep(self, what: str, client_id: str) -> None:
        """Write down what happened to an order, before anybody is told; nothing, unless a subclass does."""

    def arrived(self, client_id: str) -> None:
        """Count that an order of an id came."""
        self.arrivals[client_id] += 1
        self.keep("arrived", client_id)

    def place(self, client_id: str, sym: str, side: str, qty: Fraction, fields: dict[str, Any]) -> FakeOrder:
        with self.lock:
            self.arrived(client_id)
            if self.refuse_with is not None:
                raise self.refuse_with
            self._number += 1
            order = self.orders[client_id] = FakeOrder(self._number, client_id, sym, side, qty, fields)
            self.keep("new", client_id)
            self.changed(order, "new", None)
            return order

    def execute(self, client_id: str, qty: int | Fraction, price: int | Fraction | str, told: bool = True) -> None:
        """Execute a part of an order, in units; `told` False keeps it from the order socket."""
        with self.lock:
            order = self.orders[client_id]
            self._number += 1
            done = Done(self._number, Fraction(qty), Fraction(price), order.filled + Fraction(qty), time.time_ns())
            order.executions.append(done)
            order.changed_ns = done.time_ns
            if order.status in OPEN:
                order.status = "filled" if order.filled >= order.qty else "partial"
            self.cash -= done.qty * done.price * (1 if order.side == "buy" else -1)
            self.keep("fill", client_id)
            if told:
                self.changed(order, "fill", done)

    def end(self, client_id: str, status: str = "canceled", told: bool = True) -> None:
        """End an order that is open."""
        with self.lock:
            order = self.orders[client_id]
            order.status, order.changed_ns = status, time.time_ns()
            self.keep("end", client_id)
            if told:
                self.changed(order, status, None)

    def positions(self) -> dict[str, Fraction]:
        with self.lock:
            held = dict(self.moved)
            for order in self.orders.values():
                sign = 1 if order.side == "buy" else -1
                held[order.sym] = held.get(order.sym, Fraction(0)) + sign * order.filled
            return {sym: qty for sym, qty in held.items() if qty}

    def by_number(self, number: int) -> FakeOrder | None:
        return next((one for one in self.orders.values() if one.number == number), None)

    def fate(self, changes: bool) -> str:
        """Say what becomes of the next request; those that change nothing are not worth being late."""
        with self.lock:
            chosen = self.fates.popleft() if self.fates else "answer"
            if chosen == "answer" and self.random.random() < self.faults:
                chosen = self.random.choice(FATES if changes else ("lost", "busy"))
            self.happened[chosen] += 1
            return chosen


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
