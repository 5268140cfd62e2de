"""Follow tables of the plant: replay from a position, then live, with no seam (plant.stream.stream holds the logic)."""

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack
import zmq

from plant.errors import Unavailable
from plant.rows.batch import Batch
from plant.rows.evolution import as_declared
from plant.rows.schema import Schema, Table
from plant.stream.addresses import Addresses
from plant.stream.narrowing import Wanted, conflated
from plant.stream.stream import Mark, Stream
from plant.transport import sockets
from plant.transport.cuts import Cuts
from plant.transport.forking import begins_anew
from plant.transport.spinning import Poller
from plant.wire import messages
from plant.wire.decoding import Decode, Merge, decoded, raw
from plant.wire.runs import runs, singly

ASK_AGAIN_S = 2.0
"""Pause before asking the journal again if it did not answer."""

DRAIN_TURNS = 100
"""A conflating subscriber looks so often for more before it hands on the newest rows, however fast they come."""

READ_BYTES = 8 * 2**20
"""About so much is read before it is handed on, so that a subscriber that is behind needs no more memory than that."""

_IN_FORCE, _EVERY = b"in force", b"every"
"""Request ids of the questions how tables are declared, and how records of the journal were."""


class Subscriber:
    """The sockets around a Stream. Use from one thread; iterate, or `poll` within a loop of one's own.

    Records that were journaled when their table was declared otherwise are handed on with the columns it has in
    `schema` (plant.rows.evolution).

    publish, journal   addresses of the tickerplant's sockets
    standby            those of plants that follow it, (publish, journal) each: on from one that is silent or fenced to
                       the next, and `sockets` are others then. Raises JournalDiverged if that one never got what was
                       handed on here
    tables             names
    cursor             seq of the last record already known: 0 for the whole journal, None for only what comes now; or
                       the `stream.mark` that an earlier subscriber to these tables saved
    keep               turns a batch into what is handed on, or None to pass over it
    conflate           hand on only the newest row of each key (of each symbol, in a table without a key) of what came
                       since the last poll: for a screen that need not see every step
    name               under which `plant status` shows how far it is behind; "" for script and pid
    merge              hand on many neighbouring batches of a table as one: faster, but it then has the seq of its last
                       row
    by_table           and those between which are only other tables': batches are in order within each table then, and
                       not among tables
    decode             as in plant.stream.stream.Stream
    as_journaled       hand on records with the columns they were journaled with
    in_order           also after a lost connection hand on nothing before what was lost, whatever its table: for who
                       depends on the order among tables
    spin_us            look for so long before falling asleep, as in plant.transport.spinning.Poller
    """

    def __init__(
        self,
        schema: Schema,
        tables: Iterable[str],
        publish: str,
        journal: str,
        *,
        cursor: int | Mark | None = 0,
        keep: Wanted | None = None,
        conflate: bool = False,
        name: str = "",
        merge: bool = False,
        by_table: bool = False,
        decode: Decode = decoded,
        as_journaled: bool = False,
        in_order: bool = False,
        spin_us: float = 0.0,
        standby: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._spin_us, self._in_order = spin_us, in_order
        self.stream = Stream(schema, tables, cursor, *((raw, runs) if merge else (decode, singly)))
        self._merge = Merge(by_table, self.stream.unreadable) if merge else None
        self._as_journaled = as_journaled
        self._tables = {name: schema[name] for name in self.stream.names}
        self._grown: set[str] = set()  # tables that were declared otherwise
        self._in_force: dict[str, int] = {}  # the schema id that the plant gives each table
        self.redeclared = ""  # tables that the plant declares otherwise since we follow it
        self.epoch = self._declared_in = 0  # of the tickerplant that beats, and of the one that told the declarations
        self.name = name or f"{Path(sys.argv[0]).stem or 'python'}-{os.getpid()}"
        self._addresses = Addresses(((publish, journal), *standby), time.monotonic())
        self.role = ""  # of the plant that beats, as in plant.wire.messages.Beat
        self._passed_over = False  # its journal is not the one to read
        self._keep = keep
        self._conflate = conflate
        self._reported = 0.0
        self._request = 0
        self._asked_seq = 0
        self.confirmed = 0  # the plant's word on the seq up to which its days are closed
        self.synced = 0  # and up to which its journal is fsynced
        self._closed = self._forked = False
        self._connect()
        begins_anew(self)

    @property
    def publish_address(self) -> str:
        """Of the plant that is followed now."""
        return self._addresses.present[0]

    def _connect(self) -> None:
        context = sockets.context()
        publish, journal = self._addresses.present
        self._live = sockets.connect(context, zmq.SUB, publish, RCVHWM=1000)
        self._cuts = Cuts(self._live) if self._in_order else None
        self._journal = sockets.connect(context, zmq.DEALER, journal, IMMEDIATE=1)
        for table in self.stream.names:
            self._live.subscribe(messages.topic_of(table))
        self._live.subscribe(messages.BEAT_TOPIC)  # last: its beat says that the others are in force
        self._poller = Poller((self._live, self._journal), self._spin_us)
        self._asked: float | None = None
        self._beat_at: float | None = None
        self._passed_over = False

    def forked(self) -> None:
        """Connect anew at the next poll, in the child of a fork, and go on where the parent was."""
        self._forked = True
        self.name = f"{self.name}/{os.getpid()}"

    @property
    def connected(self) -> bool:
        """Whether the tickerplant beats."""
        return self._beat_at is not None and time.monotonic() - self._beat_at < sockets.SILENCE_S

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """The sockets that become readable when `poll` has something to do."""
        return (self._live, self._journal)

    @property
    def caught_up(self) -> bool:
        """Whether everything the journal held has been handed on."""
        return not self.stream.catching_up

    @property
    def lag(self) -> int:
        """Batches of the plant (of all tables) that were not yet seen, as of the last beat."""
        return max(self.stream.plant_seq - (self.stream.cursor or 0), 0) if self.stream.catching_up else 0

    def poll(self, timeout_s: float) -> list[Any]:
        """Return what has come, waiting at most `timeout_s` for the first of it."""
        if self._forked:
            self._forked = False
            self._connect()
            self.stream.catch_up()
        self._ask_journal()
        ready = self._poller.poll(int(timeout_s * 1000))
        found: list[Any] = []
        if self._live in ready:
            self._read_live(found)
        else:
            self._reconnect_if_silent()  # not of one who did not listen: what was said meanwhile is in the queue
        if self._journal in ready:
            self._read_journal(found)
        self._ask_journal()
        self._report()
        if self._merge is not None:
            found = self._merge.batches(found)
        if self._grown and not self._as_journaled:
            found = [as_declared(b, self._tables[b.table]) if b.table in self._grown else b for b in found]
        if self._conflate and found:
            for _ in range(DRAIN_TURNS):
                if not (more := self._drained()):
                    break
                found += more
            found = conflated(found)
        if self._keep is None:
            return found
        return [kept for batch in found if (kept := self._keep(batch)) is not None]

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches for ever; raises Unavailable if the tickerplant cannot be reached at the start."""
        deadline = time.monotonic() + 10.0
        while not self._closed:
            yield from self.poll(0.5)
            if self._beat_at is None and time.monotonic() > deadline:
                raise Unavailable(
                    f"no tickerplant at {self.publish_address} within 10 s; is the plant up? `plant status` tells"
                )

    def close(self) -> None:
        """Disconnect; an iteration under way ends."""
        self._closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        if self._cuts is not None:
            self._cuts.close()
        self._live.close(0)
        self._journal.close(0)

    def __del__(self) -> None:
        if hasattr(self, "_journal"):  # a for loop that was left need not close anything
            self.close()

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drained(self) -> list[Any]:
        """Return what else is there already."""
        found: list[Any] = []
        self._read_live(found)
        if self._journal.poll(0):
            self._read_journal(found)
        self._ask_journal()
        return found

    def _report(self) -> None:
        """Tell the tickerplant how far we are, so that `plant status` can show it; nothing waits for its answer."""
        now = time.monotonic()
        if now - self._reported < messages.REPORT_S or self._beat_at is None:
            return
        self._reported = now
        with contextlib.suppress(zmq.Again):
            self._send(b"report", messages.report(self.name, self.stream.progress()))

    def _reconnect_if_silent(self) -> None:
        now = time.monotonic()
        if not self._addresses.due(now, sockets.SILENCE_S):
            return
        before = self._addresses.present
        if self._addresses.go_on(now) != before:
            self._disconnect()
            self._connect()
            self._request += 1  # what the other plant was asked is not wanted any more
            self.stream.catch_up()
            return
        self._asked = None
        for socket, address in zip(self.sockets, before, strict=True):
            sockets.reconnect(socket, address)

    def _read_live(self, found: list[Batch]) -> None:
        came = self._came(1000, READ_BYTES)
        if cut := self._cuts is not None and self._cuts.there_were():
            came += self._came(sys.maxsize, sys.maxsize)
            self._request += 1
            self.stream.catch_up()  # what came by the new connection waits until the journal told what was before it
        self._take_live(came, found)
        if cut:  # which is asked once a beat came by the new connection: until then more may get lost
            self._asked = self._beat_at = None

    def _came(self, most: int, room: int) -> list[list[bytes]]:
        came: list[list[bytes]] = []
        while len(came) < most and room > 0:
            try:
                came.append(self._live.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            room -= sum(map(len, came[-1]))
        return came

    def _take_live(self, came: list[list[bytes]], found: list[Batch]) -> None:
        for topic, *published in came:
            if topic == messages.BEAT_TOPIC:
                beat = messages.beat_of(published[0])
                self._beat_at, self.epoch = time.monotonic(), beat.epoch
                self._judge(beat)
                self.confirmed, self.synced = max(self.confirmed, beat.confirmed), beat.synced
                self.stream.beat(beat.tables, beat.seq, beat.epoch)
            else:
                for message in published:
                    found += self.stream.live(message)

    def _judge(self, beat: messages.Beat) -> None:
        """Decide whether this plant is the one to follow: not if it is fenced, nor while it lags behind the one before.

        One that follows gets what it lacks if that plant lives; else what it lacks is known once it follows no more.
        """
        self.role, now = beat.role, time.monotonic()
        behind = beat.role == messages.FOLLOWS and beat.seq < (self.stream.cursor or 0)
        fenced = beat.role == messages.FENCED
        several = self._addresses.several
        self._passed_over = behind or (fenced and several)
        if not (several and self._passed_over):
            self._addresses.heard(now)
            self._addresses.welcomed()
        elif fenced:
            self._addresses.refused(now)

    def _ask_journal(self) -> None:
        seq = self.stream.wants()
        now = time.monotonic()
        if seq is None or self._beat_at is None or self._passed_over:
            return
        if self._asked is not None and seq == self._asked_seq and now - self._asked < ASK_AGAIN_S:
            return
        try:
            self._request += 1  # what was asked before is not wanted any more
            if self._declared_in != self.epoch:
                self._send(_IN_FORCE, messages.ask_schema())
                self._send(_EVERY, messages.ask_schema(every=True))
            else:
                self._send(self._request.to_bytes(8, "little"), messages.ask_journal(seq, self.stream.checking))
            self._asked, self._asked_seq = now, seq
        except zmq.Again:
            pass  # not connected yet: the next poll asks

    def _send(self, request: bytes, question: Mapping[str, Any]) -> None:
        self._journal.send_multipart([request, msgpack.packb(question)], zmq.NOBLOCK)

    def _learn_in_force(self, tables: Iterable[Table]) -> None:
        """Note which tables are declared otherwise than before."""
        before, self._in_force = self._in_force, {t.name: t.schema_id for t in tables}
        changed = [name for name, schema_id in self._in_force.items() if before.get(name) != schema_id]
        self.redeclared = ", ".join(changed) if before else ""

    def _learn_every(self, tables: Iterable[Table]) -> None:
        """Know records of the followed tables whatever those were declared like; now the journal can be read."""
        for table in tables:
            if table.name in self._tables and table.schema_id not in self.stream.by_id:
                self.stream.by_id[table.schema_id] = table
                self._grown.add(table.name)
        self._declared_in, self._asked = self.epoch, None

    def _read_journal(self, found: list[Batch]) -> None:
        request, status, head, *chunk = self._journal.recv_multipart()
        if request in (_IN_FORCE, _EVERY) and status == b"ok":
            tables = messages.declarations_of(head)
            self._learn_in_force(tables) if request == _IN_FORCE else self._learn_every(tables)
            return
        if request != self._request.to_bytes(8, "little"):
            return
        self._asked = None
        if self._asked_seq != self.stream.wants():
            return  # a restart came between: the question is another now
        if status == b"error":
            raise messages.refused_of(head)
        beat = messages.beat_of(head)
        self.epoch = beat.epoch
        found += self.stream.replayed(chunk[0], beat.seq, beat.tables, beat.epoch, beat.first_seq)
