"""A publisher's memory of what is not yet acknowledged: a state machine without sockets.

Rows are numbered 1, 2, 3, ... per source. The plant says at each welcome which row it holds last; the first welcome
fixes where a new publisher's rows begin. After any welcome everything newer is sent again: what was sent before the
hello on the same connection was answered for by it, and what an old connection still held is lost, so this is never
too much and never too little. It also says who numbered the rows that it holds, so that rows of another publisher
of the name never pass for ours: what it lacks of ours is numbered behind them (plant.wire.numbering).

A plant that acknowledges only what is mirrored says which further rows it holds. Those stay here, for another plant may
take its place that does not have them; but they need not be sent again, and hold nothing up.
"""

from collections import deque
from dataclasses import dataclass
from itertools import islice, takewhile

from plant.errors import SourceTaken
from plant.wire.envelope import number
from plant.wire.numbering import Numbering, Told

UNDER_WAY, WAITING = 10, 10_000
"""Records that are not in the plant's journal, and records that are not acknowledged, that are many."""


@dataclass(slots=True)
class Entry:
    """One record: number of its last row counted from this publisher's first, and its bytes."""

    last_row: int
    record: bytearray


class Outbox:
    """The records a publisher holds until they are acknowledged: `entries`.

    session   when it was made, ns since 1970 UTC; 0: its records do not say who numbered them. A little later once rows
              were numbered anew

    `accepted` rows of the source are in the plant (None before the first welcome); `seq` is the journal sequence number
    that came with the last acknowledgement; `held` of the entries, the first, are in the plant's journal.
    """

    def __init__(self, session: int = 0) -> None:
        self.session = session
        self.accepted: int | None = None
        self.seq = 0
        self.bytes = 0
        self.rows = 0
        self._numbering = Numbering()
        self._base = 0  # row number of the source before our first row
        self._numbered_by = 0  # the session in which rows get their numbers
        self._acked = 0  # our rows that are acknowledged
        self.held = 0
        self.entries: deque[Entry] = deque()
        self._unsent: deque[Entry] = deque()

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def numbers(self) -> tuple[int | None, int]:
        """The row ahead of the first entry, as the plant counts (None before the first welcome) and as we do."""
        return None if self.accepted is None else self._base + self._acked, self._acked

    @property
    def bases(self) -> dict[int, int]:
        """The row ahead of the first entry, as plants count, by session in which our rows were numbered."""
        return {session: base + self._acked for session, base in self._numbering.bases.items()}

    @property
    def under_way(self) -> int:
        """Records that are not known to be in the plant's journal."""
        return len(self.entries) - self.held

    @property
    def crowded(self) -> bool:
        """Whether the plant is behind, or long acknowledges nothing of what it has."""
        return self.under_way >= UNDER_WAY or len(self.entries) >= WAITING

    @property
    def unsent(self) -> int:
        """Records that wait for a connection."""
        return len(self._unsent)

    def add(self, record: bytearray, rows: int) -> int:
        """Keep a record of `rows` rows until it is acknowledged; return the row number it ends with, for `holds`."""
        self.rows += rows
        entry = Entry(self.rows, record)
        if self.accepted is not None:
            number(record, self._base + entry.last_row, self._numbered_by)
        self.entries.append(entry)
        self._unsent.append(entry)
        self.bytes += len(record)
        return entry.last_row

    def next_unsent(self) -> bytearray | None:
        """Return the next record to send, None if there is none or no welcome yet."""
        return self._unsent[0].record if self._unsent and self.accepted is not None else None

    def sent(self) -> None:
        """Note that `next_unsent` went out."""
        self._unsent.popleft()

    def fits(self, held: int, told: Told = ()) -> bool:
        """Return whether a plant with rows up to `held` has all that was acknowledged, and behind that only ours."""
        own = self._numbering.own(held, told) or 0
        return self.accepted is None or (self._acked <= own <= self.rows and held - own == self._base)

    def welcome(self, accepted: int, held: int | None = None, told: Told = ()) -> None:
        """Take the plant's word on which row of this source it holds last; all newer rows are unsent again.

        accepted    the last row that is acknowledged: those up to it are let go
        held        the last row that is in the plant's journal; None: the same
        told        who numbered the rows up to that; empty: the plant does not know

        If it holds less of our rows than was acknowledged before (its disk lost a tail that was never synced, or it is
        another plant, that did not get them), or others' rows behind ours, our rows are numbered anew from there.
        Raises SourceTaken if it holds rows under our name that we never made, and does not know whose they are.
        """
        held = accepted if held is None else held
        own = self._numbering.own(held, told) or 0
        if self.accepted is None or held - max(own, self._acked) != self._base:
            self._number(held - max(own, self._acked), told)
        if own > self.rows:
            raise SourceTaken(
                f"the plant holds row {held} of this source, but this publisher has made only up to row "
                f"{self._base + self.rows}: another one uses the same name; give each its own"
            )
        self.accepted = max(min(accepted, held), self._base + self._acked)
        self._drop(accepted)
        self.held = sum(1 for _ in takewhile(lambda entry: entry.last_row + self._base <= held, self.entries))
        self._unsent = deque(islice(self.entries, self.held, None))

    def ack(self, accepted: int, seq: int) -> None:
        """Take an acknowledgement: rows up to `accepted` are journaled, the last of them at or before `seq`."""
        self.seq = max(self.seq, seq)
        self.accepted = max(accepted, self.accepted or 0)
        self._drop(accepted)
        while self._unsent and self._unsent[0].last_row + self._base <= accepted:
            self._unsent.popleft()

    def hold(self, row: int) -> None:
        """Take the word that rows up to `row` are in the plant's journal: they are kept, and not sent again."""
        while self.held < len(self.entries) and self.entries[self.held].last_row + self._base <= row:
            self.held += 1

    def _number(self, base: int, told: Told) -> None:
        self.session = self._numbering.begin(base, self.session, told)
        self._base, self._numbered_by = base, self._numbering.session
        for entry in self.entries:
            number(entry.record, base + entry.last_row, self._numbered_by)

    def _drop(self, accepted: int) -> None:
        while self.entries and self.entries[0].last_row + self._base <= accepted:
            entry = self.entries.popleft()
            if self.held:
                self.held -= 1
            self.bytes -= len(entry.record)
            self._acked = entry.last_row
