"""A connection that is given up is closed as the protocol has it, and whoever does not answer is not waited for."""

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from plant.transport.secret import Secret
from plant.transport.websocket import CLOSE_S, WebSocket


def socket_to(port: int) -> WebSocket:
    return WebSocket("venue", f"ws://127.0.0.1:{port}", Secret(""), 20.0, time.monotonic)


@pytest.fixture
def venue() -> Iterator[tuple[int, list[int | None]]]:
    """A venue that keeps sending; its port, and the codes with which connections ended."""
    ended: list[int | None] = []

    def talk(connection: ServerConnection) -> None:
        try:
            for number in range(10_000):
                connection.send(f"frame {number}" * 50)
        except ConnectionClosed:
            pass
        finally:
            ended.append(connection.close_code)

    with serve(talk, "127.0.0.1", 0, ping_interval=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], ended
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(
    "given", [{"refused": True}, {"wait_s": 60.0}, {"ended": True}, {}], ids=["refused", "wait", "ended", "stale"]
)
def test_the_venue_is_told_that_we_close(
    venue: tuple[int, list[int | None]], given: dict[str, Any], eventually: Callable[..., Any]
) -> None:
    port, ended = venue
    client = socket_to(port)
    assert client.open([])
    assert client.receive(5.0)
    client.drop("it is enough", **given)
    assert not client.connected
    eventually(lambda: ended == [1000], 10, lambda: ended)
    client.drop("and once more")
    client.close()


def test_a_venue_that_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def admit() -> None:
            connection, _ = server.accept()
            request = connection.recv(4_096).decode()
            key = next(line.split(": ")[1] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
            digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            upgrade += f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
            connection.sendall(upgrade.encode())
            accepted.append(connection)

        thread = threading.Thread(target=admit)
        thread.start()
        client = socket_to(server.getsockname()[1])
        assert client.open([])
        thread.join(10)
        begun = time.monotonic()
        client.drop("it is silent")
        took_s = time.monotonic() - begun
        accepted[0].close()
    assert CLOSE_S * 0.9 <= took_s < CLOSE_S + 5.0
    assert client.state.name == "reconnecting"
