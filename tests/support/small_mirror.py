"""A mirror as small as can be: it copies a plant's records into another journal's folder, and tells the plant of it."""

import threading
from pathlib import Path
from typing import Any

import msgpack

from plant.errors import JournalError, Unavailable
from plant.journal.journal import Journal
from plant.rows.schema import Schema, Table
from plant.stream.stream import Mark
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.envelope import HEADER_BYTES, Header
from plant.wire.runs import Run


class SmallMirror:
    """Follows a plant in a thread from where the journal in `folder` ends; that journal stands for the stream.

    `copied` is the seq it ends at.
    """

    def __init__(self, schema: Schema, publish: str, journal: str, folder: Path) -> None:
        self.journal = Journal(folder, schema)
        self._tells = True
        self._telling = threading.Lock()
        self.failure: Exception | None = None
        newest = self.journal.newest()
        cursor = Mark(newest.seq, newest.seq, newest.header_crc) if newest else 0
        self._subscriber = Subscriber(schema, schema, publish, journal, cursor=cursor, name="mirror", decode=as_it_is)
        self._control = Requester(journal, "tickerplant", 2.0)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
        self._thread.start()

    @property
    def copied(self) -> int:
        """The seq up to which the plant's journal was copied."""
        return self.journal.position.seq

    def hush(self) -> None:
        """Copy on, and tell the plant nothing more of it."""
        with self._telling:
            self._tells = False

    def close(self) -> None:
        """End; what was copied stays in the folder."""
        self._ending.set()
        self._thread.join()
        self._subscriber.close()
        self._control.close()
        self.journal.close()

    def _run(self) -> None:
        told = 0
        try:
            while not self._ending.is_set():
                came: list[tuple[Table, Header, bytes]] = self._subscriber.poll(0.02)
                if came:
                    self.journal.append([record for *_, record in came], came[0][1].seq)
                    for table, header, _ in came:
                        self.journal.position.advance(header, table.name)
                with self._telling:
                    if self._tells and self.copied > told and self._subscriber.connected:
                        told = self._told()
        except Exception as error:
            self.failure = error

    def _told(self) -> int:
        try:
            said = messages.mirrored(self.copied, self._subscriber.epoch)
            return int(msgpack.unpackb(self._control.ask(**said)[0])["mirrored"])
        except (Unavailable, JournalError):
            return 0

    def diverge(self, reason: str) -> Any:
        """Tell the plant that another one took the stream over."""
        return msgpack.unpackb(self._control.ask(**messages.diverged(reason))[0])


def as_it_is(table: Table, run: Run) -> tuple[Table, Header, bytes]:
    """Return a record's table, its envelope, and all of its bytes."""
    start, header = run.starts[0], run.first
    return table, header, run.message[start - HEADER_BYTES : start + header.length]
