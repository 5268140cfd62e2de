"""Requests that are none, sent to a process that answers questions."""

from typing import Any

AT_ONCE = 50
"""As many as are answered before a client has to read."""


def refused(socket: Any, requests: list[list[bytes]]) -> None:
    """Send requests; fail unless each is answered with an error."""
    for start in range(0, len(requests), AT_ONCE):
        some = requests[start : start + AT_ONCE]
        for frames in some:
            socket.send_multipart(frames)
        for _ in some:
            assert socket.poll(5000), "a request was not answered"
            assert b"error" in socket.recv_multipart()
