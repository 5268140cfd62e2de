"""A Finazon for tests, on a free local port: the WebSocket at /v1 and GET /latest/time_series, one server for both.

It speaks what https://finazon.io/docs/ws/latest describes: the key is the parameter `apikey`, subscriptions are
answered, an unsupported ticker and a repeated subscription get an error while the rest of the event holds, a heartbeat
is answered, and a fourth connection is refused. Bars go out when the test says so.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

MAX_CONNECTIONS = 3


class FinazonServer:
    """Use as a context manager; `url` and `rest_url` are what the feed is given.

    supported: tickers that can be subscribed. history: ticker -> rows of {"t","o","h","l","c","v"}.
    first_page: number of the first page of history. silent: True leaves pings and heartbeats unanswered.
    answers: if set, called with each history request's parameters, returns (status, body or location) or None for the
    usual answer. moved_to: if set, connections are sent there by a redirect.
    """

    def __init__(self, key: str, supported: tuple[str, ...] = ("AAPL", "TSLA", "GOOG")) -> None:
        self.key = key
        self.supported = supported
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.first_page = 0
        self.answers: Callable[[dict[str, str]], tuple[int, str] | None] = lambda _: None
        self.silent = False
        self.moved_to = ""
        self.events: list[dict[str, Any]] = []  # what clients sent, oldest first
        self.requests: list[dict[str, str]] = []  # parameters of history requests
        self.authorizations: list[str] = []
        self.refused: list[int] = []  # HTTP status of each refused connection
        self._lock = threading.Lock()
        self._open: list[ServerConnection] = []
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._closing: list[threading.Thread] = []

    def __enter__(self) -> "FinazonServer":
        self._server = serve(self._serve, "127.0.0.1", 0, process_request=self._admit, ping_interval=None)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        for thread in (self._thread, *self._closing):
            thread.join(10)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/v1"

    @property
    def rest_url(self) -> str:
        return self.url.replace("ws://", "http://").replace("/v1", "/latest")

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._open)

    def send(self, *frames: str | bytes | dict[str, Any]) -> None:
        """Push frames to every connected client, as they are or as JSON."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(ConnectionClosed):  # it was dropped, and its thread has not noticed yet
                    for frame in frames:
                        connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def drop(self) -> None:
        """Cut every connection without a close frame, as a dying network does."""
        with self._lock:
            for connection in self._open:
                connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self, code: int, reason: str) -> None:
        """Close every connection with a close frame, not waiting for the answer to it."""
        with self._lock:
            for connection in self._open:
                thread = threading.Thread(target=connection.close, args=(code, reason))
                thread.start()
                self._closing.append(thread)

    def subscriptions(self) -> list[list[str]]:
        """The tickers of each subscribe event so far."""
        return [event["tickers"] for event in list(self.events) if event.get("event") == "subscribe"]

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        parameters = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/latest/time_series":
            return self._history(connection, request.headers.get("Authorization", ""), parameters)
        self._keep_silent_if_asked(connection)
        if self.moved_to:
            self.refused.append(302)
            response = connection.respond(HTTPStatus.FOUND, "moved\n")
            response.headers["Location"] = self.moved_to
            return response
        if parameters.get("apikey") != self.key:
            # An unkind server: the key stands in the body and in a header of its answer.
            self.refused.append(401)
            response = connection.respond(HTTPStatus.UNAUTHORIZED, f"invalid api key {parameters.get('apikey')}\n")
            response.headers["X-Request"] = request.path
            return response
        if self.connections >= MAX_CONNECTIONS:
            self.refused.append(429)
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "too many connections\n")
        return None

    def _keep_silent_if_asked(self, connection: ServerConnection) -> None:
        usual = connection.protocol.recv_frame

        def recv_frame(frame: Frame) -> None:
            if not (self.silent and frame.opcode is Opcode.PING):
                usual(frame)

        connection.protocol.recv_frame = recv_frame  # type: ignore[method-assign]

    def _history(self, connection: ServerConnection, authorization: str, parameters: dict[str, str]) -> Response:
        self.authorizations.append(authorization)
        self.requests.append(parameters)
        given = self.answers(parameters)
        if given is not None:
            response = connection.respond(given[0], given[1])
            if given[0] in (301, 302, 307, 308):
                response.headers["Location"] = given[1]
            return response
        if authorization != f"apikey {self.key}":
            return connection.respond(401, json.dumps({"status": "error", "message": f"bad {authorization}"}))
        rows = [
            row
            for row in self.history.get(parameters["ticker"], [])
            if int(parameters["start_at"]) <= row["t"] <= int(parameters["end_at"])
        ]
        page, size = int(parameters["page"]) - self.first_page, int(parameters["page_size"])
        if page < 0:
            return connection.respond(400, json.dumps({"status": "error", "message": "page must be positive"}))
        return connection.respond(200, json.dumps({"data": rows[page * size : (page + 1) * size]}))

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self._open.append(connection)
        seen: set[str] = set()
        try:
            for text in connection:
                event = json.loads(text)
                self.events.append(event)
                if event["event"] == "subscribe":
                    self._subscribe(connection, event, seen)
                elif event["event"] == "heartbeat" and not self.silent:
                    connection.send(json.dumps({"event": "heartbeat", "status": "success"}))
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self._lock:
                self._open.remove(connection)

    def _subscribe(self, connection: ServerConnection, event: dict[str, Any], seen: set[str]) -> None:
        good = [ticker for ticker in event["tickers"] if ticker in self.supported]
        for ticker in event["tickers"]:
            if ticker in seen:
                connection.send(json.dumps({"status": "error", "message": f"You are already subscribed to {ticker}"}))
            elif ticker not in good:
                message = f"ticker {ticker} you have specified is not supported"
                connection.send(json.dumps({"status": "error", "message": message}))
        seen.update(good)
        data = {name: event[name] for name in ("event", "dataset", "channel", "frequency", "aggregation")}
        answer = {"status": "success", "code": "SUCCESS_SUBSCRIPTION", "data": {**data, "tickers": good}}
        connection.send(json.dumps(answer))
