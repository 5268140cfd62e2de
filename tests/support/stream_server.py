"""A venue on this machine: a WebSocket server and a REST server, and what can go wrong with both.

Subclasses speak a venue's protocol (`binance_server.py`, ...): what a client says, and what REST answers. Each row goes
out by `publish`, with the faults that chance gives it, and lies in the past from then on. All is kept for the tests to
look at: `said` by clients, `requests` of REST.
"""

import contextlib
import json
import random
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local_servers import LocalServers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

Answered = tuple[int, Any]
"""HTTP status, and a body: text as it is, anything else as JSON."""


class Client:
    """One connection of a client; `subscribed` are the venue's own names of what it is sent."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.path = connection.request.path if connection.request else ""
        self.subscribed: set[str] = set()
        self.let_in = False
        self.since = time.monotonic()

    def say(self, *messages: Any) -> None:
        """Send messages, texts and bytes as they are and anything else as JSON; a client that is gone hears nothing."""
        with contextlib.suppress(ConnectionClosed, OSError):
            for message in messages:
                self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))


class StreamServer:
    """Use as a context manager; `url` and `rest_url` are what the feed is given.

    faults     chance of a frame to come twice, or to change places with the next; 0: all is well
    limited    chance of a request of REST to be answered by 429
    """

    def __init__(self, seed: int = 0, faults: float = 0.0, limited: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.faults, self.limited = faults, limited
        self.lock = threading.RLock()
        self.clients: list[Client] = []
        self.connects = 0
        self.said: list[Any] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.silent = False  # no pongs
        self._held: tuple[str, Any] | None = None

    def greet(self, client: Client) -> None:
        """Say what the venue says first."""

    def heard(self, client: Client, message: Any) -> None:
        """Answer a message of a client, JSON decoded."""
        raise NotImplementedError

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> Answered:
        """Answer a request of REST."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._servers = LocalServers(self._serve, self._listen, process_request=self._admit)
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self._servers.close()

    @property
    def rest_url(self) -> str:
        return self._servers.http

    @property
    def url(self) -> str:
        return self._servers.ws

    def publish(self, name: str, message: Any) -> None:
        """Send a message to all that subscribed `name`, with the faults of chance."""
        with self.lock:
            dice = self.random.random()
            if self._held is not None:
                held, self._held = self._held, None
                self._out(name, message)
                self._out(*held)
            elif dice < self.faults / 2:
                self._held = (name, message)
            else:
                self._out(name, message)
                if dice < self.faults:
                    self._out(name, message)

    def settle(self) -> None:
        """Send what was held back to change places."""
        with self.lock:
            held, self._held = self._held, None
            if held is not None:
                self._out(*held)

    def wrapped(self, client: Client, name: str, message: Any) -> Any:
        """Return a message as this client is sent it."""
        return message

    def _out(self, name: str, message: Any) -> None:
        for client in list(self.clients):
            if self.has(client, name):
                client.say(self.wrapped(client, name, message))

    def has(self, client: Client, name: str) -> bool:
        """Return whether a client subscribed a name."""
        return name in client.subscribed

    def tell(self, *messages: Any) -> None:
        """Send messages to every client, whatever it subscribed."""
        with self.lock:
            for client in list(self.clients):
                client.say(*messages)

    def drop(self) -> None:
        """Cut every connection without a word, as a dying network does."""
        with self.lock:
            for client in self.clients:
                self._cut(client)
            self.clients = []

    def close(self, code: int = 1001, reason: str = "") -> None:
        """Close every connection with a close frame, not waiting for the answer to it."""
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError, ConnectionClosed):
                    payload = code.to_bytes(2, "big") + reason.encode()
                    client.connection.socket.sendall(bytes([0x88, len(payload)]) + payload)
                self._cut(client)
            self.clients = []

    def cut_in_mid_message(self, message: Any) -> None:
        """Send half a message to every client, and cut the connection."""
        body = json.dumps(message).encode()
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError):
                    head = bytes([0x81, 126]) + len(body).to_bytes(2, "big")
                    client.connection.socket.sendall(head + body[: len(body) // 2])
                self._cut(client)
            self.clients = []

    def names(self) -> set[str]:
        """Return what is subscribed by any client."""
        with self.lock:
            return {name for client in self.clients for name in client.subscribed}

    def asked(self, path: str) -> list[dict[str, str]]:
        """Return the queries of REST so far whose path ends so."""
        with self.lock:
            return [query for each, query in self.requests if each.endswith(path)]

    @staticmethod
    def _cut(client: Client) -> None:
        with contextlib.suppress(OSError):
            client.connection.socket.shutdown(socket.SHUT_RDWR)

    def admits(self, path: str, headers: dict[str, str]) -> Answered | None:
        """Return what a connection is refused with, None: it is let in."""
        return None

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        refused = self.admits(request.path, dict(request.headers.raw_items()))
        usual = connection.protocol.recv_frame

        def recv_frame(frame: Frame) -> None:
            if not (self.silent and frame.opcode is Opcode.PING):
                usual(frame)

        connection.protocol.recv_frame = recv_frame  # type: ignore[method-assign]
        return None if refused is None else connection.respond(refused[0], str(refused[1]))

    def _listen(self, connection: ServerConnection) -> None:
        client = Client(connection)
        with self.lock:
            self.connects += 1
            self.clients.append(client)
            self.greet(client)
        try:
            for text in connection:
                message = json.loads(text)
                with self.lock:
                    self.said.append(message)
                    self.heard(client, message)
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self.lock:
                if client in self.clients:
                    self.clients.remove(client)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        handler.rfile.read(int(headers.get("content-length", "0")))
        with self.lock:
            self.requests.append((parts.path, query))
            self.headers.append(headers)
            if self.random.random() < self.limited:
                status, body = 429, {"msg": "too many requests"}
            else:
                status, body = self.answer(handler.command, parts.path, query, headers)
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        with contextlib.suppress(OSError):
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(data)))
            if status == 429:
                handler.send_header("Retry-After", "1")
            handler.end_headers()
            handler.wfile.write(data)
