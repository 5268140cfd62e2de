"""A publisher that keeps on disk what the plant does not take: `Publisher`, with a `Spool` behind its outbox.

While the plant takes rows, nothing is different. Once it was away for `PATIENCE_S`, or holds up more than the outbox
takes, what is not acknowledged and all that comes goes to the spool, so that the caller never waits and memory does not
grow. When the plant is back it gets all of it in order; only once it has everything rows go to it directly again.

What the disk does not take stays in memory, behind what it took, and is tried again every `SYNC_S`; the caller waits
meanwhile, as with any publisher.
"""

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from plant.errors import Unavailable
from plant.rows.schema import Schema
from plant.stream.outbox import Outbox
from plant.stream.publisher import Publisher
from plant.stream.sealing import sealed_records
from plant.stream.spool import Spool
from plant.wire import messages

PATIENCE_S = 2.0
"""A plant that is away for less is waited for."""

UNDER_WAY_BYTES = 8 * 2**20
"""Of what is handed over, so much is on its way at once."""

SYNC_S = 1.0
"""What was spooled is fsynced so long after it came, at the latest."""


class SpoolingPublisher(Publisher):
    """See `Publisher`; `spool` is closed with it.

    `publish` raises Unavailable only while the spool is full.
    """

    def __init__(
        self,
        name: str,
        address: str | Sequence[str],
        schema: Schema,
        spool: Spool,
        unique_trade_ids: bool = False,
    ) -> None:
        self.spool = spool
        self.spooling = bool(spool)
        self._left: deque[tuple[bytearray, int]] = deque()  # new records that the disk does not take, and their rows
        self._refused = ""  # why the disk did not take what was under way
        self._away_since = self._synced_at = time.monotonic()
        super().__init__(name, address, schema, unique_trade_ids=unique_trade_ids)

    @property
    def waiting(self) -> int:
        return super().waiting + (self.spool.rows + len(self._left) if self.spooling else 0)

    @property
    def full(self) -> bool:
        """Whether the spool takes no more."""
        return self.spool.full or bool(self._left)

    def publish(self, table: str, rows: Any, timeout_s: float = 60.0, *, strict: bool = False) -> None:
        """Hand rows to the plant, or to the spool; see `Publisher.publish`. Raises Unavailable if the spool is full."""
        with self._lock:
            if self.spooling and self.full:
                self._service()
                why = self.spool.trouble or f"{self.spool.size:,} bytes"
                raise Unavailable(f"the spool of {self.name!r} is full: {why}")
            super().publish(table, rows, timeout_s, strict=strict)
            if self.spooling:
                self._seal()  # what is in memory alone would be lost with the process

    def close(self, timeout_s: float = 10.0) -> None:
        """Flush and disconnect; what the plant does not take in time stays in the spool, for the next publisher.

        Raises Unavailable if neither the plant nor the disk takes it; it is lost with this process.
        """
        try:
            if not self.spooling and self.waiting and self._fatal is None:
                try:
                    self.flush(timeout_s)
                except Unavailable:
                    with self._lock:
                        self._withdraw()
            with self._lock:
                if self.spooling:
                    self._seal()
                    self._outbox = Outbox(self._outbox.session)
                    self._gathering = None
                    self.spooling = False
                    if self._left:
                        raise Unavailable(self._lost())
        finally:
            try:
                super().close(0.0)
            finally:
                self.spool.close()

    @property
    def _waits_out(self) -> bool:
        return True

    def _seal(self) -> None:
        if not self.spooling:
            super()._seal()
        elif self._gathering is not None:
            self._left.extend(sealed_records(self._gathering, self._schema["rejects"], self.name, self._source_id))
        if self.spooling and not self.spool.trouble:
            self._spool_left()

    def _spool_left(self) -> None:
        while self._left and self.spool.append(*self._left[0]):
            self._left.popleft()

    def _wait_for_room(self, timeout_s: float) -> None:
        self._withdraw()
        if self.spooling:
            return
        try:
            super()._wait_for_room(timeout_s)
        except Unavailable as error:
            raise Unavailable(f"{error}; and its spool: {self._refused}") from None

    def _service(self) -> None:
        super()._service()
        now = time.monotonic()
        if self._line.welcomed:
            self._away_since = now
        elif not self.spooling and now - self._away_since > PATIENCE_S and self.waiting:
            self._withdraw()
        if not self.spooling:
            return
        if self.spool and not len(self._outbox):  # the plant holds all of it: one that was restarted knows us no more
            self._line.attend(True)
        self._seal()
        if now - self._synced_at > SYNC_S:
            self._synced_at = now
            self.spool.sync()
            self._spool_left()
        line = self._line
        while line.welcomed and line.hello_sent is None and self._outbox.bytes < UNDER_WAY_BYTES:
            found = self.spool.read()
            if found is None:
                break
            self._outbox.add(*found)
        self._send()
        if line.welcomed and not self.spool and not len(self._outbox):
            self.spooling = False
            while self._left:
                self._outbox.add(*self._left.popleft())
            self._send()

    def _take(self, verb: bytes, body: bytes) -> None:
        if not self.spooling:
            super()._take(verb, body)
            return
        if verb in (messages.ACK, messages.HELD) and not self._line.welcomed:
            return  # of what was withdrawn: the welcome will tell
        if verb == messages.WELCOME:
            known = messages.welcome_of(body)
            if known.unsure and not self.spool.fits(known.held, known.sessions):
                self._line.take_doubt(known.held)
                return
            self.spool.welcome(known.held, known.source_seq, known.sessions, self._outbox.session)
            seq, self._outbox = self._outbox.seq, Outbox(self.spool.session)
            self._outbox.welcome(known.held)  # what is read next follows on that
            self._outbox.seq = max(seq, known.seq)
            self._line.take_welcome()
            return
        if verb == messages.HELD:  # the spool keeps them until they are acknowledged: memory need not
            self._outbox.ack(*messages.ack_of(body))
            return
        super()._take(verb, body)
        if verb == messages.ACK and self._outbox.accepted is not None:
            self.spool.acknowledged(messages.ack_of(body)[0])

    def _withdraw(self) -> None:
        """Move all that is not acknowledged to the spool, and begin anew with the plant."""
        outbox = self._outbox
        if self.spooling:  # it came from there
            self.spool.rewind()
        else:
            if not self._spooled(outbox):
                self._away_since = time.monotonic()  # all stays where it is, for the time being
                return
            self.spooling = True
            self._seal()
        self._outbox = Outbox(outbox.session)
        self._outbox.seq = outbox.seq
        self._line.renew()

    def _spooled(self, outbox: Outbox) -> bool:
        """Have the empty spool take what is in the outbox; False if the disk does not, and the spool is empty again.

        All or nothing: which of them the plant has got is seen by their numbers, and only what is on disk has those.
        """
        first, last = outbox.numbers
        taken = self.spool.begin(first, outbox.bases)
        for entry in outbox.entries:
            taken = taken and self.spool.append(entry.record, entry.last_row - last)
            last = entry.last_row
        if not taken:
            self._refused = self.spool.trouble
            self.spool.begin(first, outbox.bases)
        return taken

    def _lost(self) -> str:
        rows = sum(rows for _, rows in self._left)
        why = self.spool.trouble or "it is full"
        return f"{rows:,} rows of {self.name!r} are lost: no tickerplant at {self.address}, and its spool: {why}"
