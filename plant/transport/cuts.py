"""Notices that the connection of a socket was lost, before anything that comes by the next one is taken."""

from typing import Any

import zmq


class Cuts:
    """Watches a connected socket; ask after each reading of it.

    ZeroMQ connects again by itself and says nothing of what it lost meanwhile. Its event of the loss is there before
    the first message of the new connection is: whoever reads, and then asks, knows of it in time.
    """

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._events = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def there_were(self) -> bool:
        """Return whether the connection was lost since this was asked last."""
        found = False
        while self._events.poll(0):
            self._events.recv_multipart()
            found = True
        return found

    def close(self) -> None:
        """Watch no more; before the socket is closed."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._events.close(0)
