"""What a subscriber hands on, and when: a state machine without sockets.

Live records come from the publish socket; whenever one does not follow on from the last of its table, or a beat shows
that the plant is ahead, the stream catches up: it reads the journal to its end while live records wait, then goes on
with those. Joining late, healing a gap and outliving a restart of the tickerplant are this one thing. A record is
handed on if and only if its table_seq is beyond the last of its table, so nothing comes twice and every table is in
order.

A lost record is noticed by the next of its own table, or by a beat; until then those of other tables are handed on.
So the stream keeps two marks: `cursor`, the newest record handed on, and `complete`, the seq up to which no record of
any of its tables is missing. It reads the journal from there, and passes over what it has. A stream of all tables
sees every seq, so it notices at once, and hands on in the order of the journal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from plant.errors import JournalDiverged, WireError
from plant.rows.schema import Schema, Table
from plant.stream.divergence import Divergence, Handed
from plant.wire.decoding import Decode, decoded, read_runs
from plant.wire.envelope import Header
from plant.wire.runs import Divide, Run, singly

HELD_BYTES = 64 * 2**20
"""Live records beyond this are let go while catching up; the journal has them."""


@dataclass(slots=True)
class Gap:
    """Batches of a table that did not arrive, by their table sequence numbers.

    `state` is "opened", then "healed" once the journal gave them; or "lost": the journal does not have them either. If
    it is not known which tables were lost, `table` is "" and the numbers are those of the journal.
    """

    table: str
    first: int
    last: int
    state: str
    detail: str


class Mark(NamedTuple):
    """Where a stream stands, to go on from in another process: plain numbers, to be saved.

    complete    seq up to which no record of its tables is missing; the new stream begins behind it
    seq         of the newest record it knows, 0 if none: the journal must still hold that one
    checksum    header_crc of that record's envelope, which covers its payload's checksum, too
    """

    complete: int
    seq: int = 0
    checksum: int = 0


class Stream:
    """Follow some tables from a position in the journal.

    tables      the declarations to decode with; records of other tables pass unseen
    cursor      seq of the last record already known: 0 for everything, None for only what comes from now on; or the
                `mark` of an earlier stream of these tables, and JournalDiverged tells if the journal is not the same
    decode      what is handed on for each record; a Batch, unless it is to be passed on as it is
    divide      `singly`, or `runs` if `decode` takes many records at once
    """

    def __init__(
        self,
        schema: Schema,
        tables: Iterable[str],
        cursor: int | Mark | None,
        decode: Decode = decoded,
        divide: Divide = singly,
    ) -> None:
        self._decode = decode
        self._divide = divide
        self.by_id: dict[int, Table] = {schema[name].schema_id: schema[name] for name in tables}
        self.names = {t.name for t in self.by_id.values()}
        self._whole = self.names == set(schema)
        self._begun = cursor if isinstance(cursor, Mark) else Mark(cursor or 0)
        self.cursor = max(cursor.complete, cursor.seq) if isinstance(cursor, Mark) else cursor
        self.complete = self._begun.complete
        self.catching_up = True
        self.plant_seq = 0
        self.checking = False  # the journal gave a damaged record: it is asked to check them
        self._newest: Header | None = None  # the record at the cursor
        self._divergence = Divergence(Handed(*self._begun[1:]) if self._begun.seq else None)
        self.gaps: list[Gap] = []
        self._last: dict[str, int] = {}
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._open: list[Gap] = []
        self._lost: list[Gap] = []

    @property
    def mark(self) -> Mark:
        """Where another process goes on, once this one has caught up; what is beyond `complete` comes again there."""
        newest = self._newest
        if newest is None:
            return self._begun._replace(complete=self.complete)
        return Mark(self.complete, newest.seq, newest.header_crc)

    def catch_up(self) -> None:
        """Read the journal once more from where something may be missing, as after a lost connection."""
        self.catching_up = True

    def progress(self) -> dict[str, int]:
        """Return the last table sequence number handed on of each table."""
        return {name: self._last.get(name, 0) for name in self.names}

    @property
    def in_doubt(self) -> bool:
        """Whether the journal was not yet seen to have the record that is known of it, as at the beginning."""
        return self._divergence.in_doubt

    @property
    def newest(self) -> Header | None:
        """The envelope of the newest record handed on, None before there is one."""
        return self._newest

    def wants(self) -> int | None:
        """Return the seq to read the journal from, None while the stream is live."""
        if not self.catching_up:
            return None
        if (compared_from := self._divergence.asks_from) is not None:
            return compared_from
        return 2**62 if self.cursor is None else self.complete + 1

    def live(self, message: bytes) -> list[Any]:
        """Take published records; return the batches to hand on."""
        if self.catching_up:
            if self._held_bytes < HELD_BYTES:
                self._held.append(message)
                self._held_bytes += len(message)
            return []
        found: list[Any] = []

        def take(table: Table | None, run: Run) -> bool:
            if table is None or run.last.table_seq <= (known := self._last.get(table.name, 0)):
                return True
            new = run.behind(known)
            first = new.first
            if first.table_seq > known + 1:
                self._gap(table.name, known + 1, first.table_seq - 1, "a published batch did not follow on")
                return False
            cursor = self.cursor or 0
            if self._whole and first.seq != cursor + 1:
                self._gap("", 0, 0, f"batches {cursor + 1} to {first.seq - 1} of the plant did not come")
                return False
            found.append(self._hand_on(table, new))
            return True

        read = read_runs(message, self.by_id, take, self._divide)
        if read.wrong:
            self._gap("", 0, 0, f"a published batch was damaged: {read.wrong}")
        if found and self._newest is not None:
            self._divergence.published(self._newest)
        return found

    def beat(self, tables: Mapping[str, int], seq: int, epoch: int) -> None:
        """Take a beat: the last table_seq of every table, the plant's seq, and when its tickerplant started."""
        self.plant_seq = seq
        if self._divergence.beat(epoch):
            self._doubt()
        if self.catching_up:
            return
        for name in self.names & tables.keys():
            if tables[name] > self._last.get(name, 0):
                self._gap(name, self._last.get(name, 0) + 1, tables[name], "a beat showed batches that never came")
        if not self.catching_up:
            self.complete = max(seq, self.complete)

    def replayed(
        self, chunk: bytes, seq: int, tables: Mapping[str, int], epoch: int = 0, first_seq: int = 1
    ) -> list[Any]:
        """Take an answer of the journal: records from `wants` on, and the plant's position and epoch at that moment.

        `first_seq` is where the journal begins by then. When the chunk ends where the plant stands, the stream turns
        live. What the journal skips is lost, which is reported, once; except what was removed before a stream that
        starts from the beginning. Raises JournalDiverged if the journal ends before what was published, or has other
        records in its place.
        """
        found: list[Any] = []
        if epoch and self._divergence.restarted(epoch):
            self._doubt()
            return found  # it answers what an earlier tickerplant was asked: `wants` is another now
        if self.cursor is not None and seq < self.cursor:
            raise JournalDiverged(
                f"the journal ends at {seq}, but {self.cursor} was published before: it lost its tail "
                "(a power cut before an fsync?); start again from the journal"
            )
        if self._divergence.in_doubt and not self._found_again(chunk, first_seq):
            return found
        if self.cursor == 0 and not self._last:
            if first_seq > 1:
                self.complete = min(first_seq - 1, seq)
            else:
                self._last = dict.fromkeys(self.names, 0)
        checked, self.checking = self.checking, False
        before, last, decode = self.complete, self._last, self._decode
        reached = before

        def take(table: Table | None, run: Run) -> bool:
            nonlocal reached
            if run.first.seq > reached + 1:
                self._note_skipped(reached + 1, run.first.seq)
            if table is not None and run.last.table_seq > (known := last.get(table.name, 0)):
                if run.first.table_seq > known + 1:
                    self._note_lost(table.name, run.first.table_seq)
                found.append(decode(table, run if run.first.table_seq > known else run.behind(known)))
                last[table.name] = run.last.table_seq
            reached = run.last.seq
            return True

        read = read_runs(chunk if self.cursor is not None else b"", self.by_id, take, self._divide)
        if read.wrong:
            self.checking = True
            if checked and reached == before:  # that did not help: go on behind it
                reached += 1
                detail = f"seq {reached} of the journal cannot be read: {read.wrong}"
                self._lose(Gap("", reached, reached, "lost", detail))
        if read.last is not None and read.last.seq >= (self.cursor or 0):
            self._newest = read.last
            self._divergence.journaled(read.last)
        self.plant_seq = seq
        self.complete = max(reached, self.complete)
        if not self.checking and (not chunk or reached >= seq):
            if self.cursor is not None:
                self._note_skipped(reached + 1, seq + 1)
                for name in self.names:
                    self._note_lost(name, tables.get(name, 0) + 1)
            self.complete = max(seq, self.complete)
            self.cursor = max(seq, self.cursor or 0)
            self._last = {name: tables.get(name, 0) for name in self.names}
            self._turn_live(found)
        else:
            self.cursor = max(reached, self.cursor or 0)
        return found

    def unreadable(self, table: Table, header: Header, why: WireError) -> None:
        """Report a record that was handed on undecoded, and cannot be decoded: it is lost."""
        detail = f"seq {header.seq} of the journal cannot be read: {why}"
        self._lose(Gap(table.name, header.table_seq, header.table_seq, "lost", detail))

    def _doubt(self) -> None:
        """Read the journal again, of a tickerplant that may have lost records, or never got them.

        Those held may be such ones. So may be what an earlier beat told of: only what was handed on is compared.
        """
        self.catching_up = True
        self._held, self._held_bytes = [], 0
        self.complete = min(self.complete, self.complete if self.cursor is None else self.cursor)

    def _found_again(self, chunk: bytes, first_seq: int) -> bool:
        """Compare the records that we know with the journal's; return whether those behind them are wanted now.

        All of them are: the first record of a new tickerplant may follow on from one that its journal has lost, and is
        handed on before a beat tells that it is a new one.
        """
        header = self._divergence.compare(chunk, first_seq)
        if self._divergence.in_doubt:
            return False  # the rest is in the answers to come
        if header is None:
            return not self.mark.seq
        if self.complete not in (header.seq - 1, header.seq):
            return False  # the journal is the one we know; now from where something is missing
        if self.complete == header.seq and (table := self.by_id.get(header.schema_id)) is not None:
            self._last.setdefault(table.name, header.table_seq)
        return True

    def _turn_live(self, found: list[Any]) -> None:
        self.catching_up = False
        held, self._held, self._held_bytes = self._held, [], 0
        for gap in self._open:
            if any(lost.table == gap.table and lost.last >= gap.first for lost in self._lost):
                continue
            self.gaps.append(Gap(gap.table, gap.first, gap.last, "healed", "read from the journal"))
        self._open, self._lost = [], []
        for i, message in enumerate(held):
            found += self.live(message)
            if self.catching_up:  # another gap: the rest waits for the journal again
                self._held += held[i + 1 :]
                self._held_bytes += sum(map(len, held[i + 1 :]))
                break

    def _hand_on(self, table: Table, run: Run) -> Any:
        if run.last.seq >= (self.cursor or 0):
            self.cursor, self._newest = run.last.seq, run.last
        self._last[table.name] = run.last.table_seq
        return self._decode(table, run)

    def _note_lost(self, table: str, table_seq: int) -> None:
        """Report what the journal skips of a table before `table_seq`."""
        last = self._last.get(table)
        if last is not None and table_seq > last + 1:
            detail = "the journal does not have them (damaged or removed): plant journal verify"
            self._lose(Gap(table, last + 1, table_seq - 1, "lost", detail))

    def _note_skipped(self, expected: int, seq: int) -> None:
        """Report what the journal skips before `seq`, as long as it is not known how far each table was."""
        if seq > expected and not self.names <= self._last.keys():
            detail = f"seqs {expected} to {seq - 1} are not in the journal, of whichever tables: plant journal verify"
            self._lose(Gap("", expected, seq - 1, "lost", detail))

    def _lose(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self._lost.append(gap)

    def _gap(self, table: str, first: int, last: int, detail: str) -> None:
        self.catching_up = True
        gap = Gap(table, first, last, "opened", detail)
        self.gaps.append(gap)
        self._open.append(gap)
