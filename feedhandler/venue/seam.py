"""The trades of one symbol, each once and in order: pure, clock handed in.

`Numbered`: the venue numbers them 1, 2, 3, ... within the symbol. What follows on goes on at once; what is behind a
jump waits for the numbers between. `Timed`: the venue has ids of a day, but no such numbers; after a time without
connection what comes waits until what was missed has been fetched, and a trade that came before is dropped.

Either has a `hole` while something waits, and is in `open` then. `since` is when it was opened, or last came nearer to
its end; `asked`: it is being fetched.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from feedhandler.remembered import market_day
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import Row, Skipped, TradeRow

IDS_KEPT = 2_048
"""Trades of a symbol that a repeat is recognised among, where they are not numbered."""

SKEW_NS = 2 * 10**9
"""The venue's clock may be so far ahead of ours: what was missed there may be later than we subscribed by our clock."""


class Note(NamedTuple):
    """That a hole was opened, healed or lost, a row of `gaps`; `first`, `last`: the venue's numbers, or UTC ns."""

    table: str
    state: str
    first: int
    last: int
    detail: str


class GivenUp(NamedTuple):
    """A hole that nobody waits for any more; what of it is fetched later goes on behind the rows that came since.

    known    what tells trades apart (`key_of`) that went on, or came, and may be in the hole
    before   only trades with a smaller `venue_seq` are missing; 0: that is not known
    """

    hole: Hole
    known: tuple[object, ...] = ()
    before: int = 0


def key_of(row: TradeRow, numbered: bool) -> object:
    """Return what tells a trade from others of its symbol; of two without an id it may be the same."""
    if numbered:
        return row.venue_seq
    return key_by(row.trade_id, row.time, row.exchange, row.price, row.size)


def key_by(trade_id: str, time_ns: int, exchange: str, price: float, size: float) -> tuple[object, ...]:
    """Return what tells a trade apart that has no number: its id, or its time; and its day, as ids begin anew each."""
    return trade_id or time_ns, exchange, price, size, market_day(time_ns)


def note_of(hole: Hole, state: str, detail: str) -> Note:
    """Return the note on a hole: what it is of stands in the detail."""
    first, last = (hole.first, hole.last) if hole.first else (hole.start, hole.end)
    return Note(hole.table, state, first, last, f"{' '.join((hole.sym, hole.interval)).strip()}: {detail}")


class Seam:
    """What both have; `time` is that of the newest trade that went on, UTC ns, before the first that of subscribing.

    begun    UTC ns of subscribing, 0: not yet; first: the number of the first trade that went on, 0: none did, or it
             has no number
    rested   seconds by which patience with the hole was prolonged
    """

    __slots__ = (
        "asked", "begun", "first", "given_up", "hole", "notes", "open", "repeats", "rested", "since", "sym", "time",
    )  # fmt: skip

    def __init__(self, sym: str, notes: list[Note], open: "dict[str, Seam]", given_up: list[GivenUp]) -> None:
        self.sym, self.notes, self.open, self.given_up = sym, notes, open, given_up
        self.time = self.begun = self.first = 0
        self.rested = 0.0
        self.hole: Hole | None = None
        self.since, self.asked, self.repeats = 0.0, False, 0

    @property
    def waiting(self) -> int:
        """Trades that wait."""
        raise NotImplementedError

    def take(self, row: TradeRow | Skipped, now: float, on: list[Row]) -> None:
        """Add to `on` what goes on by this row; where trades are not numbered, nothing is skipped."""
        raise NotImplementedError

    def fetched(self, row: TradeRow, now: float, on: list[Row]) -> None:
        """Add to `on` what goes on by a row that the past had of the hole."""
        raise NotImplementedError

    def interrupted(self, now: float) -> None:
        """Note that there is no connection: what comes from now on waits for what is missed meanwhile."""
        if self.hole is not None:  # what was being fetched goes on as it comes, but does not end it
            self.hole, self.asked = self.hole._replace(start=self.time, end=0), False
        elif self.time:
            self._begin(Hole("trades", self.sym, "", self.time), now, "there is no connection")

    def resumed(self, end: int, now: float) -> None:
        """Note that there is a connection again; what was missed ends by `end`, UTC ns of our clock."""
        if self.hole is not None and not self.hole.end:
            end += SKEW_NS if self._tells_apart else 0
            self.hole, self.since, self.asked = self.hole._replace(end=end), now, False

    def known(self) -> tuple[object, ...]:
        """Return what tells trades apart (`key_of`) that came of late."""
        raise NotImplementedError

    @property
    def _tells_apart(self) -> bool:
        """Whether a trade that comes by the socket and from the past is known to be one."""
        raise NotImplementedError

    def close(self, now: float, on: list[Row], lost: str = "", again: bool = False) -> None:
        """End the hole; `lost`: why what is missing is not to be had, `again`: but it may be later.

        The rows behind it go on.
        """
        raise NotImplementedError

    def _begin(self, hole: Hole, now: float, detail: str) -> None:
        self.hole, self.since, self.asked, self.rested = hole, now, False, 0.0
        self.open[self.sym] = self
        self.notes.append(note_of(hole, "opened", detail))

    def _end(self, hole: Hole, state: str, detail: str) -> None:
        self.hole = None
        self.open.pop(self.sym, None)
        self.notes.append(note_of(hole, state, detail))


