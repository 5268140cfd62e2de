"""A tickerplant in the test's own process: its turns are given to it, and what it says is written down."""

from collections import deque
from pathlib import Path
from typing import Any

import msgpack
import zmq
from random_rows import columns_from, trades

from plant.rows.tables import schema_of
from plant.runtime.sections import PlantSettings, TickerplantSettings
from plant.runtime.settings import Settings
from plant.wire.record import encode, records, source_id_of
from tickerplant.__main__ import Tickerplant


class Wire:
    """Stands for a socket: gives what waits in it, and writes down what is sent."""

    def __init__(self, log: list[Any]) -> None:
        self.waiting: deque[list[bytes]] = deque()
        self.log = log

    def recv_multipart(self, flags: int = 0) -> list[bytes]:
        if not self.waiting:
            raise zmq.Again
        return self.waiting.popleft()

    def send_multipart(self, frames: list[Any], flags: int = 0, copy: bool = True) -> None:
        self.log.append([bytes(frame) for frame in frames])


class Plant:
    """A tickerplant whose ingest and publish sockets are ours; `log` holds what it did, in order."""

    def __init__(self, folder: Path, sync: str, **keys: Any) -> None:
        settings = Settings(
            plant=PlantSettings(data=folder),
            tickerplant=TickerplantSettings(
                ingest_port=0, publish_port=0, journal_port=0, sync=sync, compress=False, **keys
            ),
        )
        self.log: list[Any] = []
        self.settings = settings
        self.start()

    def start(self) -> None:
        """Start the process, the first time or once `close` has ended it."""
        self.process = Tickerplant(self.settings)
        self.process.startup()
        self.sockets = (self.process.ingest, self.process.fan_out.socket)
        self.ingest = Wire(self.log)
        self.process.ingest = self.ingest  # type: ignore[assignment]
        self.process.fan_out.socket = Wire(self.log)  # type: ignore[assignment]

    def turn(self, *messages: list[bytes]) -> list[Any]:
        """Take these messages as one turn; return what was sent meanwhile, by the first two frames."""
        self.log.clear()
        self.ingest.waiting += [[b"peer", *message] for message in messages]
        self.process._turn()
        return [tuple(entry[:2]) if entry[0] == b"peer" else entry[0] for entry in self.log]

    def journaled(self) -> list[int]:
        """Return the source_seq of every record in the journal."""
        return [header.source_seq for header, _ in records(self.process.journal.segments.read(1))]

    def close(self) -> None:
        """End the process."""
        self.process.ingest, self.process.fan_out.socket = self.sockets
        self.process.shutdown()


def hello(session: int = 1) -> list[bytes]:
    """Return the hello of the publisher `feed`."""
    return [b"hello", msgpack.packb({"source": "feed", "session": session})]


def upd(last: int, price: float = 1.0) -> list[bytes]:
    """Return one trade of it, its row `last`."""
    table = schema_of()["trades"]
    columns = columns_from(table, trades(last, 1) | {"price": [price]})
    return [b"upd", bytes(encode(table, columns, source_id_of("feed"), last))]
