"""Holes that nobody waits for: those that were given up, and what fell between two runs. Pure, the clock handed in.

A hole that is not filled in time is given up for the order of the rows (seams.py), not for the plant: it is asked for
again after 1, 2, 4 ... 60 minutes, `MOST_TRIES` times, and its rows go on behind those that came since. What is not to
be had by then `plant backfill` fetches. A run after this one goes on with what is left (left.py). Rows that went on
already are left out, however often their hole is asked for.
"""

from collections import Counter
from collections.abc import Iterable

from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, Row, TradeRow
from feedhandler.venue.healing import Fetched
from feedhandler.venue.seam import GivenUp, Note, key_of, note_of

FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3_600.0
"""Pauses before a hole is asked for again: each is twice the one before."""

MOST_TRIES = 12
"""Times that a hole is asked for; some seven hours."""

MOST_HOLES = 2_000
"""Holes that are remembered; the oldest is lost then."""

TOLD_AFTER_S = 5.0
"""A hole of before this run that is not fetched by then is told: a run after this one finds it in `gaps` (left.py)."""

SINCE_NEWEST = "since the newest row in the plant"
BY_BACKFILL = "plant backfill"
"""Stands in the detail of a hole that is asked for no more."""


class _Late:
    __slots__ = ("asked", "attempt", "before", "due_at", "had", "known", "rows", "tell_at", "told", "tries")

    def __init__(self, known: Iterable[object], before: int, due_at: float, told: bool) -> None:
        self.known: Counter[object] = Counter(known)
        self.before, self.due_at, self.tell_at = before, due_at, due_at + TOLD_AFTER_S
        self.told = told  # that it is there
        self.asked = False
        self.attempt: Counter[object] = Counter()  # rows without an id that this try had
        self.tries = self.rows = self.had = 0


class Later:
    """The late holes of one feed; `notes` are the caller's to take.

    numbered: trades are told apart by `venue_seq`, else by id, exchange, price and size.
    """

    def __init__(self, numbered: bool) -> None:
        self.notes: list[Note] = []
        self._numbered = numbered
        self._holes: dict[Hole, _Late] = {}
        self._watched: dict[str, list[Hole]] = {}  # by symbol: holes by time, beside which trades may come late

    def __len__(self) -> int:
        return len(self._holes)

    def __contains__(self, hole: Hole) -> bool:
        return hole in self._holes

    def give_up(self, given_up: Iterable[GivenUp], now: float) -> None:
        """Take holes that were told as lost: they are asked for again in a while."""
        for hole, known, before in given_up:
            self._add(hole, _Late(known, before, now + FIRST_PAUSE_S, True))

    def catch_up(self, hole: Hole, known: Iterable[object], before: int, now: float) -> None:
        """Ask for a hole of before this run, at once; `known` and `before` as in `GivenUp`.

        Whether anything is missing is told once that is known, or after `TOLD_AFTER_S`.
        """
        if hole not in self._holes:
            self._add(hole, _Late(known, before, now, False))

    def left(self, hole: Hole, known: Iterable[object], now: float) -> None:
        """Ask, at once, for a hole that an earlier run told and left."""
        if hole not in self._holes:
            late = _Late(known, 0, now, True)
            late.had = len(late.known) if hole.first else 0
            self._add(hole, late)

    def seen(self, rows: Iterable[Row]) -> None:
        """Note rows that go on: one that came late is in a hole, and is not to come again when that is fetched."""
        if not self._watched:
            return
        for row in rows:
            if type(row) is TradeRow:
                for hole in self._watched.get(row.sym, ()):
                    if row.time < hole.end:
                        self._holes[hole].known[key_of(row, self._numbered)] += 1

    def due(self, now: float) -> list[Hole]:
        """Return the holes that are to be asked for now."""
        found = []
        for hole, late in self._holes.items():
            if not late.told and now >= late.tell_at:
                self._tell(hole, late)
            if not late.asked and now >= late.due_at:
                late.asked, late.attempt = True, Counter()
                found.append(hole)
        return found

    def take(self, fetched: Fetched, now: float) -> list[Row]:
        """Return the rows of a hole that did not go on yet; note what became of it."""
        hole = fetched.hole
        late = self._holes[hole]
        rows = [row for row in fetched.rows if self._is_new(late, row)]
        late.rows += len(rows)
        self._beside(hole, rows)
        if (rows or fetched.lost) and not late.told:
            self._tell(hole, late)
        if not fetched.done:
            return rows
        late.asked = False
        late.tries += 1
        lost, again = fetched.lost, fetched.again
        if not lost and hole.first and late.had + late.rows <= hole.last - hole.first:
            lost, again = "the venue's past has not all of it", True
        if not lost:
            if late.told:
                self.notes.append(note_of(hole, "healed", f"fetched later, {late.rows:,} rows"))
            self._forget(hole)
        elif not again or late.tries >= MOST_TRIES:
            self.notes.append(note_of(hole, "lost", f"{lost}; {BY_BACKFILL} may have it later"))
            self._forget(hole)
        else:
            late.due_at = now + min(FIRST_PAUSE_S * 2.0**late.tries, LONGEST_PAUSE_S)
        return rows

    def status(self, now: float) -> str:
        """Return how many holes are to be fetched, and when the next is asked for; "" if there is none."""
        if not self._holes:
            return ""
        wait_s = min((late.due_at - now for late in self._holes.values() if not late.asked), default=0.0)
        pause = f", the next in {wait_s:.0f} s" if wait_s > 0 and not any(h.asked for h in self._holes.values()) else ""
        return f"{len(self._holes):,} holes are fetched late{pause}"

    def _beside(self, hole: Hole, rows: Iterable[Row]) -> None:
        """Note trades that one hole had in all others that may have them as well: those of two starts overlap."""
        others = [
            (o, late) for o, late in self._holes.items() if o != hole and (o.table, o.sym) == (hole.table, hole.sym)
        ]
        for row in rows if others else ():
            if type(row) is not TradeRow:
                continue
            key = key_of(row, self._numbered)
            for other, late in others:
                if other.first <= row.venue_seq <= other.last if other.first else other.start <= row.time < other.end:
                    late.had += key not in late.known
                    late.known[key] += 1

    def _tell(self, hole: Hole, late: _Late) -> None:
        late.told = True
        self.notes.append(note_of(hole, "opened", SINCE_NEWEST))

    def _is_new(self, late: _Late, row: Row) -> bool:
        if type(row) is BarRow:  # one that is the same says nothing new
            return row[:1] + row[3:8] not in late.known
        if type(row) is not TradeRow:
            return True
        if late.before and row.venue_seq >= late.before:
            return False
        key = key_of(row, self._numbered)
        if self._numbered or row.trade_id:
            new = key not in late.known
        else:  # of those without an id as many are new as there are more than were known
            late.attempt[key] += 1
            new = late.attempt[key] > late.known[key]
        if new:
            late.known[key] += 1
        return new

    def _add(self, hole: Hole, late: _Late) -> None:
        self._holes[hole] = late
        if hole.table == "trades" and not hole.first:
            self._watched.setdefault(hole.sym, []).append(hole)
        if len(self._holes) > MOST_HOLES:
            oldest = next(iter(self._holes))
            self.notes.append(note_of(oldest, "lost", f"more than {MOST_HOLES:,} holes; {BY_BACKFILL} may have it"))
            self._forget(oldest)

    def _forget(self, hole: Hole) -> None:
        del self._holes[hole]
        watched = self._watched.get(hole.sym, [])
        if hole in watched:
            watched.remove(hole)
            if not watched:
                del self._watched[hole.sym]
