"""Who takes nothing of an answer is cut after a while, and who takes it slowly is not; also on sockets."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Response, WebSocket

from api import server
from api.server import ServerThread
from api.taking import Taking, Waits
from plant.runtime.service import ApiSettings

BYTES = 16 * 2**20
"""More than the system keeps of a connection."""


def test_who_takes_nothing_is_cut_and_nobody_else() -> None:
    taking = Taking(30.0)
    for now in range(0, 30, 5):
        waits = [Waits("never", 900, 1), Waits("slow", 900 - now, 1), Waits("asks", 900, now)]
        assert taking.look(waits, now) == []
    assert taking.look([Waits("never", 900, 1), Waits("slow", 870, 1), Waits("asks", 990, 30)], 30) == ["never"]


def test_what_was_taken_before_counts_from_then_and_what_is_written_again_anew() -> None:
    taking = Taking(30.0)
    assert taking.look([Waits("a", 900)], 0) == []
    assert taking.look([Waits("a", 899)], 20) == []
    assert taking.look([Waits("a", 899)], 49) == []
    assert taking.look([Waits("a", 899)], 50) == ["a"]
    assert taking.look([], 51) == []
    assert len(taking) == 0, "nothing is kept of what waits no more"
    assert taking.look([Waits("a", 899)], 52) == []


class Served:
    """A server of large answers, and what it keeps."""

    def __init__(self) -> None:
        app = FastAPI()

        @app.get("/large")
        async def large() -> Response:
            return Response(b"x" * BYTES)

        @app.websocket("/ws")
        async def stream(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text("x" * BYTES)
            with contextlib.suppress(TimeoutError):  # as api.streams.websocket ends one who takes nothing
                async with asyncio.timeout(0.1):
                    await websocket.close()

        self.thread = ServerThread(app, ApiSettings(port=0))
        self.place = urlsplit(self.thread.url)

    @property
    def connections(self) -> int:
        return len(self.thread._server.server_state.connections)

    def opened(self, sent: str) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        made.connect((self.place.hostname, self.place.port))
        made.sendall(sent.encode())
        return made


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(server, "LOOK_S", 0.1)
    monkeypatch.setattr(server, "TAKES_NOTHING_S", 1.0)
    made = Served()
    yield made
    made.thread.close()


LARGE = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize("sent", [LARGE, LARGE + LARGE, UPGRADE], ids=["answer", "two at once", "stream"])
def test_an_answer_that_is_never_read_is_not_kept(served: Served, sent: str, eventually: Callable[..., Any]) -> None:
    with served.opened(sent) as client:
        eventually(lambda: served.connections == 1)
        eventually(lambda: served.connections == 0, 30.0)
        assert sum(map(len, iter(lambda: client.recv(2**20), b""))) < BYTES, "the rest is no longer there"


def test_an_answer_that_is_read_slowly_arrives(served: Served) -> None:
    with served.opened(LARGE.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")) as client:
        found, began = 0, time.monotonic()
        while part := client.recv(2**20):
            found += len(part)
            if time.monotonic() - began < 3.0:  # thrice as long as one who takes nothing would have
                time.sleep(0.05)
    assert found > BYTES
