"""A journal read back from a stream of NATS JetStream: what a relay takes of a subscriber.

Records are checked as those of a journal are, and handed on with their bytes. The thread that reads the stream wakes
the tickerplant's poller through a pair of ZeroMQ sockets.
"""

import contextlib
import threading
from collections.abc import Iterator

import zmq

from plant.errors import JournalError, WireError
from plant.rows.schema import Schema, Table
from plant.runtime.lifecycle import log
from plant.runtime.sections import UpstreamSettings
from plant.stream.mirrored import Before, Declared, unpacked_tables
from plant.stream.stream import Mark
from plant.transport import sockets
from plant.wire.decoding import Relayed
from plant.wire.envelope import HEADER_BYTES
from plant.wire.record import records
from tickerplant.upstream.jetstream import Came, StreamThread

HELD_BYTES = 8 * 2**20
"""About so much is read ahead of the tickerplant, and handed on at a time."""


class StreamReader:
    """Hands on the records of a stream behind `mark`, the last record of our journal (0: from the beginning; without a
    checksum if that record was removed here).

    `poll` raises JournalDiverged if the stream has another record in its place, and JournalError if it has lost what is
    wanted, or is damaged. `before` is where the plant stood before the stream's first record, once it is known;
    `redeclared` names the tables of `schema` that the plant which writes the stream declares otherwise.
    """

    def __init__(self, schema: Schema, upstream: UpstreamSettings, mark: Mark) -> None:
        self.before: Before | None = None
        self.redeclared = ""
        self._schema = schema
        self._seq = mark.seq or mark.complete
        self._tables: dict[int, Table] = {}
        self._told_at = 0  # the message that tells how tables are declared now
        self._came: list[Came] = []
        self._came_bytes = 0
        self._lock = threading.Lock()
        self._wrong: Exception | None = None
        address = f"inproc://stream-{id(self)}"
        self._woken, self._waking = (sockets.context().socket(zmq.PAIR) for _ in range(2))
        self._woken.bind(address)
        self._waking.connect(address)  # used by the thread alone, from now on
        self._thread = StreamThread(upstream, mark, self._hand, self._ended)

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """The socket that becomes readable when `poll` has something to do."""
        return (self._woken,)

    @property
    def connected(self) -> bool:
        """Whether the stream is followed."""
        return self._thread.connected

    def poll(self, _timeout_s: float) -> list[Relayed]:
        """Return the records that have come."""
        with contextlib.suppress(zmq.Again):
            while True:
                self._woken.recv(zmq.NOBLOCK)
        if self._wrong is not None:
            raise self._wrong
        found: list[Relayed] = []
        with self._lock:
            some, self._came, self._came_bytes = self._came, [], 0
        for came in some:
            if came.of_records:
                found += self._records(came)
            else:
                self._learn(came.js_seq, unpacked_tables(came.body))
        return found

    def close(self) -> None:
        """Disconnect."""
        self._thread.close()
        self._waking.close(0)
        self._woken.close(0)

    def _records(self, came: Came) -> Iterator[Relayed]:
        """Yield the records of a message. Raises JournalError for one that cannot be what a mirror wrote."""
        where = f"message {came.js_seq} of the stream"
        try:
            for header, start in records(came.body):
                table = self._tables.get(header.schema_id)
                if table is None:
                    raise JournalError(f"{where}: seq {header.seq} is of a table that the stream does not declare")
                if not self._seq and self.before is not None:
                    self._begin(self.before, header.seq, came.trimmed)
                if header.seq <= self._seq:
                    raise JournalError(f"{where}: seq {header.seq} comes behind {self._seq}; it is no mirror's")
                if header.seq > self._seq + 1:
                    log.warning(
                        "skipped, as in the journal that was mirrored", first=self._seq + 1, last=header.seq - 1
                    )
                self._seq = header.seq
                yield table, header, came.body[start - HEADER_BYTES : start + header.length]
        except WireError as error:
            raise JournalError(f"{where} is damaged: {error}; `plant mirror verify` tells") from None

    def _begin(self, before: Before, first: int, trimmed: bool) -> None:
        """Begin a journal with the stream's first record. Raises JournalError if it is not the first one any more."""
        if trimmed and first > before.seq + 1:
            raise JournalError(
                f"the stream begins with seq {first} by now, what came behind {before.seq} was removed by its "
                "retention: a plant cannot begin there. Put a copy of the journal's folder of another plant that "
                "follows it in place of this one's"
            )
        self._seq = before.seq

    def _learn(self, js_seq: int, declared: Declared) -> None:
        self._tables |= {table.schema_id: table for table in declared.every}
        self.before = declared.before
        if js_seq < self._told_at:
            return  # read on the way to what is declared now
        self._told_at = js_seq
        names = {schema_id: table.name for schema_id, table in self._tables.items()}
        theirs = {names[schema_id]: schema_id for schema_id in declared.in_force if schema_id in names}
        ours = {name: table.schema_id for name, table in self._schema.items()}
        self.redeclared = ", ".join(name for name, schema_id in theirs.items() if ours.get(name) != schema_id)

    # The thread calls these.

    def _hand(self, came: Came) -> bool:
        """Take a message; return whether there is room. One that finds none is taken once there is."""
        with self._lock:
            if self._came and self._came_bytes + len(came.body) > HELD_BYTES:
                return False
            self._came.append(came)
            self._came_bytes += len(came.body)
        self._wake()
        return True

    def _ended(self, error: Exception) -> None:
        self._wrong = error
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(zmq.Again):  # it is awake
            self._waking.send(b"", zmq.NOBLOCK)
