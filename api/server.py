"""The HTTP server in a thread: uvicorn on a socket of ours, with bounds on connections, and on slow ones."""

import asyncio
import contextlib
import json
import logging
import resource
import socket
import threading
from typing import Any

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.answers.problems import MEDIA, Problem
from api.taking import TAKES_NOTHING_S, Taking, Waits
from plant.errors import SettingsError
from plant.runtime.service import ApiSettings

log = structlog.get_logger()

HEADERS_S = 10.0
"""A connection that has sent no whole request within so long is closed."""

KEEP_ALIVE_S = 30.0

BACKLOG = 512

LOOK_S = 5.0
"""So often is looked at what waits for each connection (api.taking)."""

RESERVED_FILES = 512
"""Of the files that the process may open, so many are not for connections."""

_BUSY = json.dumps(
    Problem("rate_limited", "too many connections are open; close some, or try again in a second").body("connection")
).encode()
_REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


def most_connections() -> int:
    """Return how many connections may be open at once, by the files that may be; that limit is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(soft - RESERVED_FILES, 64)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that refuses connections beyond `most`, and closes those that do not say what they want."""

    most = 1000

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it with an answer."""
        super().connection_made(transport)
        self._waiting, self._resumed = None, 0
        if len(self.connections) > self.most:
            transport.write(_REFUSAL)
            transport.close()
            return
        self._waiting = self.loop.call_later(HEADERS_S, self._late)

    def handle_events(self) -> None:
        """Take what has come; once that is a whole request, its sender is not late."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self._waiting is not None:
            self._waiting.cancel()

    def resume_writing(self) -> None:
        """Write on: the other side has taken something."""
        self._resumed += 1
        super().resume_writing()

    @property
    def waits(self) -> Waits | None:
        """What waits for the other side while nothing more is written, None if more is, or nothing waits."""
        left = self.transport.get_write_buffer_size()
        over = self.cycle is None or self.cycle.response_complete or self.transport.is_closing()
        return Waits(self, left, (self.cycle, self._resumed)) if left and (over or self.flow.write_paused) else None

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand over to the protocol of WebSockets, which has bounds of its own."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request, which may not take longer either."""
        super().on_response_complete()
        if self._waiting is not None and not self.transport.is_closing():
            self._waiting.cancel()
            self._waiting = self.loop.call_later(KEEP_ALIVE_S + HEADERS_S, self._late)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        body = json.dumps(Problem("malformed", msg).body("connection")).encode()
        headers = [(b"content-type", MEDIA.encode()), (b"connection", b"close")]
        headers.append((b"content-length", str(len(body)).encode()))
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def _late(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose end waits for one who takes nothing no longer than an answer; until then the hub sees to it."""

    @property
    def waits(self) -> Waits | None:
        """What waits for the other side while it is being closed, None for nothing."""
        left = self.transport.get_write_buffer_size()
        return Waits(self, left) if left and self.transport.is_closing() else None


class ServerThread:
    """Runs an app, from construction to close."""

    def __init__(self, app: Any, settings: ApiSettings) -> None:
        self._socket = bound(settings)
        host, port = self._socket.getsockname()[:2]
        self.url = settings.model_copy(update={"host": host, "port": port}).url
        protocol = type("Protocol", (BoundedProtocol,), {"most": most_connections()})
        tls: dict[str, Any] = (
            {"ssl_certfile": settings.tls_cert, "ssl_keyfile": settings.tls_key} if settings.tls_cert else {}
        )
        config = uvicorn.Config(
            app,
            http=protocol,
            ws=BoundedWebSocket,
            ws_max_size=64 * 1024,
            ws_ping_timeout=60.0,  # who is slow answers late, behind all that waits for him
            ws_per_message_deflate=False,  # it would pack the same rows once for each client
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(KEEP_ALIVE_S),
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
            **tls,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:
            raise SettingsError(f"[api] tls_cert, tls_key: {error}") from None
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what clients send wrong is counted, not told
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Answer what is under way, and stop."""
        self._server.should_exit = True
        self._thread.join(8)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (Exception, SystemExit) as error:
            log.error("the HTTP server ended", error=repr(error), exc_info=error)

    async def _serve(self) -> None:
        looking = asyncio.create_task(self._look_at_all())
        try:
            await self._server.serve([self._socket])
        finally:
            looking.cancel()

    async def _look_at_all(self) -> None:
        """Cut connections that take nothing of what waits for them."""
        taking, now = Taking(TAKES_NOTHING_S), asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_S)
            connections: list[Any] = list(self._server.server_state.connections)
            waiting = [found for one in connections if (found := one.waits) is not None]
            cut: list[Any] = taking.look(waiting, now())
            for each in cut:
                log.info("a connection is cut", why=f"it took nothing for {TAKES_NOTHING_S:g} s")
                each.transport.abort()


def bound(settings: ApiSettings) -> socket.socket:
    """Return a listening socket at [api] host and port; port 0 is one that the system picks."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise SettingsError(
            f"[api] cannot listen at {settings.host}:{settings.port}: {error.strerror or error}; is another service "
            "there? Give this one another port"
        ) from None
    return made
