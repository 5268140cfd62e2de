"""A venue for tests, on a free local port: a WebSocket at /ws and its REST below /rest, one server for both.

It is made up, and speaks as venues do: a login that is answered, subscriptions that are acknowledged one by one, trades
that are numbered within a symbol, one-minute bars of them, a REST with pages. What it can do to a client: cut, also in
the middle of a message, send twice, swap two frames, keep silent, refuse the key, take too many requests amiss.
"""

import contextlib
import json
import random
import socket
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

BEGIN_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
PAGE = 50


class VenueServer:
    """Use as a context manager; `url` and `rest_url` are what the feed is given.

    trades      every trade there was, by symbol, oldest first, each {"s", "n", "t", "p", "q"}
    chance      of what goes wrong with a frame: seeded
    repeats, swaps   the share of frames that are sent twice, or behind the next one
    unknown     symbols that are refused; ignored: that are acknowledged never
    refused     statuses that requests of REST get before they are answered again, last first
    """

    def __init__(self, seed: int = 1, key: str = "k3y") -> None:
        self.key = key
        self.trades: dict[str, list[dict[str, Any]]] = {}
        self.chance = random.Random(seed)
        self.repeats = self.swaps = 0.0
        self.unknown: set[str] = set()
        self.ignored: set[str] = set()
        self.refused: list[int] = []
        self.requests: list[dict[str, str]] = []
        self.said: list[dict[str, Any]] = []
        self.connections = 0
        self.ahead_ms = 0
        self._lock = threading.RLock()
        self._open: dict[ServerConnection, set[str]] = {}
        self._held: dict[ServerConnection, list[str]] = {}

    def __enter__(self) -> "VenueServer":
        self._server: Server = serve(self._serve, "127.0.0.1", 0, process_request=self._admit, ping_interval=None)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.shutdown()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/ws"

    @property
    def rest_url(self) -> str:
        return self.url.replace("ws://", "http://").replace("/ws", "/rest")

    def subscribed(self, sym: str) -> bool:
        """Return whether somebody has the trades of a symbol."""
        with self._lock:
            return any(f"trades {sym}" in topics for topics in self._open.values())

    def trade(self, sym: str, count: int = 1) -> None:
        """Make trades, and send them to whoever has subscribed, as the chances say."""
        with self._lock:
            for _ in range(count):
                made = self.trades.setdefault(sym, [])
                number = len(made) + 1
                made.append(
                    {"s": sym, "n": number, "t": BEGIN_MS + number * 100, "p": f"{100 + number % 97 / 8:.3f}", "q": "2"}
                )
                for connection, topics in list(self._open.items()):
                    if f"trades {sym}" in topics:
                        self._send(connection, json.dumps({"trade": made[-1]}))

    def send(self, *messages: Any) -> None:
        """Send messages to every connection, as they are, as JSON, or, of a list of texts, in fragments."""
        with self._lock:
            for connection in list(self._open):
                for message in messages:
                    with contextlib.suppress(ConnectionClosed, OSError):
                        connection.send(message if isinstance(message, str | bytes | list) else json.dumps(message))

    def ping(self) -> list[threading.Event]:
        """Ping every connection; each event is set once that is answered."""
        with self._lock:
            return [connection.ping(b"are you there") for connection in self._open]

    def cut(self, within: bool = False) -> int:
        """Cut every connection, `within` a message that is half sent; return how many there were."""
        with self._lock:
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    if within:
                        connection.socket.sendall(b"\x81\x7e\x01\x00" + b'{"trade": {"s": "A", "n"')
                    connection.socket.shutdown(socket.SHUT_RDWR)
            found, self._open = len(self._open), {}
            self._held.clear()
            return found

    def _send(self, connection: ServerConnection, message: str) -> None:
        messages = [*self._held.pop(connection, []), message]
        if len(messages) > 1:
            messages.reverse()
        elif self.chance.random() < self.swaps:
            self._held[connection] = messages
            return
        for one in messages:
            for _ in range(1 + (self.chance.random() < self.repeats)):
                with contextlib.suppress(ConnectionClosed, OSError):
                    connection.send(one)

    def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        let_in = False
        with contextlib.suppress(ConnectionClosed, OSError):
            for text in connection:
                said = json.loads(text)
                with self._lock:
                    self.said.append(said)
                    if said["do"] == "login":
                        let_in = said["key"] == self.key
                        connection.send(json.dumps({"login": "good" if let_in else "bad key"}))
                        if not let_in:
                            return
                        self._open[connection] = set()
                    elif let_in:
                        self._subscribe(connection, said)
        with self._lock:
            self._open.pop(connection, None)
            self._held.pop(connection, None)

    def _subscribe(self, connection: ServerConnection, said: dict[str, Any]) -> None:
        topics = self._open.get(connection, set())
        for topic in said["topics"]:
            sym = topic.split()[1]
            if said["do"] == "leave":
                topics.discard(topic)
                connection.send(json.dumps({"left": topic}))
            elif sym in self.unknown:
                connection.send(json.dumps({"unknown": topic}))
            elif sym not in self.ignored:
                topics.add(topic)
                connection.send(json.dumps({"joined": topic}))

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        if address.path == "/ws":
            return None
        query = {name: values[0] for name, values in parse_qs(address.query).items()} | {"path": address.path}
        self.requests.append(query)
        with self._lock:
            if self.refused:
                response = connection.respond(self.refused.pop(), "no\n")
                response.headers["Retry-After"] = "3"
                return response
            if request.headers.get("X-Key") != self.key:
                return connection.respond(401, f"bad key {request.headers.get('X-Key')}")
            return connection.respond(200, json.dumps(self._answer(query)))

    def _answer(self, query: dict[str, str]) -> Any:
        if query["path"] == "/rest/time":
            return BEGIN_MS + self.ahead_ms
        if query["path"] == "/rest/instruments":
            return [{"s": sym, "tick": 0.125} for sym in query["symbols"].split(",")]
        made = self.trades.get(query["sym"], [])
        if "from" in query:
            return made[int(query["from"]) - 1 :][:PAGE]
        return [one for one in made if int(query["start"]) <= one["t"] < int(query["end"])][:PAGE]
