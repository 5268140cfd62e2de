"""A tickerplant for tests of publishers, which does only what it is told to."""

from typing import Any

import msgpack
import zmq
from random_rows import columns_from

from plant.rows.tables import schema_of
from plant.transport import sockets
from plant.wire import record
from plant.wire.messages import ack
from plant.wire.record import decode

SCHEMA = schema_of()
ROWS = 500


class ScriptedTickerplant:
    """An ingest socket that welcomes, hears and acknowledges when it is told to."""

    def __init__(self, address: str = "tcp://127.0.0.1:0") -> None:
        self.socket, self.address = sockets.bind(sockets.context(), zmq.ROUTER, address)
        self.peer = b""
        self.source_seq = 0

    def hear(self) -> bytes:
        """Return the verb of the next message."""
        assert self.socket.poll(10_000), "the publisher says nothing"
        self.peer, verb, self.body = self.socket.recv_multipart()
        return verb

    def say(self, verb: bytes, body: bytes) -> None:
        """Send a message to the publisher that was heard last."""
        self.socket.send_multipart([self.peer, verb, body])

    def welcome(self) -> None:
        """Answer a hello of a publisher of which no row is known."""
        assert self.hear() == b"hello"
        self.say(b"welcome", msgpack.packb({"source_seq": 0, "seq": 0}))

    def rows_of(self, records: int) -> list[float]:
        """Take so many new records, acknowledge them, and return the sizes of their trades."""
        found: list[float] = []
        while records:
            if self.hear() == b"hello":  # it waited long, and wants to know
                self.say(b"welcome", msgpack.packb({"source_seq": self.source_seq, "seq": 1}))
                continue
            for header, start in record.records(self.body):
                if header.source_seq > self.source_seq:
                    payload = memoryview(self.body)[start : start + header.length]
                    found += decode(SCHEMA["trades"], header, payload).columns["size"].tolist()
                    self.source_seq = header.source_seq
                    records -= 1
            self.say(*ack(self.source_seq, 1))
        return found


def trades(first: int) -> dict[str, Any]:
    """Return ROWS trades whose sizes are numbers from `first` on."""
    sizes = [float(n) for n in range(first, first + ROWS)]
    times = [1_763_640_000_000_000_000] * ROWS
    plain = {"time": times, "sym": ["A"] * ROWS, "price": [1.0] * ROWS, "size": sizes, "source": ["s"] * ROWS}
    return columns_from(SCHEMA["trades"], {**plain, "trade_id": [""] * ROWS})
