"""The journal as the mirror reads it: every record, as it is, in order, from behind the last one of the stream.

It is asked for, in pieces of a message each, and a question about what is not there yet waits at the tickerplant. So a
plant that takes rows does nothing for the mirror's sake but to answer it once a message: nothing is published to it.
"""

import time
from itertools import count

import msgpack
import zmq

from mirror.copying import MESSAGE_BYTES
from plant.errors import JournalError
from plant.journal.files import paths_between, segment_at
from plant.journal.position import Position
from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.stream.mirrored import Before, Declared
from plant.stream.stream import Mark, Stream
from plant.transport import sockets
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.decoding import raw
from plant.wire.record import records
from plant.wire.runs import Run, runs

GATHER_S = 0.02
"""What came within so long goes into one message, unless acknowledgements wait for it: to a server a message costs as
much as 150 kB, whatever is in it."""

ASK_AGAIN_S = 2 * messages.WAIT_S
"""The journal is asked again if it has not answered for so long."""

_REPORT = b"report"
"""Request id of what is told for `plant status`."""


class Source:
    """Reads all tables as the tickerplant declares them, whatever plant.toml says by now.

    gather_s   as GATHER_S, 0.0 to hear of each row at once

    Raises Unavailable while the tickerplant does not answer. One that was `restarted` may declare them otherwise: then
    a new source is needed.
    """

    def __init__(self, settings: Settings, journal: Requester, mark: Mark, gather_s: float = GATHER_S) -> None:
        self._settings, self._journal, self._gather_s = settings, journal, gather_s
        self.epoch = int(journal.status()["epoch"])
        (every,), (in_force,) = journal.ask(**messages.ask_schema(every=True)), journal.ask(**messages.ask_schema())
        self._every = {t.schema_id: t for t in messages.declarations_of(every)}
        declared = messages.declarations_of(in_force)
        self._in_force = [t.schema_id for t in declared]
        schema = Schema(declared)
        self._stream = Stream(schema, schema, mark if mark.seq else 0, raw, runs)
        self._stream.by_id.update(self._every)  # also of tables that are declared no longer
        self._address = settings.journal_address
        self._socket = sockets.connect(sockets.context(), zmq.DEALER, self._address, IMMEDIATE=1)
        self._requests = count(1)
        self._request = b""  # of the question under way, b"" if none is
        self._asked_at = self._not_before = self._reported_at = 0.0
        self._heard_at = time.monotonic()
        self.restarted = False

    @property
    def compared(self) -> bool:
        """Whether the journal was seen to have the stream's last record: until then it may be another one."""
        return not self._stream.in_doubt

    @property
    def connected(self) -> bool:
        """Whether the tickerplant answers."""
        return time.monotonic() - self._heard_at < sockets.SILENCE_S

    @property
    def plant_seq(self) -> int:
        """How far the journal is, as far as is known."""
        return max(self._stream.plant_seq, self._stream.cursor or 0)

    def poll(self, timeout_s: float) -> list[Run]:
        """Return the records that have come. Raises JournalDiverged if the journal has not what the stream has.

        `restarted` from then on tells that another tickerplant answered than the one that told how tables are declared.
        """
        now = time.monotonic()
        if not self._request and (left := self._not_before - now) > 0:
            time.sleep(min(left, timeout_s))
            return []
        if now - max(self._asked_at, self._heard_at) > sockets.SILENCE_S:
            sockets.reconnect(self._socket, self._address)
            self._request = b""
        if not self._request or now - self._asked_at > ASK_AGAIN_S:
            self._ask(now)
        if not self._request or not self._socket.poll(int(timeout_s * 1000)):
            return []
        return self._answered(*self._socket.recv_multipart())

    def lacks(self, first: int, next_seq: int) -> bool:
        """Return whether the journal itself goes on with `next_seq` where `first` should be: it lost those between."""
        _, found = self._journal.ask(**messages.ask_journal(first, check=True, max_bytes=1))
        head = next(records(found), None) if found else None
        return head is not None and head[0].seq == next_seq

    def declared(self, first: int, known: Declared | None) -> Declared:
        """Return how tables are declared, what was known of before included.

        Without that, also where the plant stood before its record `first`. Raises JournalError.
        """
        if known is None:
            return Declared(tuple(self._every.values()), tuple(self._in_force), self._before(first), 0, 0)
        return known.joined(self._every.values(), self._in_force)

    def close(self) -> None:
        """Disconnect."""
        self._socket.close(0)

    def _ask(self, now: float) -> None:
        stream = self._stream
        stream.catch_up()
        seq = stream.wants()
        assert seq is not None
        self._request = next(self._requests).to_bytes(8, "little")
        self._asked_at = now
        waits = not stream.in_doubt  # a journal that ends before what the stream has is to say so at once
        self._send(self._request, messages.ask_journal(seq, stream.checking, MESSAGE_BYTES, waits))
        if now - self._reported_at > messages.REPORT_S:
            self._reported_at = now
            self._send(_REPORT, messages.report(self._settings.source_name("mirror"), stream.progress()))

    def _send(self, request: bytes, question: dict[str, object]) -> None:
        try:
            self._socket.send_multipart([request, msgpack.packb(question)], zmq.NOBLOCK)
        except zmq.Again:
            self._request, self._not_before = b"", time.monotonic() + GATHER_S  # not connected yet

    def _answered(self, request: bytes, status: bytes, head: bytes, *chunk: bytes) -> list[Run]:
        if request != self._request:
            return []
        self._request, self._heard_at = b"", time.monotonic()
        if status == b"error":
            raise messages.refused_of(head)
        beat = messages.beat_of(head)
        if beat.epoch != self.epoch:
            self.restarted = True
            return []
        found = self._stream.replayed(chunk[0], beat.seq, beat.tables, beat.epoch, beat.first_seq)
        if self._stream.catching_up:
            self._ask(self._heard_at)  # to have it while this is written
        elif found:
            self._not_before = self._heard_at + self._gather_s
        return [run for _, run in found]

    def _before(self, first: int) -> Before:
        if first <= 1:
            return Before(0, {}, {})
        folder = self._settings.plant.data / "journal"
        paths = paths_between(folder, first, first)
        if not paths:
            raise JournalError(f"{folder}: seq {first} is in no segment; `plant journal verify` tells")
        position = Position.before(segment_at(paths[0]))
        return Before(position.seq, position.table_seqs, position.sources, position.sessions)