class Numbered(Seam):
    """Trades that are numbered; `last` is the number of the last that went on, 0 before the first."""

    __slots__ = ("held", "last")

    def __init__(self, sym: str, notes: list[Note], open: dict[str, Seam], given_up: list[GivenUp]) -> None:
        super().__init__(sym, notes, open, given_up)
        self.last = 0
        self.held: dict[int, TradeRow | Skipped] = {}

    @property
    def waiting(self) -> int:
        return len(self.held)

    def take(self, row: TradeRow | Skipped, now: float, on: list[Row]) -> None:
        number = row.venue_seq
        if not self.last and self.hole is not None:
            self.held[number] = row  # nothing came yet that the next could follow on
        elif number == self.last + 1 or not self.last:
            self.first = self.first or number
            self._append(row, on)
            if self.held:
                self._follow(now, on)
        elif number in self.held:
            self.repeats += 1
        elif number > self.last:
            self.held[number] = row
            self._look(now)
        elif row.time > self.time and self.hole is None:  # no repeat is newer than what came last
            lost = Hole("trades", self.sym, "", self.time, row.time, self.last + 1, number - 1)
            self.notes.append(note_of(lost, "lost", f"the venue numbers anew, from {number} after {self.last}"))
            self._append(row, on)
        else:
            self.repeats += 1

    def fetched(self, row: TradeRow, now: float, on: list[Row]) -> None:
        self.since = now
        self.take(row, now, on)

    def interrupted(self, now: float) -> None:
        if not self.last:  # else the next number tells what is missing
            super().interrupted(now)

    @property
    def _tells_apart(self) -> bool:
        return True

    def known(self) -> tuple[object, ...]:
        return ()  # what went on has other numbers than what is missing

    def close(self, now: float, on: list[Row], lost: str = "", again: bool = False) -> None:
        if self.hole is None:
            return
        begins = min(self.held, default=0)
        hole = self.hole._replace(first=self.last + 1, last=begins - 1) if self.hole.first else self.hole
        if lost and again:
            self.given_up.append(GivenUp(hole, before=begins))
        self._end(hole, "lost" if lost or hole.first else "healed", lost or "fetched")
        if self.held:
            self.first, self.last = self.first or begins, begins - 1
            self._follow(now, on)

    def _follow(self, now: float, on: list[Row]) -> None:
        while (row := self.held.pop(self.last + 1, None)) is not None:
            self._append(row, on)
        self._look(now)

    def _append(self, row: TradeRow | Skipped, on: list[Row]) -> None:
        self.last, self.time = row.venue_seq, row.time
        if type(row) is TradeRow:
            on.append(row)

    def _look(self, now: float) -> None:
        """End the hole that is filled, begin the next one if there is one."""
        if self.hole is not None:
            if self.last < self.hole.last:
                self.since = now  # it came nearer to its end
                return
            self._end(self.hole, "healed", "all came")
        if self.held:
            last = min(self.held) - 1
            hole = Hole("trades", self.sym, "", self.time, self.held[last + 1].time, self.last + 1, last)
            self._begin(hole, now, f"{last - self.last:,} trades are missing")


class Timed(Seam):
    """Trades that are not numbered: a repeat is known by its id, exchange, price and size."""

    __slots__ = ("_ids", "_recent", "held")

    def __init__(self, sym: str, notes: list[Note], open: dict[str, Seam], given_up: list[GivenUp]) -> None:
        super().__init__(sym, notes, open, given_up)
        self.held: dict[object, TradeRow] = {}  # by what tells them apart
        self._ids: set[object] = set()
        self._recent: deque[object] = deque()

    @property
    def waiting(self) -> int:
        return len(self.held)

    def take(self, row: TradeRow | Skipped, now: float, on: list[Row]) -> None:
        assert isinstance(row, TradeRow), row
        identity = _identity(row)
        if not self._is_new(identity):
            self.repeats += 1
        elif self.hole is not None:
            self.held[identity] = row
        else:
            self._append(row, on)

    def fetched(self, row: TradeRow, now: float, on: list[Row]) -> None:
        self.since = now
        identity = _identity(row)
        if (waiting := self.held.pop(identity, None)) is not None:
            self._append(waiting, on)  # it came by the socket too: its place is here
        elif self._is_new(identity):
            self._append(row, on)

    @property
    def _tells_apart(self) -> bool:
        return any(type(each) is tuple for each in self._ids)

    def known(self) -> tuple[object, ...]:
        without = (key_of(row, False) for row in self.held.values() if not row.trade_id)
        return (*(each for each in self._ids if type(each) is tuple), *without)

    def close(self, now: float, on: list[Row], lost: str = "", again: bool = False) -> None:
        if self.hole is not None:
            if lost and again:
                self.given_up.append(GivenUp(self.hole, self.known()))
            self._end(self.hole, "lost" if lost else "healed", lost or "fetched")
            for row in self.held.values():
                self._append(row, on)
            self.held.clear()

    def know(self, keys: Iterable[object]) -> None:
        """Take trades that came before, by what tells them apart."""
        for key in keys:
            self._is_new(key)

    def _append(self, row: TradeRow, on: list[Row]) -> None:
        if row.time > self.time:
            self.time = row.time
        on.append(row)

    def _is_new(self, identity: object) -> bool:
        """Return whether a trade is not among the last ones."""
        if identity in self._ids:
            return False
        self._ids.add(identity)
        self._recent.append(identity)
        while len(self._recent) > IDS_KEPT and self.hole is None:
            self._ids.discard(self._recent.popleft())
        return True


def _identity(row: TradeRow) -> object:
    """Return what tells a trade apart; one without an id is like no other."""
    return key_of(row, False) if row.trade_id else object()
