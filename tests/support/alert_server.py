"""A real HTTP server that receives alerts as Apprise's json:// sends them; it can refuse, or hang."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class AlertServer:
    """Listens on 127.0.0.1, as a context manager. `received` are the alerts, in order, `paths` where each came.

    before   called with each alert before it is answered
    status   what it answers
    hang     while it is not set, no request is answered
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.before: Any = lambda alert: None
        self.hang = threading.Event()
        self.hang.set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                alert = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.received.append(alert)
                owner.paths.append(self.path)
                owner.before(alert)
                owner.hang.wait(60)
                try:
                    self.send_response(owner.status)
                    self.end_headers()
                except OSError:
                    pass  # the monitor was killed meanwhile

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.address = f"json://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def titles(self) -> list[str]:
        """Return what each alert is about."""
        return [alert["title"] for alert in self.received]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
