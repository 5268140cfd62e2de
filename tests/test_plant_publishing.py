"""A publisher's sockets: what it says to a tickerplant, here a ROUTER of the test's own."""

from collections.abc import Iterator

import msgpack
import pytest
import zmq

from plant import publishing, sockets
from plant.errors import SourceTaken, to_wire
from plant.publishing import Publisher
from plant.schema import schema_of


@pytest.fixture
def router() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    """Return a socket to be a tickerplant with, and its address."""
    socket, address = sockets.bind(sockets.context(), zmq.ROUTER, "tcp://127.0.0.1:0")
    yield socket, address
    socket.close(0)


def test_a_publisher_whose_name_was_taken_says_no_more(
    router: tuple[zmq.Socket[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "HELLO_AGAIN_S", 0.02)
    socket, address = router
    feed = Publisher("feed", address, schema_of())
    assert socket.poll(10_000), "no hello"
    peer, verb, _ = socket.recv_multipart()
    assert verb == b"hello"
    told = msgpack.packb(to_wire(SourceTaken("a newer publisher has this name")))
    socket.send_multipart([peer, b"error", told])
    feed._keeper.join(10)
    assert not feed._keeper.is_alive()
    while socket.poll(0):
        socket.recv_multipart()  # hellos that were on their way
    for ask in (feed.flush, feed.wait_connected, lambda: feed.publish("trades", {"time": 1, "sym": "A"})):
        with pytest.raises(SourceTaken, match="a newer publisher"):
            ask()
    assert not socket.poll(100), socket.recv_multipart()
    feed.close()
