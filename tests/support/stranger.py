"""A program that has the port of a tickerplant for a while and speaks something else behind ZeroMQ's greeting."""

import contextlib
import socket
import threading

_GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL".ljust(64, b"\0")
"""ZMTP 3.0, https://rfc.zeromq.org/spec/23: ZeroMQ gives a connection up for good that goes wrong behind this."""


class Stranger:
    """Listens on `port` of this machine until it is closed; `met` is set once it has said its nonsense to someone."""

    def __init__(self) -> None:
        self.met = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the port."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near, contextlib.suppress(OSError):
                near.recv(64)
                near.sendall(_GREETING + b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
                while near.recv(4096):
                    pass
            self.met.set()
