"""Publish rows into the plant: acknowledged, sent again when in doubt, and never twice.

Any thread may publish. While fewer than WINDOW records are unacknowledged, a row is sent at once, by the call itself,
so that an idle plant sees it within microseconds. Beyond that rows gather until an acknowledgement comes, or FULL_ROWS
are together: the batches grow with the load, as in Nagle's algorithm (RFC 896). A thread of the publisher's own takes
acknowledgements, sends what has gathered, and renews lost connections (plant.stream.line).
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import zmq

from plant.errors import BadRows, PlantError, Refused, SourceTaken, TakesNoRows, Unavailable
from plant.intake.rejects import readable
from plant.rows.batch import Batch
from plant.rows.schema import Schema
from plant.rows.times import TIME_UNITS_NS
from plant.stream.gathering import Gathering
from plant.stream.line import Line
from plant.stream.outbox import Outbox
from plant.stream.repeated import noted
from plant.stream.sealing import sealed_records
from plant.transport.forking import begins_anew
from plant.wire import messages
from plant.wire.record import source_id_of

OUTBOX_BYTES = 32 * 2**20
"""A publisher that holds more unacknowledged bytes makes its caller wait."""

WINDOW = 2
"""Unacknowledged records that may be under way before rows gather."""

FULL_ROWS = 2000
"""Rows that make a record whatever is under way."""

LOOK_EVERY = 32
"""Publishes that may gather between looks for an acknowledgement."""

BUSY_CALLS = 16
"""A thread that publishes more often than this between two acknowledgements needs no help with them."""

MOST_ERRORS = 1_000
"""Of what the plant answered to batches, so much is kept until `flush` raises it; older answers go first."""


class Publisher:
    """A named source of rows.

    name        a source of its own: the plant remembers, under this name, which rows it has
    address     the tickerplant's ingest socket, e.g. "tcp://127.0.0.1:5000"; several: also those of its standbys, and
                it goes on to the next when one is silent, or says that it takes no rows
    schema      the tables of the plant
    unit        of int times since 1970 UTC: "s", "ms", "us" or "ns"; None: ns, but refused if they look like another
    unique_trade_ids   a trade_id is one trade's within (source, sym, day): the plant drops repeats, `repeats` counts

    As a context manager it flushes and closes at the end. Raises SourceTaken from any call once a newer publisher has
    the same name, TakesNoRows while its only plant says so, and BadRows, UnknownTable or UnknownColumn for rows that do
    not fit.
    """

    def __init__(
        self,
        name: str,
        address: str | Sequence[str],
        schema: Schema,
        outbox_bytes: int = OUTBOX_BYTES,
        unit: str | None = None,
        unique_trade_ids: bool = False,
    ) -> None:
        if unit is not None and unit not in TIME_UNITS_NS:
            raise Refused(f"a unit of time is one of {', '.join(TIME_UNITS_NS)}, found {unit!r}")
        if not name:
            raise Refused('a publisher needs a name of its own, e.g. plant.publisher("my-feed")')
        self.name = name
        self.errors: deque[PlantError] = deque(maxlen=MOST_ERRORS)
        self._schema = schema
        self._source_id = source_id_of(name)
        self._unit = unit
        self.repeats = messages.Repeats()
        self._outbox = Outbox(time.time_ns())
        self._outbox_bytes = outbox_bytes
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._resting = False
        self._calls = 0
        self._ahead = 0
        self._gathering: Gathering | None = None
        self._gatherings: dict[str, Gathering] = {}
        self._closed = False
        self._fatal: PlantError | None = None
        addresses = (address,) if isinstance(address, str) else address
        self._line = Line(addresses, lambda: messages.hello(name, self._outbox.session, unique_trade_ids))
        self._keeper = threading.Thread(target=self._keep, name=f"publisher {name}", daemon=True)
        self._keeper.start()
        begins_anew(self)

    def forked(self) -> None:
        """Refuse to publish in the child of a fork: the name is its parent's."""
        self._lock, self._ahead, self._gathering = threading.RLock(), 0, None
        self._fatal = SourceTaken(
            f"the publisher {self.name!r} is of the process {os.getppid()}, which this one was forked from, and "
            "has the name; open one of another name here"
        )

    @property
    def accepted(self) -> int | None:
        """Rows of this source that are in the journal, of all its publishers so far; None before the first contact."""
        return self._outbox.accepted

    @property
    def address(self) -> str:
        """Of the plant that rows go to now."""
        return self._line.address

    @property
    def connected(self) -> bool:
        """Whether the tickerplant has answered lately."""
        return self._line.welcomed

    @property
    def turned_away(self) -> str:
        """Why the plant takes no rows, "" if it does: it follows another, or another has taken its place."""
        return str(self._line.refusal or "")

    @property
    def waiting(self) -> int:
        """Unacknowledged batches."""
        return len(self._outbox) + (self._gathering is not None and self._gathering.rows > 0)

    @property
    def crowded(self) -> bool:
        """Whether what can be left out should be: the plant is behind, or long acknowledges nothing of what it has."""
        return self._outbox.crowded

    def wait_connected(self, timeout_s: float = 10.0) -> int:
        """Wait for the tickerplant and return `accepted`; raises Unavailable."""
        self._service_until(lambda: self._line.welcomed, timeout_s, "did not answer")
        return self._outbox.accepted or 0

    def publish(self, table: str, rows: Any, timeout_s: float = 60.0, *, strict: bool = False) -> None:
        """Hand rows to the plant: a DataFrame, an Arrow table, a dict of columns, a list of dicts, or one dict.

        Returns at once unless too much is unacknowledged; then it waits, and raises Unavailable after `timeout_s`, the
        rows not taken. A `source` column that is not given holds the publisher's name.

        A row that cannot be read becomes a row of `rejects`, with its number and its values; `strict` raises BadRows
        instead, none of the rows taken. So does what is wrong with all of them, as int times of another unit.
        """
        with self._lock:
            self._calls += 1
            self._ahead -= 1
            gathering = self._gathering
            if (
                self._ahead >= 0
                and gathering is not None
                and gathering.name == table
                and not strict
                and gathering.add_row(rows)
            ):
                return  # a row on its way into the next record: most of them, at full speed
            self._check()
            if self._outbox.bytes >= self._outbox_bytes:
                self._wait_for_room(timeout_s)
            if gathering is None or gathering.name != table:
                gathering = self._gather(table)
            try:
                gathering.add(rows, strict)
            except BadRows:
                if strict:
                    raise
                divided = readable(gathering.table, rows, gathering.defaults, self._unit, time.time_ns())
                for name, columns in list(divided):
                    self.publish(name, Batch(name, columns, 0, 0, 0), timeout_s, strict=True)
                return
            if self._outbox.under_way < WINDOW or gathering.rows >= FULL_ROWS:
                self._seal()
                self._service()
            else:
                gathering.own()
                if self._ahead < 0:
                    self._service()
            if self._ahead < 0:
                full = self._outbox.under_way >= WINDOW
                self._ahead = min(LOOK_EVERY, FULL_ROWS - 1 - gathering.rows) if full else 0
        if self._resting:
            self._wake.set()

    def flush(self, timeout_s: float = 10.0) -> int:
        """Wait until everything published is in the journal; return the sequence number of its last batch.

        Raises Unavailable after `timeout_s`; the rows stay in the outbox and are sent on. What the plant answered
        to batches that went to rejects as a whole is raised here, once.
        """
        self._service_until(
            lambda: self._line.welcomed and not self.waiting,
            timeout_s,
            lambda: f"has not acknowledged {self.waiting} batches",
        )
        if self.errors:
            raise self.errors.popleft()
        return self._outbox.seq

    def close(self, timeout_s: float = 10.0) -> None:
        """Flush and disconnect. Raises Unavailable if rows remain unacknowledged; they are lost with this process."""
        try:
            if self.waiting and self._fatal is None:
                self.flush(timeout_s)
        finally:
            with self._lock:
                self._closed = True
                self._ahead = 0
            self._wake.set()
            self._keeper.join()
            self._line.close()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self.close(10.0 if kind is None else 0.5)

    def _check(self) -> None:
        if self._fatal:
            raise self._fatal
        if self._line.refusal is not None and not self._waits_out:
            raise self._line.refusal
        if self._closed:
            raise Refused(f"publisher {self.name!r} is closed")

    @property
    def _waits_out(self) -> bool:
        """Whether a plant that takes no rows is no error: another one may, or what comes is kept elsewhere."""
        return self._line.addresses.several

    def _service_until(self, done: Any, timeout_s: float, complaint: Any) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                self._check()
                self._service()
                if done():
                    return
                left = deadline - time.monotonic()
                if left > 0:
                    self._line.socket.poll(int(min(left, 0.02) * 1000))
            if left <= 0:
                said = f"; the last one asked said: {self.turned_away}" if self.turned_away else ""
                raise Unavailable(
                    f"tickerplant at {self._line.names} {complaint() if callable(complaint) else complaint} within "
                    f"{timeout_s:g} s (publisher {self.name!r}); is the plant up? `plant status` tells{said}"
                )

    def _gather(self, table: str) -> Gathering:
        """Return what gathers rows of `table`; rows of another table go first."""
        found = self._gatherings.get(table)
        if found is None:
            found = self._gatherings[table] = Gathering(self._schema[table], {"source": self.name}, self._unit)
        self._seal()
        self._gathering = found
        return found

    def _seal(self) -> None:
        """Make the rows gathered into records of the outbox."""
        if self._gathering is not None:
            for record, rows in sealed_records(self._gathering, self._schema["rejects"], self.name, self._source_id):
                self._outbox.add(record, rows)

    def _wait_for_room(self, timeout_s: float) -> None:
        self._service_until(
            lambda: self._outbox.bytes < self._outbox_bytes,
            timeout_s,
            lambda: f"has not acknowledged {self._outbox.bytes:,} bytes",
        )

    def _keep(self) -> None:
        """Serve the socket whenever something comes, and now and then; rest while nothing is under way."""
        watched = None
        while not self._closed:
            with self._lock:
                if self._closed or self._fatal:
                    return
                self._service()
                busy = not self._line.welcomed or self.waiting > 0
                self._resting = not busy
                if watched is not self._line.socket:
                    watched = self._line.socket
                    arrival = select.poll()  # select() knows no file beyond 1023
                    arrival.register(int(watched.getsockopt(zmq.FD)), select.POLLIN)
            if busy:
                calls = self._calls
                arrival.poll(20)
                if self._calls - calls > BUSY_CALLS:
                    time.sleep(0.002)  # the publishing thread looks for acknowledgements itself: leave it the lock
            else:
                self._wake.wait(0.25)
                self._wake.clear()

    def _service(self) -> None:
        while (said := self._line.receive()) is not None:
            self._take(*said)
        if self._fatal:
            return
        self._line.attend(len(self._outbox) > 0)
        if self._outbox.under_way < WINDOW:
            self._seal()
        self._send()

    def _take(self, verb: bytes, body: bytes) -> None:
        self._ahead = 0
        if verb == messages.ACK:
            self._outbox.ack(*messages.ack_of(body))
        elif verb == messages.HELD:
            self._outbox.hold(messages.ack_of(body)[0])
        elif verb == messages.REPEATS:
            self.repeats = noted(self.repeats, messages.repeats_of(body), self.name)
        elif verb == messages.WELCOME:
            known = messages.welcome_of(body)
            if known.unsure and not self._outbox.fits(known.held, known.sessions):
                return self._line.take_doubt(known.held)
            try:
                self._outbox.welcome(known.source_seq, known.held, known.sessions)
                self._outbox.seq = max(self._outbox.seq, known.seq)
                self._line.take_welcome()
            except SourceTaken as taken:
                self._fatal = taken
        elif verb in (messages.SAY_HELLO, messages.AGAIN):  # a restarted tickerplant, or rows lost with a connection
            self._line.welcomed = False
            if self._line.hello_sent is None:
                self._line.say_hello()
        elif verb == messages.ERROR:
            error = messages.refused_of(body)
            if isinstance(error, TakesNoRows):
                self._line.take_refusal(error)
            elif isinstance(error, Refused):
                self._fatal = error
            else:
                self.errors.append(error)

    def _send(self) -> None:
        if not self._line.welcomed or self._line.hello_sent is not None:
            return
        while (record := self._outbox.next_unsent()) is not None and self._line.send(messages.update(record)):
            self._outbox.sent()
