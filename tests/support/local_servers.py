"""A REST server and a WebSocket server of this machine, as venues and brokers have them, in threads of their own."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.sync.server import Server, ServerConnection, serve


class LocalServers:
    """Ends with `close`; `http` and `ws` are the addresses.

    answer   is handed each request of GET, POST, DELETE and PATCH, and writes the answer
    listen   is handed each connection of the WebSocket
    ports    of the two, 0: any; more: what `websockets.sync.server.serve` takes
    """

    def __init__(
        self,
        answer: Callable[[BaseHTTPRequestHandler], None],
        listen: Callable[[ServerConnection], None],
        ports: tuple[int, int] = (0, 0),
        **more: Any,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            do_POST = do_DELETE = do_PATCH = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._http = Quiet(("127.0.0.1", ports[0]), Handler)
        self._socket: Server = serve(listen, "127.0.0.1", ports[1], ping_interval=None, **more)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.02,)),
            threading.Thread(target=self._socket.serve_forever),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self._socket.socket.getsockname()[1]}"

    def close(self) -> None:
        """End both, and their threads."""
        self._http.shutdown()
        self._http.server_close()
        self._socket.shutdown()
        for thread in self._threads:
            thread.join(10)
